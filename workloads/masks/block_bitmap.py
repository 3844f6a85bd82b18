"""Entries of a mask whose places are stored as a bitmap of two levels, per row and column tile.

The columns of a row and tile, dense ones left out, are cut into blocks of B places, the last one
shorter where they do not divide. The first level has a bit for every block: whether it keeps any
place. The second has the bits of the blocks that do, and only of those.

Source: the hierarchy of bitmaps of Kanellopoulos et al. 2019 (SMASH), here of two levels, with a
bit and not a stored zero for each empty place of a block.
"""

import numpy as np
from numpy.typing import NDArray

from workloads.masks.memo import counted
from workloads.masks.packed import PackedMask
from workloads.masks.words import Words, ones_between, row_words
from workloads.support.compiled import compiled

_Counts = NDArray[np.int32]
_Whole = NDArray[np.int64]


def block_entries(
    mask: PackedMask, widths: _Whole, dense_columns: NDArray[np.bool_], block_places: int
) -> _Counts:
    """Bits of both levels of each row inside each column tile, a row without nonzeros included.

    Kept while the mask lives, like all counts (``memo``).

    Args:
        mask: m×n mask.
        widths: Columns of each tile without its dense ones, shape (J,).
        dense_columns: Shape (n,); columns that are stored whole.
        block_places: B.

    Returns:
        Shape (m, J), read-only.
    """

    def count() -> _Counts:
        words = row_words(mask, dense_columns, close_up=True)
        entries = np.zeros((mask.rows, len(widths)), dtype=np.int32)
        ends = np.cumsum(widths)
        _count_entries(words, (ends - widths, ends), block_places, entries)
        return entries

    key = ("blocks", widths.tobytes(), block_places, dense_columns.tobytes())
    return counted(mask, key, count)


@compiled
def _count_entries(
    words: Words, tiles: tuple[_Whole, _Whole], block_places: int, entries: _Counts
) -> None:
    for row in range(entries.shape[0]):
        for tile in range(entries.shape[1]):
            found, end = 0, tiles[1][tile]
            for start in range(tiles[0][tile], end, block_places):
                stop = min(start + block_places, end)
                found += 1
                if ones_between(words, row, start, stop) > 0:
                    found += stop - start
            entries[row, tile] = found
