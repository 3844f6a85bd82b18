"""Entries of a mask whose places are stored as runs of zeros, per row and column tile.

Each nonzero is preceded by the zeros since the one before it in the same row and tile, in a code of
b bits. Codes 0 to 2ᵇ − 2 are a run and its nonzero; the code 2ᵇ − 1 is an escape: 2ᵇ − 1 zeros and
no nonzero. Zeros after the last nonzero of a row cost nothing. Dense columns are not there: runs
count the columns between them only.

Source: the relative indices of Han et al. 2016 (EIE), whose entry after a run of 2ᵇ − 1 zeros holds
a zero value; an escape here holds no value and makes no product.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from workloads.masks.memo import counted
from workloads.masks.packed import PackedMask
from workloads.support.compiled import compiled

_Counts = NDArray[np.int32]


def run_entries(
    mask: PackedMask, tile_columns: int, dense_columns: NDArray[np.bool_], run_bits: int
) -> _Counts:
    """Entries, nonzeros and escapes, of each row inside each column tile.

    Kept while the mask lives, like all counts (``memo``).

    Args:
        mask: m×n mask.
        tile_columns: Columns per tile; the last tile may be narrower.
        dense_columns: Shape (n,); columns that are stored whole.
        run_bits: b, bits of a code.

    Returns:
        Shape (m, ⌈n / tile_columns⌉), read-only.
    """
    skipped = np.packbits(dense_columns, bitorder="little")

    def count() -> _Counts:
        entries = np.zeros((mask.rows, -(-mask.columns // tile_columns)), dtype=np.int32)
        escape = (1 << run_bits) - 1
        bits, table = np.asarray(mask.bits), _byte_table(escape)
        _count_entries(bits, skipped, (mask.columns, tile_columns, escape), table, entries)
        return entries

    return counted(mask, ("runs", tile_columns, run_bits, skipped.tobytes()), count)


def _byte_table(escape: int) -> NDArray[np.int64]:
    """For each byte: zeros before its first one and after its last, and entries from there on."""
    table = np.zeros((256, 3), dtype=np.int64)
    for byte in range(1, 256):
        ones = [place for place in range(8) if byte >> place & 1]
        escapes = sum((after - before - 1) // escape for before, after in pairwise(ones))
        table[byte] = ones[0], 7 - ones[-1], len(ones) + escapes
    return table


@compiled
def _count_entries(
    bits: NDArray[np.uint8],
    dense: NDArray[np.uint8],
    sizes: tuple[int, int, int],
    table: NDArray[np.int64],
    entries: _Counts,
) -> None:
    """Walk every row once, by bytes where these are of one tile and without dense columns."""
    columns, tile_columns, escape = sizes
    for row in range(entries.shape[0]):
        for tile in range(entries.shape[1]):
            found = zeros = 0
            column, end = tile * tile_columns, min((tile + 1) * tile_columns, columns)
            while column < end:
                byte = bits[row, column >> 3]
                if column & 7 == 0 and column + 8 <= end and dense[column >> 3] == 0:
                    column += 8
                    if byte == 0:
                        zeros += 8
                        continue
                    zeros += table[byte, 0]
                    found += zeros // escape if zeros >= escape else 0
                    found += table[byte, 2]
                    zeros = table[byte, 1]
                else:
                    kept = (byte >> (column & 7)) & 1
                    left = 1 - ((dense[column >> 3] >> (column & 7)) & 1)
                    column += 1
                    if kept & left:
                        found += 1 + zeros // escape
                        zeros = 0
                    else:
                        zeros += left
            entries[row, tile] = found
