"""From a packed mask to the counts that tiles need: nonzeros per row and column tile."""

import numpy as np
from numpy.typing import NDArray

from workloads.masks import PackedMask

_ROWS_AT_ONCE = 512


def column_counts(mask: PackedMask) -> NDArray[np.int64]:
    """Nonzeros of every column, shape (n,)."""
    counts = np.zeros(mask.columns, dtype=np.int64)
    for start in range(0, mask.rows, _ROWS_AT_ONCE):
        part = PackedMask(mask.bits[start : start + _ROWS_AT_ONCE], mask.columns)
        counts += part.unpack().sum(axis=0, dtype=np.int64)
    return counts


def tile_row_counts(
    mask: PackedMask, tile_columns: int, dense_columns: NDArray[np.bool_] | None = None
) -> NDArray[np.int32]:
    """Nonzeros of each row inside each column tile, dense columns left out.

    Args:
        mask: m×n mask.
        tile_columns: Columns per tile; the last tile may be narrower.
        dense_columns: Shape (n,); columns that the denser engine executes whole.

    Returns:
        Counts of shape (m, ⌈n / tile_columns⌉).
    """
    bits = np.asarray(mask.bits)
    if dense_columns is not None and dense_columns.any():
        bits = bits & ~np.packbits(dense_columns, bitorder="little")
    if tile_columns % 8 == 0:
        per_byte = np.bitwise_count(bits)
        starts = np.arange(0, bits.shape[1], tile_columns // 8)
        return np.add.reduceat(per_byte, starts, axis=1, dtype=np.int32)
    starts = np.arange(0, mask.columns, tile_columns)
    parts = [
        np.add.reduceat(
            PackedMask(bits[row : row + _ROWS_AT_ONCE], mask.columns).unpack(),
            starts,
            axis=1,
            dtype=np.int32,
        )
        for row in range(0, mask.rows, _ROWS_AT_ONCE)
    ]
    return np.concatenate(parts)
