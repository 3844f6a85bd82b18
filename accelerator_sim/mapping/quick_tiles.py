"""What the tiles of a tiling load and take, nearly: what ``quick_walk`` walks. Compiled.

Rows are dealt to lines as the machine does, in large matrices only those of some row blocks, which
stand for the others. A decode queue and banks of activations are factors.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.mapping.program import S, V
from accelerator_sim.mapping.tiling import Counts
from workloads.support.compiled import compiled

Times = NDArray[np.float64]

OUTPUT_STATIONARY, WEIGHT_STATIONARY, ACTIVATION_STATIONARY = 0, 1, 2
BITMAP, CSR, CSC, RUN_LENGTH, GROUPS, BLOCKS = 0, 1, 2, 3, 4, 5


QUEUE = 1.05
"""Cycles of a row's first token with a decode queue, over those without."""


class Costs(NamedTuple):
    """A machine in one configuration: times in cycles, sizes in bytes; 0 slots: ``auto``; whether
    the values of S stay on chip."""

    lines: int
    macs: int
    order: int
    overlapped: bool
    next_free: bool
    cycles_per_byte: float
    stripe: int
    latency: int
    write_latency: int
    handoff: int
    pipeline: int
    link: int
    value_bits: int
    activation_bits: int
    factor_bits: int
    accumulator_bits: int
    stays: bool
    weight_bytes: int
    input_bytes: int
    output_bytes: int
    weight_slots: int
    input_slots: int
    output_slots: int


class Rows(NamedTuple):
    """A matrix in column blocks, with what its rows cost.

    Attributes:
        counts: Nonzeros of each row and block outside dense columns, shape (m, J).
        widths: Columns of each block, shape (J,).
        dense: Dense columns of each block.
        passes: ⌈c / P⌉ by nonzeros c of a row, shape (columns + 1,).
        decode: Cycles of index decode, likewise.
        least: Cycles of decode of every row of a block, shape (J,).
        stored: Values of every row of a block; 0: its nonzeros.
        format: Index format, as numbered here.
        code_bits: Bits of an entry of ``RUN_LENGTH`` or ``GROUPS``, and of a place of ``BLOCKS``.
        queued: Whether a row's first token passes a decode queue.
    """

    counts: NDArray[np.int32]
    widths: Counts
    dense: Counts
    passes: Counts
    decode: Counts
    least: Counts
    stored: Counts
    format: int
    code_bits: float
    queued: bool


class Work(NamedTuple):
    """A product, and its columns of a tile."""

    m: int
    n: int
    tokens: int
    rank: int
    columns: int


class Choice(NamedTuple):
    """Rows and tokens of a tile, dataflow (1: token), lines of the denser engine, row blocks that
    are dealt, and steps to gather inputs for each nonzero of the longest line (0: ideal)."""

    rows: int
    tokens: int
    by_token: int
    denser_lines: int
    sampled: int
    gather: float


class Room(NamedTuple):
    """Arrays of a walk: of lines; of tiles bytes and cycles (full and last token block); of the
    machine now; of slots; of activation chunks; of write-backs that wait; of starts of blocks."""

    loads: Times
    sizes: Times
    cycles: Times
    now: Times
    rings: Times
    places: Counts
    chunks: Times
    late: Times
    marks: Times


class Where(NamedTuple):
    """A tile: S, V or U; its blocks; whether it is the first and the last that use its weights or
    inputs; whether it completes its output block; how many output blocks were walked before it."""

    kind: int
    row_block: int
    block: int
    token_block: int
    first: bool
    last: bool
    done: bool
    group: int


class Tile(NamedTuple):
    """What a tile loads, its cycles on both engines, and on the link."""

    kind: int
    weight_bytes: float
    input_bytes: float
    denser: float
    sparser: float
    crossing: float


@compiled
def up(extent: int, size: int) -> int:
    """How many blocks of a size an extent has."""
    return (extent + size - 1) // size


@compiled
def deal(rows: Rows, costs: Costs, work: Work, choice: Choice, room: Room) -> float:
    """Bytes to load and cycles of the tiles of the sampled row blocks; bytes of the largest."""
    blocks, largest = up(work.m, choice.rows), 0.0
    last = work.tokens - choice.tokens * (up(work.tokens, choice.tokens) - 1)
    for sample in range(choice.sampled):
        first = sample * blocks // choice.sampled * choice.rows
        height = min(choice.rows, work.m - first)
        for block in range(len(rows.widths)):
            place = sample * len(rows.widths) + block
            nonzeros = _load_lines(rows, costs, choice, room.loads, (first, height, block, last))
            values = rows.dense[block] * height + nonzeros
            if rows.format == GROUPS and nonzeros > 0:
                values += height * rows.stored[block] - nonzeros
            bits = values * costs.value_bits + _index_bits(rows, height, block, nonzeros)
            largest = max(largest, np.ceil(bits / 8))
            room.sizes[place] = np.ceil((bits - values * costs.stays * costs.value_bits) / 8)
            room.cycles[0, place] = room.cycles[1, place] = 0.0
            if nonzeros > 0:
                for column in range(2):
                    tokens = last if column > 0 else choice.tokens
                    steps = 0.0
                    if choice.by_token == 1:
                        steps = choice.gather * up(tokens, costs.macs)
                    longest = 0.0
                    for line in range(min(costs.lines - choice.denser_lines, choice.rows)):
                        gathered = room.loads[line, 2] * steps
                        longest = max(longest, max(room.loads[line, column], gathered))
                    room.cycles[column, place] = longest
    return largest


@compiled
def _load_lines(
    rows: Rows, costs: Costs, choice: Choice, loads: Times, where: tuple[int, int, int, int]
) -> int:
    """Deal the rows of a tile to lines: cycles in both token blocks, and nonzeros, of each line."""
    first, height, block, last = where
    if rows.dense[block] == rows.widths[block]:
        return 0
    lines = max(min(costs.lines - choice.denser_lines, choice.rows), 1)
    loads[:lines] = 0.0
    total = 0
    for row in range(height):
        count = rows.counts[first + row, block]
        total += count
        line = row % lines
        if costs.next_free:
            for other in range(lines):
                if loads[other, 0] < loads[line, 0]:
                    line = other
        loads[line, 0] += _row(rows, costs.macs, choice.by_token, count, block, choice.tokens)
        loads[line, 1] += _row(rows, costs.macs, choice.by_token, count, block, last)
        loads[line, 2] += count
    return total


@compiled
def _row(rows: Rows, macs: int, by_token: int, count: int, block: int, tokens: int) -> float:
    """Cycles of a row on its line."""
    read = max(rows.decode[count], rows.least[block])
    if by_token == 1:
        return float(max(count * up(tokens, macs), read))
    passes = rows.passes[count]
    if rows.queued:
        return float(max(passes, read) * QUEUE + passes * (tokens - 1))
    return float(max(passes * tokens, read))


@compiled
def _index_bits(rows: Rows, height: int, block: int, nonzeros: int) -> float:
    """Bits that give the places of a tile."""
    if nonzeros == 0:
        return 0.0
    width = rows.widths[block] - rows.dense[block]
    if rows.format == GROUPS:
        return float(height * rows.stored[block] * rows.code_bits)
    if rows.format == BITMAP:
        return float(height * width)
    if rows.format == BLOCKS:
        return float(height * width * rows.code_bits)
    if rows.format == RUN_LENGTH:
        return float(nonzeros * rows.code_bits + height * np.ceil(np.log2(width + 1.0)))
    pointer = np.ceil(np.log2(height * width + 1.0))
    if rows.format == CSR:
        return float(nonzeros * np.ceil(np.log2(width)) + (height + 1) * pointer)
    return float(nonzeros * np.ceil(np.log2(height)) + (width + 1) * pointer)


@compiled
def tile_at(rows: Rows, costs: Costs, work: Work, choice: Choice, room: Room, where: Where) -> Tile:
    """What a tile loads and takes."""
    kind, block = where.kind, where.block
    tokens = min(choice.tokens, work.tokens - where.token_block * choice.tokens)
    extent = work.rank if kind == V else work.m
    height = min(choice.rows, extent - where.row_block * choice.rows)
    if kind == S:
        return _sparse(rows, costs, work, choice, room, where, (height, tokens))
    width = min(work.columns, work.rank - block * work.columns)
    lines = costs.lines
    if kind == V:
        width = rows.widths[block]
    elif costs.overlapped:
        lines = choice.denser_lines
    per_row = _columns(width, tokens, choice.by_token, costs.macs)
    rest = height % lines
    denser_rows = height // lines * choice.denser_lines + min(rest, choice.denser_lines)
    denser = up(denser_rows, max(choice.denser_lines, 1)) * per_row
    sparser = 0
    if lines > choice.denser_lines:
        sparser = (height // lines + (rest > choice.denser_lines)) * per_row
    crossing = 0
    if costs.lines > choice.denser_lines:
        crossing = up(denser_rows * tokens, costs.link)
    inputs = width * tokens * costs.activation_bits * (kind == V)
    return Tile(
        kind,
        float(up(height * width * costs.factor_bits, 8)),
        float(up(inputs, 8)),
        float(denser),
        float(sparser),
        float(crossing),
    )


@compiled
def _sparse(
    rows: Rows,
    costs: Costs,
    work: Work,
    choice: Choice,
    room: Room,
    where: Where,
    size: tuple[int, int],
) -> Tile:
    """A tile of S, rows by tokens, from the row block that stands for its own."""
    height, tokens = size
    block, blocks = where.block, up(work.m, choice.rows)
    place = where.row_block * choice.sampled // blocks * len(rows.widths) + block
    share = 1.0
    if choice.sampled < blocks:
        share = height / choice.rows
    sparser = room.cycles[int(tokens < choice.tokens), place] * share
    dense = rows.dense[block]
    denser = 0
    if dense > 0:
        per_row = _columns(dense, tokens, choice.by_token, costs.macs)
        denser = up(height, max(choice.denser_lines, 1)) * per_row
    crossing = 0
    if dense > 0 and costs.lines > choice.denser_lines:
        crossing = up(height * tokens, costs.link)
    loaded = room.sizes[place] * share
    inputs = up(rows.widths[block] * tokens * costs.activation_bits, 8)
    return Tile(S, loaded, float(inputs), float(denser), sparser, float(crossing))


@compiled
def _columns(columns: int, tokens: int, by_token: int, macs: int) -> int:
    """Cycles of a dense row on its line."""
    if by_token == 1:
        return int(columns * up(tokens, macs))
    return int(up(columns, macs) * tokens)
