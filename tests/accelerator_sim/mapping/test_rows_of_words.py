"""Decode queues and gathers over words of wide rows, against the slow machine's loops."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelerator_sim.machine.hardware import Accelerator, Index
from accelerator_sim.mapping.decode_queue import Line, first_pass, pass_by_count
from accelerator_sim.mapping.gather import Banks, gathers
from accelerator_sim.mapping.tiling import TiledProjection, TileShape, cut
from tests.accelerator_sim.machines import n_of_m_part, projection, random_mask, small_machine
from tests.reference.slow_tiles import gather_ports, pieces, products_of, queued_cycles

WIDE = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def tilings(draw: st.DrawFn, group: tuple[int, int] | None = None) -> TiledProjection:
    """Rows of several words, tiles that begin and end inside one, now and then dense columns."""
    m, n, seed = draw(st.integers(1, 9)), draw(st.integers(1, 200)), draw(st.integers(0, 999))
    mask = random_mask(m, n, draw(st.sampled_from([0.03, 0.5, 0.95])), seed)
    dense = random_mask(1, n, draw(st.sampled_from([0.0, 0.0, 0.3])), seed + 1)[0]
    columns = draw(st.integers(1, n))
    if group is not None:
        mask, columns = n_of_m_part(mask, *group), -(-columns // group[1]) * group[1]
    item = projection(mask)
    tile = TileShape(draw(st.integers(1, m)), columns, 1)
    return cut(item.gemm, item.mask, rank=0, dense_columns=dense, tile=tile)


PADDED = ("bitmap", "hierarchical_bitmap", "2:4", "3:5")
"""Formats in which a row without nonzeros has entries."""


@pytest.mark.parametrize("form", [*PADDED, "csr", "run_length"])
@pytest.mark.parametrize("token_flow", [False, True])
@WIDE
@given(data=st.data())
def test_first_pass_equals_the_queue_cycle_by_cycle(
    form: str, token_flow: bool, data: st.DataObject
) -> None:
    rate = data.draw(st.sampled_from([1, 3, 7, 64, 100, 256]))
    room = data.draw(st.sampled_from([max(rate - 1, 1), rate, rate + 3]))
    block = data.draw(st.sampled_from([1, 3, 16, 70]))
    index = Index(form, rate, data.draw(st.integers(1, 3)), "queue", room, block)
    tiled = data.draw(tilings(index.n_of_m))
    macs, tokens = data.draw(st.sampled_from([1, 2, 5])), data.draw(st.integers(1, 9))
    flow = "token" if token_flow else "reduction"
    machine = small_machine(macs_per_line=macs, dataflow=flow, index=index)
    line = Line(rate, room, 1 if token_flow else macs, -(-tokens // macs) if token_flow else 1)
    by_count = pass_by_count(tiled, index, line)
    if by_count is None:
        found = first_pass(tiled, index, line)
    else:
        padded = form in PADDED
        stored = (tiled.tile_nonzeros > 0)[:, None, :]
        found = np.maximum(by_count[tiled.counts], padded * stored)
    rows = found.reshape(-1, found.shape[2])[: tiled.gemm.m]
    assert rows.tolist() == _by_hand(tiled, machine, tokens if token_flow else 1)


def _by_hand(tiled: TiledProjection, machine: Accelerator, tokens: int) -> list[list[int]]:
    mask, dense = tiled.mask_and_dense
    places, table = mask.unpack(), []
    for row in range(mask.rows):
        stored = tiled.tile_nonzeros[row // tiled.tile.rows] > 0
        times = []
        for (a, b), some in zip(pieces(mask.columns, tiled.tile.columns), stored, strict=True):
            entries = zip(places[row, a:b].tolist(), dense[a:b].tolist(), strict=True)
            chosen = products_of(list(entries), machine) if some else []
            times.append(queued_cycles(chosen, tokens, machine))
        table.append(times)
    return table


@WIDE
@given(data=st.data())
def test_gathers_equal_the_lines_step_by_step(data: st.DataObject) -> None:
    tiled = data.draw(tilings())
    lines, banks = data.draw(st.integers(1, 5)), data.draw(st.sampled_from([1, 3, 16, 64]))
    ports, next_free = data.draw(st.integers(1, 2)), data.draw(st.booleans())
    assignment = "next_free" if next_free else "static"
    machine = replace(
        small_machine(row_assignment=assignment), activation_banks=banks, activation_ports=ports
    )
    mask, dense = tiled.mask_and_dense
    kept = mask.unpack() & ~dense
    expected = [
        [
            gather_ports(
                [(np.flatnonzero(row[a:b]) + a).tolist() for row in kept[c:d]], lines, machine
            )
            for a, b in pieces(mask.columns, tiled.tile.columns)
        ]
        for c, d in pieces(mask.rows, tiled.tile.rows)
    ]
    found = gathers(tiled, lines, next_free=next_free, buffer=Banks(banks, ports))
    assert np.stack(found, axis=-1).tolist() == [[list(pair) for pair in row] for row in expected]
