"""Counts from packed masks: every word size, read-only, kept while the mask lives."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.masks import memo
from workloads.masks.counts import column_counts, tile_row_counts
from workloads.masks.packed import PackedMask


def counted(mask: np.ndarray, width: int) -> list[list[int]]:
    starts = range(0, mask.shape[1], width)
    return [[int(row[start : start + width].sum()) for start in starts] for row in mask]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    m=st.integers(1, 30),
    n=st.integers(1, 400),
    width=st.one_of(st.integers(1, 400), st.sampled_from([8, 24, 64, 128, 192])),
    dense=st.booleans(),
    seed=st.integers(0, 999),
)
def test_tile_row_counts_any_width_equal_unpacked_sums(
    m: int, n: int, width: int, dense: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    mask, columns = random.random((m, n)) < 0.5, random.random(n) < 0.3
    if not dense:
        columns[:] = False
    counts = tile_row_counts(PackedMask.pack(mask), width, columns)
    assert counts.dtype == np.int32
    assert counts.tolist() == counted(mask & ~columns, width)


@pytest.mark.parametrize("rows", [1, 254, 255, 256, 1021])
def test_column_counts_many_full_rows_do_not_overflow_a_lane(rows: int) -> None:
    mask = np.random.default_rng(rows).random((rows, 37)) < 0.5
    mask[:, 5] = True
    assert column_counts(PackedMask.pack(mask)).tolist() == mask.sum(axis=0).tolist()


@pytest.mark.parametrize("width", [8, 50, 64])
def test_tile_row_counts_mapped_and_strided_bits_count_alike(width: int, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Bits that are read-only and not aligned to words, and every other row of a larger mask."""
    mask = np.random.default_rng(1).random((6, 128)) < 0.5
    (tmp_path / "bits").write_bytes(b"x" + PackedMask.pack(mask).bits.tobytes())
    mapped = np.memmap(tmp_path / "bits", dtype=np.uint8, mode="r", offset=1, shape=(6, 16))
    strided = np.repeat(PackedMask.pack(mask).bits, 2, axis=0)[::2]
    for bits in (mapped, strided):
        packed = PackedMask(bits, 128)
        assert tile_row_counts(packed, width).tolist() == counted(mask, width)
        assert column_counts(packed).tolist() == mask.sum(axis=0).tolist()
        assert packed.nnz == mask.sum()


def test_tile_row_counts_again_are_the_same_array_for_the_same_columns_only() -> None:
    mask = PackedMask.pack(np.ones((4, 64), dtype=bool))
    dense = np.zeros(64, dtype=bool)
    first = tile_row_counts(mask, 64)
    assert tile_row_counts(mask, 64, dense) is first
    dense[3] = True
    assert tile_row_counts(mask, 64, dense).tolist() == [[63]] * 4
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 1


def test_tile_row_counts_of_many_widths_keep_the_last_ones_and_no_mask_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memo, "_MAX_BYTES_PER_MASK", 1000)
    mask = PackedMask.pack(np.ones((2, 64), dtype=bool))
    first = weakref.ref(tile_row_counts(mask, 1))
    for width in range(2, 30):
        tile_row_counts(mask, width)
    gone = weakref.ref(mask)
    gc.collect()
    assert first() is None
    del mask
    gc.collect()
    assert gone() is None
