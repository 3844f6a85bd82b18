import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.masks.counts import column_counts, tile_row_counts
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.masks.synthetic import iid_mask, row_balanced_mask, wanda_lognormal_mask
from workloads.shapes.gemm import Gemm

sizes = st.integers(1, 40)


def _random(m: int, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((m, n)) < 0.4


def test_packed_mask_layout_is_little_endian_row_major() -> None:
    """Row 0 keeps columns 0 and 9: bytes 1 and 2; row 1 keeps column 7: bytes 128 and 0."""
    mask = np.zeros((2, 10), dtype=np.bool_)
    mask[0, [0, 9]] = True
    mask[1, 7] = True
    assert PackedMask.pack(mask).bits.tolist() == [[1, 2], [128, 0]]


@given(sizes, sizes, st.integers(0, 99))
def test_packed_mask_round_trip_and_count(m: int, n: int, seed: int) -> None:
    mask = _random(m, n, seed)
    packed = PackedMask.pack(mask)
    assert (packed.unpack() == mask).all()
    assert packed.nnz == mask.sum()
    assert (column_counts(packed) == mask.sum(axis=0)).all()


@given(sizes, sizes, st.sampled_from([1, 3, 8, 16, 64]), st.integers(0, 99))
def test_tile_row_counts_equal_counting_by_hand(m: int, n: int, width: int, seed: int) -> None:
    mask = _random(m, n, seed)
    dense = np.random.default_rng(seed + 1).random(n) < 0.2
    counts = tile_row_counts(PackedMask.pack(mask), width, dense)
    assert counts.shape == (m, -(-n // width))
    for row in range(m):
        for tile in range(counts.shape[1]):
            columns = range(tile * width, min(n, (tile + 1) * width))
            assert counts[row, tile] == sum(mask[row, c] and not dense[c] for c in columns)


@pytest.mark.parametrize("make", [iid_mask, row_balanced_mask, wanda_lognormal_mask])
def test_synthetic_mask_has_exact_count_and_is_seeded(make) -> None:  # type: ignore[no-untyped-def]
    one, again, other = make(30, 50, 702, 1), make(30, 50, 702, 1), make(30, 50, 702, 2)
    assert one.nnz == 702
    assert (one.bits == again.bits).all()
    assert (one.bits != other.bits).any()


def test_row_balanced_mask_remainder_in_first_rows() -> None:
    counts = row_balanced_mask(4, 20, 42, 0).unpack().sum(axis=1)
    assert counts.tolist() == [11, 11, 10, 10]


def test_wanda_lognormal_mask_has_denser_columns_than_iid() -> None:
    skewed = column_counts(wanda_lognormal_mask(200, 200, 20_000, 0)).std()
    assert skewed > 3 * column_counts(iid_mask(200, 200, 20_000, 0)).std()


def test_sparse_low_rank_gemm_shape_mismatch_raises() -> None:
    with pytest.raises(ValueError, match="q_proj"):
        SparseLowRankGemm(Gemm("q_proj", "MHA", 4, 9), iid_mask(4, 8, 3, 0), 0)
