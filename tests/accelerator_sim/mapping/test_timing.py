"""Durations, bits and tiles, each against a count by hand."""

import dataclasses

import numpy as np
import pytest

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.configuration import allowed_flows
from accelerator_sim.mapping.tiling import TileShape, cut
from accelerator_sim.mapping.timing import (
    columns_cycles,
    dram_bytes,
    dram_ticks,
    link_cycles,
    sparse_tiles,
    ticks_per_cycle,
)
from tests.accelerator_sim.machines import (
    plain_dram,
    plain_index,
    random_mask,
    small_machine,
    with_rows,
)
from workloads.masks.packed import PackedMask
from workloads.shapes.gemm import Gemm


@pytest.mark.parametrize(("flow", "cycles"), [("reduction", 9), ("token", 5)])
def test_columns_cycles_by_dataflow_rounds_its_parallel_extent(flow: str, cycles: int) -> None:
    """5 products for 3 tokens: ⌈5/2⌉·3 by reduction on 2 MACs, 5·⌈3/4⌉ by token on 4."""
    macs = {"reduction": 2, "token": 4}[flow]
    assert columns_cycles(5, 3, macs=macs, flow=flow) == cycles  # type: ignore[arg-type]


def sparse_tiles_of(
    mask: np.ndarray, tile: TileShape, tokens: int, lines: int, machine: Accelerator
) -> list[list[list[int]]]:
    rows, columns = mask.shape
    gemm = Gemm("p", "MHA", rows, columns, tokens)
    none = np.zeros(mask.shape[1], dtype=bool)
    tiled = cut(gemm, PackedMask.pack(mask), rank=0, dense_columns=none, tile=tile)
    [flow] = allowed_flows(machine)
    timed = sparse_tiles(tiled, machine, tokens=tokens, lines=lines, flow=flow)
    return [part.tolist() for part in (timed.cycles, timed.compute, timed.decode)]


def test_sparse_tiles_next_free_balances_what_static_does_not() -> None:
    mask, tile = with_rows([10, 0, 0, 10, 0, 0], 10), TileShape(6, 10, 1)
    machine = small_machine(macs_per_line=1, index=plain_index("csr", 1))
    assert sparse_tiles_of(mask, tile, 1, 3, machine) == [[[20]], [[20]], [[0]]]
    machine = dataclasses.replace(machine, row_assignment="next_free")
    assert sparse_tiles_of(mask, tile, 1, 3, machine) == [[[10]], [[20]], [[0]]]


@pytest.mark.parametrize("assignment", ["static", "next_free"])
@pytest.mark.parametrize("kind", ["bitmap", "csr"])
@pytest.mark.parametrize("flow", ["reduction", "token"])
@pytest.mark.parametrize("lines", [1, 2, 3, 9])
def test_sparse_tiles_equal_dealing_row_by_row(
    assignment: str, kind: str, flow: str, lines: int
) -> None:
    """11 x 29 in tiles of 4 x 10, the last ones smaller, one without nonzeros."""
    mask, tokens, macs, rate = random_mask(11, 29, 0.4, seed=lines), 3, 2, 3
    mask[4:8, 10:20] = False
    machine = small_machine(
        macs_per_line=macs, dataflow=flow, row_assignment=assignment, index=plain_index(kind, rate)
    )
    expected: list[list[list[int]]] = [[], [], []]
    for rows in (mask[:4], mask[4:8], mask[8:]):
        tiles = []
        for tile in (rows[:, :10], rows[:, 10:20], rows[:, 20:]):
            loads, compute, decode = [0] * lines, 0, 0
            for row, kept in enumerate(tile.sum(axis=1).tolist() if tile.any() else []):
                busy = (
                    -(-kept // macs) * tokens if flow == "reduction" else kept * -(-tokens // macs)
                )
                held = max(busy, -(-(tile.shape[1] if kind == "bitmap" else kept) // rate))
                line = row % lines if assignment == "static" else loads.index(min(loads))
                loads[line] += held
                compute, decode = compute + busy, decode + held - busy
            tiles.append((max(loads), compute, decode))
        for part, values in zip(expected, zip(*tiles, strict=True), strict=True):
            part.append(list(values))
    assert sparse_tiles_of(mask, TileShape(4, 10, 3), tokens, lines, machine) == expected


def test_dram_ticks_carries_the_exact_rate_and_stripes_bursts() -> None:
    """153.6·0.75 bytes a cycle is 576/5: a cycle is 576 ticks, a byte 5. 3 bursts on 2 channels."""
    dram = plain_dram(76_800_000_000, 0.75, 0, 64, 2)
    machine = dataclasses.replace(small_machine(dram=dram), clock_hz=500_000_000)
    assert ticks_per_cycle(machine) == 576
    assert dram_ticks(np.array([129, 128, 0]), machine).tolist() == [256 * 5, 128 * 5, 0]
    assert dram_bytes(np.array([129, 128, 0]), machine).tolist() == [192, 128, 0]


def test_link_cycles_rounds_up() -> None:
    assert link_cycles(np.array([0, 1, 4, 5]), small_machine()).tolist() == [0, 1, 2, 3]
