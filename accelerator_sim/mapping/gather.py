"""Steps that the lines of a token-parallel engine take to gather inputs from banks. Pure.

Beside ``timing``, for ``gather = "banked"``: the lines of the sparser engine issue in lockstep, and
in each step the columns that they ask for are read from the banks of the activation buffer.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.tiling import Counts, TiledProjection
from workloads.masks.memo import counted
from workloads.masks.words import Words, lowest, part_of_word, row_words
from workloads.support.compiled import compiled

NO_PLACE = 1 << 40
"""Beyond every word: a line there looks at its next row."""


class Banks(NamedTuple):
    """The activation buffer as the lines see it; bank = column mod ``banks``."""

    banks: int
    ports: int


class Gathers(NamedTuple):
    """For one word of each column that the lines of a tile ask for; shape (I, J) each.

    Attributes:
        steps: Port cycles.
        reads: Words read.
    """

    steps: Counts
    reads: Counts


def gathers(tiled: TiledProjection, lines: int, *, next_free: bool, buffer: Banks) -> Gathers:
    """Port cycles and reads of every tile.

    Step s reads the columns of every line's s-th nonzero; equal columns are one read, and the step
    takes the largest, over banks, of ⌈distinct columns / ports⌉.

    Args:
        tiled: The projection in tiles, with its mask.
        lines: Lines of the sparser engine.
        next_free: Whether a row goes to the line with the fewest nonzeros so far, the lowest of
            equals; else row i to line i mod lines.
        buffer: Banks and ports.

    Returns:
        Kept while the mask lives.
    """
    mask, dense = tiled.mask_and_dense
    tile = tiled.tile
    key = ("gather", tile.rows, tile.columns, lines, buffer, next_free, dense.tobytes())

    def count() -> Counts:
        made = np.zeros((2, len(tiled.row_sizes), len(tiled.column_sizes)), dtype=np.int64)
        scratch = _Scratch(
            line_of=np.zeros(tile.rows, dtype=np.int64),
            asking=np.zeros(lines, dtype=np.int64),
            row=np.zeros(lines, dtype=np.int64),
            place=np.zeros(lines, dtype=np.int64),
            word=np.zeros(lines, dtype=np.uint64),
            load=np.zeros(lines, dtype=np.int64),
            read_in=np.zeros(tile.columns, dtype=np.int64),
            bank_of=np.arange(mask.columns, dtype=np.int64) % buffer.banks,
            reads=np.zeros(buffer.banks, dtype=np.int64),
        )
        words = row_words(mask, dense, close_up=False)
        sizes = (mask.rows, mask.columns, tile.rows, tile.columns, lines)
        _count_steps(words, tiled.counts, sizes, buffer.ports, next_free, scratch, made)
        return made

    return Gathers(*counted(mask, key, count))


def gathers_of(tiled: TiledProjection, accelerator: Accelerator, lines: int) -> Gathers:
    """Those of a machine with so many lines in its sparser engine."""
    buffer = Banks(accelerator.activation_banks, accelerator.activation_ports)
    return gathers(tiled, lines, next_free=accelerator.row_assignment == "next_free", buffer=buffer)


class _Scratch(NamedTuple):
    """Of a tile: the line of each row, and the lines that have nonzeros left; of lines their row,
    the word of it that they are at, what of it they have not asked for, and their load; of columns
    their last step, and their bank; of banks their reads, counted from step · lines."""

    line_of: Counts
    asking: Counts
    row: Counts
    place: Counts
    word: Words
    load: Counts
    read_in: Counts
    bank_of: Counts
    reads: Counts


@compiled
def _count_steps(
    words: Words,
    counts: NDArray[np.int32],
    sizes: tuple[int, int, int, int, int],
    ports: int,
    next_free: bool,
    scratch: _Scratch,
    found: Counts,
) -> None:
    """Walk the lines of every tile together, one nonzero of each line a step."""
    rows, columns, tile_rows, tile_columns, lines = sizes
    steps, reads = found[0], found[1]
    step = 0
    for block in range(steps.shape[0]):
        first, height = block * tile_rows, min(tile_rows, rows - block * tile_rows)
        for tile in range(steps.shape[1]):
            start, end = tile * tile_columns, min((tile + 1) * tile_columns, columns)
            where = (first, height, start, end)
            _deal(counts, (block, tile, height, lines), next_free, scratch)
            asking = 0
            for line in range(lines):
                if _has_more(words, where, line, scratch):
                    scratch.asking[asking] = line
                    asking += 1
            while asking > 0:
                step += 1
                before, left = step * lines, 0
                most = before
                for number in range(asking):
                    line = scratch.asking[number]
                    asked, new = _ask(line, start, step, before, scratch)
                    most = max(most, asked)
                    reads[block, tile] += new
                    if scratch.word[line] != 0 or _has_more(words, where, line, scratch):
                        scratch.asking[left] = line
                        left += 1
                asking = left
                steps[block, tile] += (most - before + ports - 1) // ports


@compiled
def _ask(line: int, start: int, step: int, before: int, scratch: _Scratch) -> tuple[int, int]:
    """Ask for a line's next nonzero: ``before`` and the reads of its bank so far in this step, and
    whether it is a read of its own.

    Without branches, of which none could be foretold: counts of earlier steps lie below.
    """
    word = scratch.word[line]
    column = 64 * scratch.place[line] + lowest(word)
    scratch.word[line] = word & (word - np.uint64(1))
    bank = scratch.bank_of[column]
    new = int(scratch.read_in[column - start] != step)
    reads = max(scratch.reads[bank], before) + new
    scratch.read_in[column - start] = step
    scratch.reads[bank] = reads
    return int(reads), new


@compiled
def _deal(
    counts: NDArray[np.int32],
    where: tuple[int, int, int, int],
    next_free: bool,
    scratch: _Scratch,
) -> None:
    """Give the rows of a tile to lines, and set every line before its first row."""
    block, tile, height, lines = where
    for line in range(lines):
        scratch.row[line] = -1
        scratch.word[line] = 0
        scratch.place[line] = NO_PLACE
        scratch.load[line] = 0
    for row in range(height):
        line = row % lines
        if next_free:
            line = 0
            for other in range(1, lines):
                if scratch.load[other] < scratch.load[line]:
                    line = other
            scratch.load[line] += counts[block, row, tile]
        scratch.line_of[row] = line


@compiled
def _has_more(words: Words, where: tuple[int, int, int, int], line: int, scratch: _Scratch) -> bool:
    """Move a line that is at the end of a word to its next word with nonzeros, if there is one."""
    first, height, start, end = where
    last = (end - 1) >> 6
    row, place = scratch.row[line], scratch.place[line]
    while True:
        place += 1
        if place > last:
            row += 1
            while row < height and scratch.line_of[row] != line:
                row += 1
            if row == height:
                return False
            place = start >> 6
        word = part_of_word(words, first + row, place, start, end)
        if word != 0:
            scratch.row[line], scratch.place[line], scratch.word[line] = row, place, word
            return True
