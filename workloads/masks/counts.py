"""From a packed mask to the counts that tiles need: nonzeros per row and column tile.

Kept while the mask lives (``memo``).
"""

import numpy as np
from numpy.typing import NDArray

from workloads.masks.memo import counted, memo_of
from workloads.masks.packed import PackedMask
from workloads.masks.words import ones
from workloads.support.compiled import compiled

_ROWS_AT_ONCE = 512
_PARTS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
"""Tiles whose counts are added up for a wider one, where they are kept."""
_ROWS_PER_LANE = 255  # what a lane of eight bits can count

# For each byte, a word whose eight bytes are its bits.
_SPREAD: NDArray[np.uint64] = (
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    .view(np.uint64)
    .ravel()
)

_Counts = NDArray[np.int32]


def column_counts(mask: PackedMask) -> NDArray[np.int64]:
    """Nonzeros of every column, shape (n,), read-only."""
    return counted(mask, ("columns",), lambda: _count_columns(mask))


def tile_row_counts(
    mask: PackedMask, tile_columns: int, dense_columns: NDArray[np.bool_] | None = None
) -> _Counts:
    """Nonzeros of each row inside each column tile, dense columns left out.

    Args:
        mask: m×n mask.
        tile_columns: Columns per tile; the last tile may be narrower.
        dense_columns: Shape (n,); columns that the denser engine executes whole.

    Returns:
        Counts of shape (m, ⌈n / tile_columns⌉), read-only.
    """
    dense = np.zeros(mask.columns, np.bool_) if dense_columns is None else dense_columns
    sparse = ~np.packbits(dense, bitorder="little")
    names, memo = sparse.tobytes(), memo_of(mask)

    def count() -> _Counts:
        for parts in _PARTS:
            if tile_columns % parts == 0 and ("tiles", tile_columns // parts, names) in memo:
                narrow = tile_row_counts(mask, tile_columns // parts, dense_columns)
                return _summed(narrow, parts)
        return _count_tiles(mask, tile_columns, sparse)

    return counted(mask, ("tiles", tile_columns, names), count)


def _count_columns(mask: PackedMask) -> NDArray[np.int64]:
    counts = np.zeros(8 * mask.bits.shape[1], dtype=np.int64)
    bits = np.asarray(mask.bits)
    for start in range(0, mask.rows, _ROWS_PER_LANE):
        lanes = np.zeros(bits.shape[1], dtype=np.uint64)
        _add_rows(bits[start : start + _ROWS_PER_LANE], _SPREAD, lanes)
        counts += lanes.view(np.uint8)
    return counts[: mask.columns]


def _summed(narrow: _Counts, parts: int) -> _Counts:
    """Counts of tiles so many times as wide."""
    counts = np.zeros((narrow.shape[0], -(-narrow.shape[1] // parts)), dtype=np.int32)
    if parts == 2:
        _add_pairs(narrow, counts)
    else:
        _add_neighbours(narrow, parts, counts)
    return counts


@compiled
def _add_pairs(half: _Counts, counts: _Counts) -> None:
    """Add neighbours; the last may have none."""
    pairs = half.shape[1] // 2
    for row in range(half.shape[0]):
        for tile in range(pairs):
            counts[row, tile] = half[row, 2 * tile] + half[row, 2 * tile + 1]
        if counts.shape[1] > pairs:
            counts[row, pairs] = half[row, 2 * pairs]


@compiled
def _add_neighbours(narrow: _Counts, parts: int, counts: _Counts) -> None:
    """Add so many neighbours; the last ones may be fewer."""
    for row in range(narrow.shape[0]):
        for tile in range(narrow.shape[1]):
            counts[row, tile // parts] += narrow[row, tile]


def _count_tiles(mask: PackedMask, tile_columns: int, sparse: NDArray[np.uint8]) -> _Counts:
    """Counts of the columns in ``sparse``: of words, where tiles are whole words."""
    bits = np.asarray(mask.bits)
    counts = np.zeros((mask.rows, -(-mask.columns // tile_columns)), dtype=np.int32)
    for word in (np.uint64, np.uint8):
        size = 8 * np.dtype(word).itemsize
        if tile_columns % size == 0 and 8 * bits.shape[1] % size == 0 and bits.flags.c_contiguous:
            _count_words(bits.view(word), sparse.view(word), tile_columns // size, counts)
            return counts
    starts = np.arange(0, mask.columns, tile_columns)
    for row in range(0, mask.rows, _ROWS_AT_ONCE):
        rows = PackedMask(bits[row : row + _ROWS_AT_ONCE] & sparse, mask.columns).unpack()
        np.add.reduceat(rows, starts, axis=1, dtype=np.int32, out=counts[row : row + _ROWS_AT_ONCE])
    return counts


@compiled
def _count_words(
    words: NDArray[np.uint64], sparse: NDArray[np.uint64], tile_words: int, counts: _Counts
) -> None:
    """Add the ones of each word that are in ``sparse`` to the count of its row and tile."""
    for row in range(words.shape[0]):
        if tile_words == 1:  # a loop that LLVM turns into vector instructions
            for place in range(words.shape[1]):
                counts[row, place] = ones(np.uint64(words[row, place] & sparse[place]))
        else:
            for tile in range(counts.shape[1]):
                found = 0
                for place in range(tile * tile_words, min((tile + 1) * tile_words, len(sparse))):
                    found += ones(np.uint64(words[row, place] & sparse[place]))
                counts[row, tile] = found


@compiled
def _add_rows(
    bits: NDArray[np.uint8], spread: NDArray[np.uint64], lanes: NDArray[np.uint64]
) -> None:
    """Add the eight bits of each byte to the eight lanes of its column of bytes."""
    for row in range(bits.shape[0]):
        for byte in range(bits.shape[1]):
            lanes[byte] += spread[bits[row, byte]]
