"""Steps that the lines of a token-parallel engine take to gather inputs from banks. Pure.

Beside ``timing``, for ``gather = "banked"``: the lines of the sparser engine issue in lockstep, and
in each step the columns that they ask for are read from the banks of the activation buffer.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.mapping.tiling import Counts, TiledProjection
from workloads.masks.memo import counted
from workloads.support.compiled import compiled


class Banks(NamedTuple):
    """The activation buffer as the lines see it; bank = column mod ``banks``."""

    banks: int
    ports: int


def gather_steps(tiled: TiledProjection, lines: int, *, next_free: bool, buffer: Banks) -> Counts:
    """Port cycles of every tile for one word of each column that its lines ask for.

    Step s reads the columns of every line's s-th nonzero; equal columns are one read, and the step
    takes the largest, over banks, of ⌈distinct columns / ports⌉.

    Args:
        tiled: The projection in tiles, with its mask.
        lines: Lines of the sparser engine.
        next_free: Whether a row goes to the line with the fewest nonzeros so far, the lowest of
            equals; else row i to line i mod lines.
        buffer: Banks and ports.

    Returns:
        Shape (I, J). Kept while the mask lives.
    """
    mask, dense = tiled.mask_and_dense
    skipped = np.packbits(dense, bitorder="little")
    tile = tiled.tile
    sizes = (mask.rows, mask.columns, tile.rows, tile.columns, lines, *buffer)

    def count() -> Counts:
        steps = np.zeros((len(tiled.row_sizes), len(tiled.column_sizes)), dtype=np.int64)
        scratch = _Scratch(
            line_of=np.zeros(tile.rows, dtype=np.int64),
            row=np.zeros(lines, dtype=np.int64),
            column=np.zeros(lines, dtype=np.int64),
            load=np.zeros(lines, dtype=np.int64),
            read_in=np.zeros(tile.columns, dtype=np.int64),
            used_in=np.zeros(buffer.banks, dtype=np.int64),
            reads=np.zeros(buffer.banks, dtype=np.int64),
        )
        bits = np.asarray(mask.bits)
        _count_steps(bits, skipped, tiled.counts, sizes, next_free, scratch, steps)
        return steps

    key = ("gather", sizes, next_free, skipped.tobytes())
    return counted(mask, key, count)


class _Scratch(NamedTuple):
    """Of a tile: the line of each row; of lines their place and load; of columns and banks when
    they were last read, and how often in that step."""

    line_of: Counts
    row: Counts
    column: Counts
    load: Counts
    read_in: Counts
    used_in: Counts
    reads: Counts


@compiled
def _count_steps(
    bits: NDArray[np.uint8],
    dense: NDArray[np.uint8],
    counts: NDArray[np.int32],
    sizes: tuple[int, int, int, int, int, int, int],
    next_free: bool,
    scratch: _Scratch,
    steps: Counts,
) -> None:
    """Walk the lines of every tile together, one nonzero of each line a step."""
    rows, columns, tile_rows, tile_columns, lines, banks, ports = sizes
    step = 0
    for block in range(steps.shape[0]):
        first, height = block * tile_rows, min(tile_rows, rows - block * tile_rows)
        for tile in range(steps.shape[1]):
            start, end = tile * tile_columns, min((tile + 1) * tile_columns, columns)
            _deal(counts, (block, tile, height, lines), next_free, scratch)
            asked = 1
            while asked > 0:
                step += 1
                asked = longest = 0
                for line in range(lines):
                    column = _next(bits, dense, (first, height, line, start, end), scratch)
                    if column < 0:
                        continue
                    asked += 1
                    if scratch.read_in[column - start] == step:
                        continue
                    scratch.read_in[column - start] = step
                    bank = column % banks
                    if scratch.used_in[bank] < step:
                        scratch.used_in[bank] = step
                        scratch.reads[bank] = 0
                    scratch.reads[bank] += 1
                    longest = max(longest, scratch.reads[bank])
                steps[block, tile] += (longest + ports - 1) // ports


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
def _next(
    bits: NDArray[np.uint8],
    dense: NDArray[np.uint8],
    where: tuple[int, int, int, int, int],
    scratch: _Scratch,
) -> int:
    """The column of a line's next nonzero, or -1 after its last."""
    first, height, line, start, end = where
    while scratch.row[line] < height:
        row = scratch.row[line]
        if row >= 0:
            column = scratch.column[line]
            while column < end:
                place, bit = column >> 3, column & 7
                one = (bits[first + row, place] >> bit) & 1
                column += 1
                if one > 0 and (dense[place] >> bit) & 1 == 0:
                    scratch.column[line] = column
                    return int(column - 1)
        row += 1
        while row < height and scratch.line_of[row] != line:
            row += 1
        scratch.row[line] = row
        scratch.column[line] = start
    return -1
