"""The two products of sparse attention made ready to run: sampled Q Kᵀ, and A V. Pure.

After ``candidates``. S = Q Kᵀ at a mask's places (SDDMM): a row of a tile is a query, a column a
key, and the head's width stands where a projection has its tokens. A tile holds some queries and
all keys: queries and indices are its weights, keys its activations. Y = A V (SpMM) is a projection
whose weights are the scores. Scores that fit one of two slots of the output buffer stay there until
A V is done; others are written back and read again, as wide as activations.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.bounds import lower_bound
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.configuration import Configuration, allowed_flows
from accelerator_sim.mapping.program import Program, build_program
from accelerator_sim.mapping.split import choose_denser_lines
from accelerator_sim.mapping.storage import Need, Storage, held
from accelerator_sim.mapping.tiling import (
    TileShape,
    choose_dense_columns,
    cut,
    cut_dense,
)
from accelerator_sim.mapping.timing import ceil_div
from accelerator_sim.planning.index_choice import plan_of_fewest_bits
from accelerator_sim.planning.planner import PLANS, plan_dense, plan_projection
from accelerator_sim.planning.trials import quickest
from workloads.masks.counts import tile_row_counts
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError


def scores_stay(scores: int, accelerator: Accelerator) -> bool:
    """Whether a head's scores stay on chip: at the accumulators' width in one slot of two."""
    buffer = accelerator.output_buffer
    needed = ceil_div(scores * accelerator.bits.accumulator, 8)
    return buffer.slots != 1 and needed <= buffer.capacity_bytes // 2


def plan_sddmm(
    keys: int, head_dim: int, *, mask: PackedMask | None, accelerator: Accelerator
) -> Plan:
    """Plan S = Q Kᵀ at a mask's places, or everywhere.

    The rows of a tile are searched when ``auto``: powers of two times the lines, all of them run
    that fit.

    Args:
        keys: Keys, and queries.
        head_dim: Length of a query and of a key.
        mask: Queries x keys; None: the dense run, on all lines and without an index.
        accelerator: The machine; queries and keys have the width of its activations.

    Raises:
        InputError: The tile that is asked for cuts the keys or the head, or nothing fits.
    """
    gemm = Gemm("sddmm", "MHA", keys, keys, head_dim)
    _check_tile(gemm, accelerator)
    if mask is None:
        return PLANS.get(("sddmm", gemm, accelerator), lambda: _best(gemm, None, accelerator))
    return plan_of_fewest_bits(accelerator, mask, lambda machine: _best(gemm, mask, machine))


def _best(gemm: Gemm, mask: PackedMask | None, accelerator: Accelerator) -> Plan:
    """The best plan of all dataflows and numbers of rows that fit; of a given number of rows that
    with the least bound."""
    plans: list[Plan] = []
    lacking: list[Need] = []
    for flow in allowed_flows(accelerator):
        configuration = Configuration(flow, accelerator.bits.activation, sampled=True)
        for rows in _row_counts(gemm.m, accelerator):
            program = _program(gemm, mask, accelerator, configuration, rows)
            storage = _storage(program)
            if storage.fits:
                plans.append(Plan(program, storage, *_rules(accelerator, mask)))
            lacking = [need for need in storage.needs if not need.fits]
    if not plans:
        need = lacking[0]
        raise InputError(
            f"sddmm: {need.operand} need {need.needed} bytes and a slot of {accelerator.name} has "
            f"{need.available}: use a machine with a larger buffer"
        )
    if accelerator.tile.rows == "auto":
        return quickest(plans, accelerator)
    return min(plans, key=lambda plan: lower_bound(plan.program, plan.storage))


def _rules(accelerator: Accelerator, mask: PackedMask | None) -> tuple[str, str]:
    """What chose the tile and the split."""
    tile = "given" if accelerator.tile.rows != "auto" else "searched"
    split = f"denser_lines = {accelerator.denser_lines}"
    return tile, "all lines: run dense" if mask is None else split


def plan_spmm(
    keys: int,
    head_dim: int,
    *,
    mask: PackedMask | None,
    accelerator: Accelerator,
    on_chip: bool,
) -> Plan:
    """Plan Y = A V: the scores are the weights, as wide as activations.

    Args:
        keys: Keys, and queries.
        head_dim: Columns of V.
        mask: As for ``plan_sddmm``.
        accelerator: Buffers, lines and widths; the tile that is asked for is of A V too.
        on_chip: The scores are in a slot of the output buffer: only indices are loaded, and the
            outputs have the other slot.

    Raises:
        InputError: As for ``planner.plan_projection``.
    """
    gemm, bits = Gemm("spmm", "MHA", keys, keys, head_dim), accelerator.bits.activation
    if mask is None:
        return plan_dense(gemm, accelerator, value_bits=bits, weights_on_chip=on_chip)
    item = SparseLowRankGemm(gemm, mask, 0)
    return plan_projection(item, accelerator, value_bits=bits, weights_on_chip=on_chip)


def _check_tile(gemm: Gemm, accelerator: Accelerator) -> None:
    tile = accelerator.tile
    for field, extent, least, what in (
        ("columns", tile.columns, gemm.n, "keys"),
        ("tokens", tile.tokens, gemm.tokens, "the head's width"),
    ):
        if extent != "auto" and extent < least:
            raise InputError(
                f"sddmm: a tile holds all {least} of {what}: tile.{field} must be auto or at least "
                f"{least}, got {extent}"
            )


def _row_counts(rows: int, accelerator: Accelerator) -> Iterator[int]:
    """Rows of a tile to try, the largest last; below the lines for machines with little room."""
    if accelerator.tile.rows != "auto":
        yield min(accelerator.tile.rows, rows)
        return
    yield from _doublings(1, min(accelerator.lines, rows))
    yield from _doublings(accelerator.lines, rows)
    yield rows


def _doublings(first: int, end: int) -> Iterator[int]:
    while first < end:
        yield first
        first *= 2


def _program(
    gemm: Gemm,
    mask: PackedMask | None,
    accelerator: Accelerator,
    configuration: Configuration,
    rows: int,
) -> Program:
    tile = TileShape(rows, gemm.n, gemm.tokens)
    if mask is None:
        tiled, lines = cut_dense(gemm, tile), accelerator.lines
        results = tiled.row_sizes * gemm.n
    else:
        dense = choose_dense_columns(mask, accelerator.dense_threshold)
        tiled = cut(gemm, mask, rank=0, dense_columns=dense, tile=tile)
        lines = choose_denser_lines(tiled, accelerator, flow=configuration.timed_as)
        starts = np.arange(0, gemm.m, tiled.tile.rows)
        results = np.add.reduceat(tile_row_counts(mask, gemm.n)[:, 0], starts, dtype=np.int64)
    program = build_program(tiled, accelerator, configuration=configuration, denser_lines=lines)
    query_bits = gemm.tokens * configuration.value_bits
    main = dataclasses.replace(
        program.main,
        value_bits=tiled.row_sizes[program.main.row_block] * query_bits,
        link_elements=np.zeros_like(program.main.link_elements),
    )
    stay = scores_stay(int(results.sum()), accelerator)
    return dataclasses.replace(program, main=main, results=results, results_stay=stay)


def _storage(program: Program) -> Storage:
    """All keys in one slot; a tile's queries and indices; scores of a block, or all that stay."""
    accelerator, gemm = program.accelerator, program.tiled.gemm
    assert program.results is not None
    scores = program.results.sum() if program.results_stay else program.results.max()
    needed = (
        ("queries and indices", int(program.main.weight_bytes.max()), accelerator.weight_buffer),
        ("keys", _bytes(gemm.n * gemm.tokens, accelerator.bits.activation),
         accelerator.activation_buffer),
        ("scores", _bytes(int(scores), accelerator.bits.accumulator), accelerator.output_buffer),
    )  # fmt: skip
    divided = [
        held(
            buffer.capacity_bytes,
            buffer.slots,
            piece_bytes=size,
            whole_bytes=size,
            wholes=1,
        )
        for _, size, buffer in needed
    ]
    weights, keys, outputs = divided
    return Storage(
        activations_resident=True,
        outputs_resident=program.results_stay,
        weight_slots=(weights.slots, 1),
        input_slots=keys.slots,
        output_slots=outputs.slots,
        needs=tuple(
            Need(operand, size, part.slot_bytes)
            for (operand, size, _), part in zip(needed, divided, strict=True)
        ),
    )


def _bytes(elements: int, bits: int) -> int:
    return ceil_div(elements * bits, 8)
