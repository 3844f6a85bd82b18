"""How long a row takes whose indices pass through a line's decode queue. Pure.

Beside ``indices``, for ``index.decode = "queue"``: one chunk of entries a cycle goes into a queue
of products, from which the MACs of the line take theirs. ``docs/event_model.md`` has the rule. Rows
are walked chunk by chunk: the cycles that a chunk waits are worked out, not counted.
"""

from typing import NamedTuple

import numpy as np

from accelerator_sim.machine.hardware import HIERARCHICAL, Index
from accelerator_sim.mapping.tiling import Counts, TiledProjection
from workloads.masks.memo import counted
from workloads.masks.words import Words, lowest, ones_between, part_of_word, row_words
from workloads.support.compiled import compiled

_State = tuple[int, int, int, int, int]
"""Cycles, products that wait, cycles until the MACs are free; entries and products of the chunk."""


class Line(NamedTuple):
    """What empties a queue: so many products at once, each time for so many cycles.

    Attributes:
        rate: Entries of a chunk.
        queue: Products that wait at most; at least ``rate`` − 1.
        width: Products that the MACs take at once.
        service: Cycles that they take for them.
    """

    rate: int
    queue: int
    width: int
    service: int


def pass_by_count(tiled: TiledProjection, index: Index, line: Line) -> Counts | None:
    """Cycles of a row by its nonzeros, where these alone decide them.

    They do if every entry has a product, and if a row is one chunk.

    Returns:
        Shape (columns + 1,), without the chunk of a row that has entries and no products; None
        where the places have a say.
    """
    columns = tiled.tile.columns
    blocks = -(-columns // index.block_places) if index.format == HIERARCHICAL else 0
    if index.format != "csr" and columns + blocks > line.rate:
        return None
    cycles = np.zeros(columns + 1, dtype=np.int64)
    _pass_products(line, cycles)
    return cycles


def first_pass(tiled: TiledProjection, index: Index, line: Line) -> Counts:
    """Cycles of every row of a tile until its chunks are taken and its queue is empty.

    Args:
        tiled: The projection in tiles, with its mask.
        index: The format that gives the order of entries: of every row one after the other; of a
            hierarchical bitmap the first level of the row, then its blocks.
        line: The queue.

    Returns:
        Shape (I, R, J); 0 in a tile without nonzeros. Kept while the mask lives.
    """
    mask, dense = tiled.mask_and_dense
    groups = index.n_of_m or (0, 1)
    escape = (1 << index.run_bits) - 1 if index.format == "run_length" else 0
    block = index.block_places if index.format == HIERARCHICAL else 0
    key = ("first pass", tiled.tile.columns, groups, escape, block, line, dense.tobytes())

    def count() -> Counts:
        words = row_words(mask, dense, close_up=not index.n_of_m)
        widths = tiled.column_sizes - (0 if index.n_of_m else tiled.dense)
        ends = np.cumsum(widths)
        cycles = np.zeros((mask.rows, len(ends)), dtype=np.int64)
        if index.n_of_m:
            _pass_groups(words, (ends - widths, ends), groups, line, cycles)
        elif index.format == "run_length":
            _pass_runs(words, (ends - widths, ends), escape, line, cycles)
        elif block:
            _pass_blocks(words, (ends - widths, ends), block, line, cycles)
        else:
            _pass_bits(words, (ends - widths, ends), line, cycles)
        return cycles

    cycles = tiled.rows_in_blocks(counted(mask, key, count))
    return np.asarray(np.where((tiled.tile_nonzeros > 0)[:, None, :], cycles, 0))


@compiled
def _pass_products(line: Line, cycles: Counts) -> None:
    """Rows of nothing but products, by their number."""
    for products in range(len(cycles)):
        state = _enter((0, 0, 0, 0, 0), products, products, line)
        cycles[products] = _finish(state, line)


@compiled
def _pass_bits(words: Words, tiles: tuple[Counts, Counts], line: Line, cycles: Counts) -> None:
    """Rows of bitmaps: a chunk has the products of so many columns."""
    for row in range(cycles.shape[0]):
        for tile in range(cycles.shape[1]):
            time = waiting = busy = 0
            end = tiles[1][tile]
            for start in range(tiles[0][tile], end, line.rate):
                found = ones_between(words, row, start, min(start + line.rate, end))
                time, waiting, busy = _take(time, waiting, busy, found, line)
            cycles[row, tile] = _finish((time, waiting, busy, 0, 0), line)


@compiled
def _pass_runs(
    words: Words, tiles: tuple[Counts, Counts], escape: int, line: Line, cycles: Counts
) -> None:
    """Rows of runs: from nonzero to nonzero, the escapes of the zeros between first."""
    for row in range(cycles.shape[0]):
        for tile in range(cycles.shape[1]):
            start, end = tiles[0][tile], tiles[1][tile]
            state = (0, 0, 0, 0, 0)
            after = start
            for place in range(start >> 6, (end + 63) >> 6):
                word = part_of_word(words, row, place, start, end)
                while word != 0:
                    column = 64 * place + lowest(word)
                    word &= word - np.uint64(1)
                    state = _enter(state, (column - after) // escape, 0, line)
                    state = _enter(state, 1, 1, line)
                    after = column + 1
            cycles[row, tile] = _finish(state, line)


@compiled
def _pass_groups(
    words: Words,
    tiles: tuple[Counts, Counts],
    groups: tuple[int, int],
    line: Line,
    cycles: Counts,
) -> None:
    """Rows of N:M: each group has its products, then its padding."""
    kept, group = groups
    for row in range(cycles.shape[0]):
        for tile in range(cycles.shape[1]):
            state = (0, 0, 0, 0, 0)
            start, end = tiles[0][tile], tiles[1][tile]
            while start < end:
                stop = min(end, (start // group + 1) * group)
                products = ones_between(words, row, start, stop)
                state = _enter(state, min(kept, (stop - 1) % group + 1), products, line)
                start = stop
            cycles[row, tile] = _finish(state, line)


@compiled
def _pass_blocks(
    words: Words, tiles: tuple[Counts, Counts], block: int, line: Line, cycles: Counts
) -> None:
    """Rows of two levels: a bit of every block, then the bits of those that are not empty."""
    for row in range(cycles.shape[0]):
        for tile in range(cycles.shape[1]):
            first, end = tiles[0][tile], tiles[1][tile]
            state = _enter((0, 0, 0, 0, 0), (end - first + block - 1) // block, 0, line)
            for start in range(first, end, block):
                stop = min(start + block, end)
                if ones_between(words, row, start, stop) == 0:
                    continue
                while start < stop:
                    now = min(start + line.rate - state[3], stop)
                    found = ones_between(words, row, start, now)
                    state = _enter(state, now - start, found, line)
                    start = now
            cycles[row, tile] = _finish(state, line)


@compiled
def _enter(state: _State, entries: int, products: int, line: Line) -> _State:
    """Add entries, of which the first have products, to the chunk; full ones are taken."""
    time, waiting, busy, filled, found = state
    while entries >= line.rate - filled:
        room = line.rate - filled
        now = min(products, room)
        time, waiting, busy = _take(time, waiting, busy, found + now, line)
        entries, products = entries - room, products - now
        filled = found = 0
    return time, waiting, busy, filled + entries, found + products


@compiled
def _finish(state: _State, line: Line) -> int:
    """Take what is left of the last chunk and empty the queue."""
    time, waiting, busy, filled, found = state
    if filled > 0:
        time, waiting, busy = _take(time, waiting, busy, found, line)
    return time + busy + (waiting + line.width - 1) // line.width * line.service


@compiled
def _take(time: int, waiting: int, busy: int, products: int, line: Line) -> tuple[int, int, int]:
    """Take one chunk, after as many cycles as the queue is too full for it.

    What is too much goes at starts of the MACs, the first when they are free; in the cycle of the
    last of these the chunk is taken.
    """
    waiting += products
    if waiting > line.queue:
        starts = (waiting - line.queue + line.width - 1) // line.width
        time += busy + (starts - 1) * line.service + 1
        return time, max(waiting - starts * line.width, 0), line.service - 1
    if busy > 0 or waiting == 0:
        return time + 1, waiting, max(busy - 1, 0)
    return time + 1, max(waiting - line.width, 0), line.service - 1
