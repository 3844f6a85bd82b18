"""Entries of a mask whose places are stored as runs of zeros, per row and column tile.

Each nonzero is preceded by the zeros since the one before it in the same row and tile, in a code of
b bits. Codes 0 to 2ᵇ − 2 are a run and its nonzero; the code 2ᵇ − 1 is an escape: 2ᵇ − 1 zeros and
no nonzero. Zeros after the last nonzero of a row cost nothing. Dense columns are not there: runs
count the columns between them only.

Source: the relative indices of Han et al. 2016 (EIE), whose entry after a run of 2ᵇ − 1 zeros holds
a zero value; an escape here holds no value and makes no product.
"""

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from workloads.compiled import compiled
from workloads.masks import PackedMask

_KEPT_PER_MASK = 12

_Counts = NDArray[np.int32]
_kept: WeakKeyDictionary[PackedMask, dict[tuple[int, int, bytes], _Counts]] = WeakKeyDictionary()


def run_entries(
    mask: PackedMask, tile_columns: int, dense_columns: NDArray[np.bool_], run_bits: int
) -> _Counts:
    """Entries, nonzeros and escapes, of each row inside each column tile.

    Kept while the mask lives, like the counts of ``mask_stats``.

    Args:
        mask: m×n mask.
        tile_columns: Columns per tile; the last tile may be narrower.
        dense_columns: Shape (n,); columns that are stored whole.
        run_bits: b, bits of a code.

    Returns:
        Shape (m, ⌈n / tile_columns⌉), read-only.
    """
    kept = _kept.setdefault(mask, {})
    key = (tile_columns, run_bits, np.packbits(dense_columns).tobytes())
    if key not in kept:
        if len(kept) == _KEPT_PER_MASK:
            del kept[next(iter(kept))]
        entries = np.zeros((mask.rows, -(-mask.columns // tile_columns)), dtype=np.int32)
        escape = (1 << run_bits) - 1
        _count_entries(np.asarray(mask.bits), dense_columns, tile_columns, escape, entries)
        entries.flags.writeable = False
        kept[key] = entries
    return kept[key]


@compiled
def _count_entries(
    bits: NDArray[np.uint8],
    dense: NDArray[np.bool_],
    tile_columns: int,
    escape: int,
    entries: _Counts,
) -> None:
    """Walk every row once; a division only where a run needs escapes."""
    for row in range(entries.shape[0]):
        for tile in range(entries.shape[1]):
            found = zeros = 0
            for column in range(tile * tile_columns, min((tile + 1) * tile_columns, len(dense))):
                if dense[column]:
                    continue
                if (bits[row, column >> 3] >> (column & 7)) & 1:
                    found += 1
                    if zeros >= escape:
                        found += zeros // escape
                    zeros = 0
                else:
                    zeros += 1
            entries[row, tile] = found
