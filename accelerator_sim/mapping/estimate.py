"""Roughly what tilings cost, to rank them before any is run. Pure.

After ``quick_walk``, which walks the tiles; here are the tables that it reads. Before
``tile_search``.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.machine.hardware import HIERARCHICAL, Accelerator, Buffer
from accelerator_sim.mapping import quick_tiles
from accelerator_sim.mapping.configuration import Configuration
from accelerator_sim.mapping.quick_tiles import Costs, Room, Rows, Work
from accelerator_sim.mapping.quick_walk import (
    LATE,
    MARKS,
    MOMENTS,
    MOST_SLOTS,
    PLACES,
    RINGS,
    walk_all,
)
from accelerator_sim.mapping.tiling import Counts, block_sizes
from accelerator_sim.mapping.timing import ceil_div
from workloads.masks.counts import tile_row_counts
from workloads.masks.packed import PackedMask
from workloads.shapes.gemm import Gemm

_DEALT = 1 << 12
"""Rows times column blocks of a tiling that are dealt to lines."""

_ORDERS = {
    "output_stationary": quick_tiles.OUTPUT_STATIONARY,
    "weight_stationary": quick_tiles.WEIGHT_STATIONARY,
    "activation_stationary": quick_tiles.ACTIVATION_STATIONARY,
}
_FORMATS = {
    "bitmap": quick_tiles.BITMAP,
    "csr": quick_tiles.CSR,
    "csc": quick_tiles.CSC,
    "run_length": quick_tiles.RUN_LENGTH,
    HIERARCHICAL: quick_tiles.BLOCKS,
}


class Tiling(NamedTuple):
    """A tile whose columns are known.

    Attributes:
        rows: Of the tile.
        tokens: Of the tile.
        by_token: Dataflow.
        denser_lines: Lines of the denser engine.
        gather: Steps of the gather for each nonzero of the longest line; 0: ideal.
    """

    rows: int
    tokens: int
    by_token: bool
    denser_lines: int
    gather: float = 0.0


def costs_of(accelerator: Accelerator, configuration: Configuration) -> Costs:
    """What a walk needs of a machine."""
    dram, bits = accelerator.dram, accelerator.bits
    weights, inputs = accelerator.weight_buffer, accelerator.activation_buffer
    outputs = configuration.output_buffer(accelerator)
    return Costs(
        lines=accelerator.lines,
        macs=accelerator.macs_per_line,
        order=_ORDERS[accelerator.loop_order],
        overlapped=accelerator.schedule == "overlapped",
        next_free=accelerator.row_assignment == "next_free",
        cycles_per_byte=float(1 / accelerator.bytes_per_cycle),
        stripe=dram.burst_bytes * dram.channels,
        latency=accelerator.read_latency_cycles,
        write_latency=accelerator.write_latency_cycles,
        handoff=accelerator.handoff_cycles,
        pipeline=accelerator.pipeline_cycles,
        link=accelerator.link_elements_per_cycle,
        value_bits=configuration.value_bits,
        activation_bits=bits.activation,
        factor_bits=bits.factor,
        accumulator_bits=bits.accumulator,
        stays=configuration.weights_on_chip,
        weight_bytes=weights.capacity_bytes,
        input_bytes=inputs.capacity_bytes,
        output_bytes=outputs.capacity_bytes,
        weight_slots=_slots(weights),
        input_slots=_slots(inputs),
        output_slots=_slots(outputs),
    )


def _slots(buffer: Buffer) -> int:
    return 0 if buffer.slots == "auto" else buffer.slots


def dense_rows(gemm: Gemm, accelerator: Accelerator, columns: int) -> Rows:
    """The matrix run dense, in blocks of some columns."""
    widths = block_sizes(gemm.n, columns)
    return _rows(_no_counts(gemm.m, len(widths)), widths, widths, accelerator, 0.0)


def sparse_rows(
    mask: PackedMask, dense_columns: NDArray[np.bool_], accelerator: Accelerator, columns: int
) -> Rows:
    """A sparse matrix in blocks of some columns.

    Args:
        mask: Its places.
        dense_columns: Shape (n,).
        accelerator: MACs of a line, index format.
        columns: Of a block.
    """
    starts = np.arange(0, mask.columns, columns)
    return _rows(
        tile_row_counts(mask, columns, dense_columns),
        block_sizes(mask.columns, columns),
        np.add.reduceat(dense_columns, starts, dtype=np.int64),
        accelerator,
        mask.nnz / (mask.rows * mask.columns),
    )


@lru_cache(maxsize=64)
def _no_counts(rows: int, blocks: int) -> NDArray[np.int32]:
    counts = np.zeros((rows, blocks), dtype=np.int32)
    counts.flags.writeable = False
    return counts


def _rows(
    counts: NDArray[np.int32],
    widths: Counts,
    dense: Counts,
    accelerator: Accelerator,
    density: float,
) -> Rows:
    index = accelerator.index
    upto = np.arange(int(widths.max()) + 1)
    decode = ceil_div(upto, index.decode_per_cycle)
    least, stored = np.zeros((2, len(widths)), dtype=np.int64)
    code_bits = float(index.run_bits)
    if index.format == "bitmap":
        least, decode = ceil_div(widths - dense, index.decode_per_cycle), np.zeros_like(decode)
    elif index.n_of_m:
        kept, group = index.n_of_m
        stored = widths // group * kept + np.minimum(widths % group, kept)
        least, decode = ceil_div(stored, index.decode_per_cycle), np.zeros_like(decode)
        code_bits = float((group - 1).bit_length())
    elif index.format == HIERARCHICAL:
        block = index.block_places
        code_bits = 1 / block + 1 - (1.0 - density) ** block  # a block that is empty has one bit
        width = len(upto) - 1
        empty = (1.0 - upto / max(width, 1)) ** block
        decode = np.ceil(width * (1 / block + 1 - empty) / index.decode_per_cycle).astype(np.int64)
    elif index.format == "run_length":
        full = (1.0 - density) ** ((1 << index.run_bits) - 1)  # share of runs with an escape
        code_bits *= 1 / max(1 - full, 1e-3)
    return Rows(
        counts=counts,
        widths=widths,
        dense=dense,
        passes=ceil_div(upto, accelerator.macs_per_line),
        decode=decode,
        least=least,
        stored=stored,
        format=_FORMATS.get(index.format, quick_tiles.GROUPS),
        code_bits=code_bits,
        queued=index.queued,
    )


def estimates(
    rows: Rows, costs: Costs, work: Work, tilings: Sequence[Tiling]
) -> NDArray[np.float64]:
    """Cycles and DRAM bytes of tilings with the same columns; infinite where one does not fit.

    Args:
        rows: The matrix at those columns.
        costs: The machine.
        work: The product.
        tilings: N of them.

    Returns:
        Shape (N, 2).
    """
    choices = np.array([tiling[:4] for tiling in tilings], dtype=np.int64)
    gathers = np.array([tiling.gather for tiling in tilings])
    blocks, row_blocks = len(rows.widths), -(-work.m // choices[:, 0])
    dealt = np.clip(_DEALT // (choices[:, 0] * blocks), 1, row_blocks)
    token_blocks = -(-work.tokens // int(choices[:, 1].min()))
    together = token_blocks if costs.order == quick_tiles.WEIGHT_STATIONARY else 1
    tiles = int(dealt.max()) * blocks
    room = Room(
        loads=np.zeros((costs.lines, 3)),
        sizes=np.zeros(tiles),
        cycles=np.zeros((2, tiles)),
        now=np.zeros(MOMENTS),
        rings=np.zeros((RINGS, MOST_SLOTS)),
        places=np.zeros(PLACES, dtype=np.int64),
        chunks=np.zeros((together, blocks)),
        late=np.zeros((2, LATE)),
        marks=np.zeros((2, MARKS, 2)),
    )
    found = np.zeros((len(choices), 2))
    walk_all(rows, costs, work, np.column_stack([choices, dealt]), gathers, room, found)
    return found
