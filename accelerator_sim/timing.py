"""How long one tile takes on one engine, and one transfer on DRAM or the link. Pure.

Every duration of every engine comes from here; nothing here knows about events.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.hardware import Accelerator, Dataflow, Index, RowAssignment
from accelerator_sim.tiling import Counts, TiledProjection
from workloads.errors import InputError

_LARGEST_TIME = 1 << 62
_Whole = TypeVar("_Whole", int, Counts)


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Cycles of every row of every tile on the sparser engine, before rows are dealt to lines.

    Attributes:
        cycles: Time a line is held, shape (I, R, J).
        compute: The part of it with MACs, summed over the rows of a tile, shape (I, J).
        decode: The part that index decode adds, summed likewise.
    """

    cycles: Counts
    compute: Counts
    decode: Counts


def ceil_div(a: _Whole, b: int) -> _Whole:
    """⌈a / b⌉ for whole numbers that are not negative."""
    return (a + (b - 1)) // b


def columns_cycles(columns: _Whole, tokens: int, macs: int, dataflow: Dataflow) -> _Whole:
    """Cycles of one row with some nonzeros (or dense columns) for some tokens on one line.

    Args:
        columns: Products per token.
        tokens: Tokens of the tile.
        macs: P, multiply-accumulates of a line per cycle.
        dataflow: ``reduction``: ⌈c/P⌉·tokens; ``token``: c·⌈tokens/P⌉.

    Raises:
        ValueError: The dataflow is still ``auto``: planning chooses before anything is timed.
    """
    if dataflow == "reduction":
        return ceil_div(columns, macs) * tokens
    if dataflow == "token":
        return columns * ceil_div(tokens, macs)
    raise ValueError(f"a tile is timed with reduction or token, got {dataflow!r}")


def sparse_rows(tiled: TiledProjection, tokens: int, accelerator: Accelerator) -> SparseRows:
    """Row cycles on the sparser engine: MACs, and never less than the index decode.

    The indices of a row are decoded once per tile, whatever its tokens. A bitmap is read whole, so
    an empty row of a tile that has nonzeros takes time; a tile without nonzeros takes none.
    """
    counts = tiled.counts.astype(np.int64)
    macs = columns_cycles(counts, tokens, accelerator.macs_per_line, accelerator.dataflow)
    decode = _decode_cycles(tiled, counts, accelerator.index)
    cycles = np.maximum(macs, decode)
    compute = macs.sum(axis=1)
    return SparseRows(cycles, compute, cycles.sum(axis=1) - compute)


def _decode_cycles(tiled: TiledProjection, counts: Counts, index: Index) -> Counts:
    if index.format != "bitmap":
        return ceil_div(counts, index.decode_per_cycle)
    width = ceil_div(tiled.column_sizes - tiled.dense, index.decode_per_cycle)
    stored = (tiled.tile_nonzeros > 0)[:, None, :]
    present = (np.arange(tiled.tile.rows) < tiled.row_sizes[:, None])[:, :, None]
    return np.where(stored & present, width, 0)


def slowest_line(cycles: Counts, lines: int, assignment: RowAssignment) -> Counts:
    """Cycles of each tile: its slowest line.

    Args:
        cycles: Row cycles, shape (I, R, J).
        lines: Lines of the sparser engine, at least 1.
        assignment: ``static``: row i on line i mod lines; ``next_free``: each row in turn on the
            line that is free first, the lowest of equals.

    Returns:
        Shape (I, J).
    """
    blocks, rows, columns = cycles.shape
    if assignment == "static":
        rounds = ceil_div(rows, lines)
        dealt = np.zeros((blocks, rounds * lines, columns), dtype=np.int64)
        dealt[:, :rows] = cycles
        loads = dealt.reshape(blocks, rounds, lines, columns).sum(axis=1)
        return np.asarray(loads.max(axis=1))
    busy = np.zeros((blocks, columns, min(lines, rows)), dtype=np.int64)
    for row in range(rows):
        line = busy.argmin(axis=2)[..., None]
        until = np.take_along_axis(busy, line, axis=2) + cycles[:, row, :, None]
        np.put_along_axis(busy, line, until, axis=2)
    return np.asarray(busy.max(axis=2))


def dense_cycles(
    rows: Counts, columns: Counts, tokens: int, lines: int, accelerator: Accelerator
) -> Counts:
    """Cycles of dense tiles on the denser engine, zeros executed: ⌈rows/lines⌉ rows on a line.

    Args:
        rows: Rows of each tile.
        columns: Dense columns of each tile, compacted; broadcast against ``rows``.
        tokens: Tokens of the tile.
        lines: Lines of the denser engine; 0 only where there are no dense columns.
    """
    per_row = columns_cycles(columns, tokens, accelerator.macs_per_line, accelerator.dataflow)
    return ceil_div(rows, max(lines, 1)) * per_row


def index_bits(rows: Counts, columns: Counts, nonzeros: Counts, index: Index) -> Counts:
    """Bits that give the places of a tile's nonzeros; a tile without nonzeros stores none.

    ``bitmap``: rows·columns. ``csr``: a column number for each nonzero, and rows + 1 pointers;
    ``csc``: a row number, and columns + 1 pointers. Numbers are as wide as the tile needs:
    ⌈log₂ columns⌉, ⌈log₂ rows⌉ and, for pointers, ⌈log₂(rows·columns + 1)⌉.
    """
    places = rows * columns
    if index.format == "bitmap":
        bits = places
    else:
        extent, pointers = (columns, rows) if index.format == "csr" else (rows, columns)
        bits = nonzeros * _width(extent) + (pointers + 1) * _width(places + 1)
    return np.where(nonzeros > 0, bits, 0)


def _width(values: Counts) -> Counts:
    """⌈log₂ v⌉ without floating point: bits of v − 1, for v of at least 1."""
    highest = np.maximum(values - 1, 0)
    return np.asarray(sum((highest >> bit > 0).astype(np.int64) for bit in range(48)))


def dram_bytes(payload: NDArray[np.int64], accelerator: Accelerator) -> NDArray[np.int64]:
    """Bytes that a transfer moves: its payload in whole bursts."""
    burst = accelerator.dram.burst_bytes
    return ceil_div(payload, burst) * burst


def dram_ticks(payload: NDArray[np.int64], accelerator: Accelerator) -> NDArray[np.int64]:
    """Time that a transfer holds the DRAM port, in ticks (``ticks_per_cycle`` make a cycle).

    Bursts are striped over the channels from the first channel on, so the port is held for
    ⌈bursts / channels⌉ bursts of one channel.

    Raises:
        InputError: The times together may not fit 64 bits.
    """
    stripe = accelerator.dram.burst_bytes * accelerator.dram.channels
    ticks = accelerator.bytes_per_cycle.denominator
    longest = ceil_div(int(payload.max(initial=0)), stripe) * stripe * ticks
    if max(stripe, longest * len(payload)) >= _LARGEST_TIME:
        raise InputError(
            f"accelerator {accelerator.name}: dram.bytes_per_second, efficiency, burst_bytes or "
            f"channels make a transfer {longest} ticks of 1/{ticks_per_cycle(accelerator)} cycle, "
            f"and {len(payload)} of them do not fit 64 bits: use rounder numbers or smaller bursts"
        )
    return ceil_div(payload, stripe) * stripe * ticks


def ticks_per_cycle(accelerator: Accelerator) -> int:
    """Numerator of the bytes per cycle: in these ticks every transfer time is a whole number."""
    return accelerator.bytes_per_cycle.numerator


def link_cycles(elements: Counts, accelerator: Accelerator) -> Counts:
    """Cycles that partial sums take to cross the accumulation link."""
    return ceil_div(elements, accelerator.link_elements_per_cycle)
