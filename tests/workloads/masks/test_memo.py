"""Counts of a mask are made once, are read-only, and go with the mask."""

import gc
import weakref

import numpy as np
import pytest

from workloads.masks.counts import column_counts, tile_row_counts
from workloads.masks.memo import counted, memo_of
from workloads.masks.n_of_m import overfull_group
from workloads.masks.packed import PackedMask
from workloads.masks.run_length import run_entries


def random_mask(m: int, n: int) -> PackedMask:
    return PackedMask.pack(np.random.default_rng(0).random((m, n)) < 0.4)


def test_counted_is_made_once_and_read_only() -> None:
    mask, calls = random_mask(8, 16), []

    def count() -> np.ndarray:
        calls.append(1)
        return np.zeros(3)

    first, second = counted(mask, "k", count), counted(mask, "k", count)
    assert first is second
    assert len(calls) == 1
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_memo_of_holds_every_kind_of_count() -> None:
    mask = random_mask(8, 16)
    none = np.zeros(16, dtype=np.bool_)
    column_counts(mask)
    tile_row_counts(mask, 8)
    run_entries(mask, 8, none, 4)
    overfull_group(mask, none, 2, 4)
    assert len(memo_of(mask)) == 4


def test_counted_goes_with_its_mask() -> None:
    mask = random_mask(8, 16)
    kept = weakref.ref(column_counts(mask))
    del mask
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize(("columns", "tile"), [(64, 8), (72, 8), (100, 24), (40, 40)])
def test_tile_row_counts_of_doubled_tiles_equal_the_sums(columns: int, tile: int) -> None:
    mask = random_mask(5, columns)
    places = mask.unpack()
    for width in (tile, 2 * tile, 4 * tile):
        starts = range(0, columns, width)
        expected = np.stack([places[:, s : s + width].sum(axis=1) for s in starts], axis=1)
        np.testing.assert_array_equal(tile_row_counts(mask, width), expected)
