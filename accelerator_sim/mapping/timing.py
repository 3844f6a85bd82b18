"""How long one tile takes on one engine, and one transfer on DRAM or the link. Pure.

Every duration of every engine comes from here; nothing here knows about events.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.configuration import Flow
from accelerator_sim.mapping.decode_queue import Line, first_pass, pass_by_count
from accelerator_sim.mapping.gather import gathers_of
from accelerator_sim.mapping.indices import row_decode
from accelerator_sim.mapping.tiling import Counts, TiledProjection
from workloads.support.compiled import compiled
from workloads.support.errors import InputError

_LARGEST_TIME = 1 << 62
_Whole = TypeVar("_Whole", int, Counts)


@dataclass(frozen=True, eq=False)
class SparseTiles:
    """Every tile of S on the sparser engine, for some tokens; shape (I, J) each.

    Attributes:
        cycles: Until the slowest line is done, and the last input is gathered.
        compute: Line cycles with MACs.
        decode: Line cycles that index decode adds.
        gather: Cycles that gathers add to the slowest line.
    """

    cycles: Counts
    compute: Counts
    decode: Counts
    gather: Counts


def ceil_div(a: _Whole, b: int) -> _Whole:
    """⌈a / b⌉ for whole numbers that are not negative."""
    return (a + (b - 1)) // b


def columns_cycles(columns: _Whole, tokens: int, *, macs: int, flow: Flow) -> _Whole:
    """Cycles of one row with some nonzeros (or dense columns) for some tokens on one line.

    Args:
        columns: Products per token.
        tokens: Tokens of the tile.
        macs: P, multiply-accumulates of a line per cycle.
        flow: ``reduction``: ⌈c/P⌉·tokens; ``token``: c·⌈tokens/P⌉.
    """
    if flow == "reduction":
        return ceil_div(columns, macs) * tokens
    return columns * ceil_div(tokens, macs)


def sparse_tiles(
    tiled: TiledProjection, accelerator: Accelerator, *, tokens: int, lines: int, flow: Flow
) -> SparseTiles:
    """Tiles on the sparser engine: rows of MACs, never less than their index decode, on lines.

    With a decode queue a row's first token passes through it (``decode_queue``), and further tokens
    take their MACs alone. The indices of a row are decoded once per tile, whatever its tokens. A
    bitmap is read whole, and so are the groups of N:M with their padding: an empty row of a tile
    that has nonzeros takes time; a tile without nonzeros takes none. Row i
    is on line i mod lines (``static``), or each row in turn on a line that is free first
    (``next_free``).

    Args:
        tiled: The projection in tiles.
        accelerator: Index format, MACs of a line, assignment of rows to lines.
        tokens: Tokens of the tiles.
        lines: Lines of the sparser engine; 0 only where S has no nonzeros outside dense columns.
        flow: Whose arithmetic a row takes.
    """
    cycles, compute, held, gather = np.zeros((4, *tiled.tile_nonzeros.shape), dtype=np.int64)
    if tiled.sparse_nonzeros:
        counts = np.arange(tiled.tile.columns + 1)
        index, macs = accelerator.index, accelerator.macs_per_line
        decode = row_decode(tiled, index)
        entries: NDArray[np.integer[Any]] = decode.entries
        table: Counts | None = decode.by_entries
        least, further = decode.least, np.zeros_like(counts)
        if index.queued:
            line = _line(accelerator, tokens, flow)
            if flow == "reduction":
                further = columns_cycles(counts, tokens - 1, macs=macs, flow=flow)
            entries, table = tiled.counts, pass_by_count(tiled, index, line)
            if table is None:
                entries = first_pass(tiled, index, line)
            else:
                table += further
        _deal_rows(
            tiled.counts,
            entries,
            tiled.row_sizes,
            columns_cycles(counts, tokens, macs=macs, flow=flow),
            table,
            (least, further),
            accelerator.row_assignment == "next_free",
            np.zeros((min(lines, tiled.tile.rows), cycles.shape[1]), dtype=np.int64),
            (cycles, compute, held),
        )
        if accelerator.gather == "banked" and flow == "token":
            steps = gathers_of(tiled, accelerator, lines).steps
            gather = np.maximum(steps * ceil_div(tokens, accelerator.macs_per_line) - cycles, 0)
    return SparseTiles(cycles + gather, compute, held - compute, gather)


def _line(accelerator: Accelerator, tokens: int, flow: Flow) -> Line:
    index, macs = accelerator.index, accelerator.macs_per_line
    width, service = (macs, 1) if flow == "reduction" else (1, ceil_div(tokens, macs))
    return Line(index.decode_per_cycle, accelerator.decode_queue, width, service)


@compiled
def _deal_rows(
    counts: NDArray[np.int32],
    entries: NDArray[np.integer[Any]],
    row_sizes: Counts,
    macs: Counts,
    table: Counts | None,
    decode: tuple[Counts, Counts],
    next_free: bool,
    loads: Counts,
    sums: tuple[Counts, Counts, Counts],
) -> None:
    """Fill cycles, compute and held line cycles of every tile; tables go by a row's counts.

    Without a table by entries these are cycles, to which those of further tokens are added; numba
    compiles the two apart, so that the usual one has no branch in its innermost loop.

    ``loads``, (lines, J), is scratch: more lines than rows would stay empty.
    """
    cycles, compute, held = sums
    for block in range(len(row_sizes)):
        loads[:, :] = 0
        for row in range(row_sizes[block]):
            line = row % len(loads)
            for tile in range(counts.shape[2]):
                count = np.uint32(counts[block, row, tile])
                busy = macs[count]
                if table is None:
                    read = entries[block, row, tile] + decode[1][count]
                else:
                    read = table[np.uint32(entries[block, row, tile])]
                time = max(busy, max(read, decode[0][block, tile]))
                compute[block, tile] += busy
                held[block, tile] += time
                if not next_free:
                    loads[line, tile] += time
                else:
                    loads[_first_free(loads, tile), tile] += time
        for line in range(len(loads)):
            for tile in range(counts.shape[2]):
                cycles[block, tile] = max(cycles[block, tile], loads[line, tile])


@compiled
def _first_free(loads: Counts, tile: int) -> int:
    """The line with the least load, the lowest of equals."""
    first = 0
    for line in range(1, len(loads)):
        if loads[line, tile] < loads[first, tile]:
            first = line
    return first


def dense_cycles(
    rows: Counts, columns: Counts, *, tokens: int, lines: int, macs: int, flow: Flow
) -> Counts:
    """Cycles of dense tiles on the denser engine, zeros executed: ⌈rows/lines⌉ rows on a line.

    Args:
        rows: Rows of each tile.
        columns: Dense columns of each tile, compacted; broadcast against ``rows``.
        tokens: Tokens of the tile.
        lines: Lines of the denser engine; 0 only where there are no dense columns.
        macs: P, multiply-accumulates of a line per cycle.
        flow: Whose arithmetic a row takes.
    """
    per_row = columns_cycles(columns, tokens, macs=macs, flow=flow)
    return ceil_div(rows, max(lines, 1)) * per_row


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
    refuse_long_transfers(int(payload.max(initial=0)), len(payload), accelerator)
    stripe = accelerator.dram.stripe_bytes
    return ceil_div(payload, stripe) * stripe * accelerator.bytes_per_cycle.denominator


def refuse_long_transfers(largest_bytes: int, count: int, accelerator: Accelerator) -> None:
    """Refuse transfers whose times together may not fit 64 bits.

    Args:
        largest_bytes: Of one of them.
        count: How many there are.
        accelerator: Bursts, channels and the exact rate of its DRAM.

    Raises:
        InputError: They may not.
    """
    stripe, ticks = accelerator.dram.stripe_bytes, accelerator.bytes_per_cycle.denominator
    longest = ceil_div(largest_bytes, stripe) * stripe * ticks
    if max(stripe, longest * count) >= _LARGEST_TIME:
        raise InputError(
            f"accelerator {accelerator.name}: dram.bytes_per_second, efficiency, burst_bytes or "
            f"channels make a transfer {longest} ticks of 1/{ticks_per_cycle(accelerator)} cycle, "
            f"and {count} of them do not fit 64 bits: use rounder numbers or smaller bursts"
        )


def ticks_per_cycle(accelerator: Accelerator) -> int:
    """Numerator of the bytes per cycle: in these ticks every transfer time is a whole number."""
    return accelerator.bytes_per_cycle.numerator


def link_cycles(elements: Counts, accelerator: Accelerator) -> Counts:
    """Cycles that partial sums take to cross the accumulation link."""
    return ceil_div(elements, accelerator.link_elements_per_cycle)
