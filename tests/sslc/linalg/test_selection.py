import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sslc.linalg.selection import keep_top, sparse_nonzeros
from tests.reference.compression import keep_top_rows, row_budgets


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 1), st.integers(0, 99))
def test_keep_top_rows_equal_full_sort_even_with_ties(
    m: int, n: int, share: float, seed: int
) -> None:
    scores = np.random.default_rng(seed).integers(0, 4, (m, n)).astype(np.float64)
    nonzeros = int(share * m * n)
    mask = keep_top(torch.from_numpy(scores).float(), nonzeros, group="row")
    assert (mask.numpy() == keep_top_rows(scores, row_budgets(nonzeros, m))).all()


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 1), st.integers(0, 99))
def test_keep_top_matrix_equals_full_sort(m: int, n: int, share: float, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 9, (m, n)).astype(np.float64)
    nonzeros = int(share * m * n)
    mask = keep_top(torch.from_numpy(scores).float(), nonzeros, group="matrix")
    expected = keep_top_rows(scores.reshape(1, -1), [nonzeros]).reshape(m, n)
    assert (mask.numpy() == expected).all()


@pytest.mark.parametrize("group", ["row", "matrix"])
def test_keep_top_infinite_scores_come_first(group: str) -> None:
    scores = torch.rand(4, 10)
    scores[:, 7] = torch.inf
    assert keep_top(scores, 8, group=group)[:, 7].all()


def test_keep_top_leaves_scores_as_they_were() -> None:
    scores = torch.rand(5, 9)
    before = scores.clone()
    keep_top(scores, 20, group="row")
    assert torch.equal(scores, before)


@given(
    st.integers(1, 6),
    st.integers(1, 5),
    st.sampled_from([(2, 4), (4, 8), (1, 3)]),
    st.integers(0, 99),
)
def test_keep_top_pattern_equals_sorting_each_neighbourhood(
    m: int, groups: int, pattern: tuple[int, int], seed: int
) -> None:
    keep, of = pattern
    scores = np.random.default_rng(seed).integers(0, 4, (m, groups * of)).astype(np.float64)
    nonzeros = m * groups * keep
    mask = keep_top(torch.from_numpy(scores).float(), nonzeros, group=f"{keep}:{of}")
    expected = keep_top_rows(scores.reshape(-1, of), [keep] * (m * groups)).reshape(scores.shape)
    assert (mask.numpy() == expected).all()


def test_sparse_nonzeros_pattern_needs_room_for_the_factors() -> None:
    assert sparse_nonzeros(64, 64, kept_fraction=0.5, rank=0, group="2:4") == 2048
    assert sparse_nonzeros(64, 64, kept_fraction=0.5625, rank=2, group="2:4") == 2048
    with pytest.raises(ValueError, match=r"2:4 and rank 2 keep 0\.5625"):
        sparse_nonzeros(64, 64, kept_fraction=0.5, rank=2, group="2:4")
    with pytest.raises(ValueError, match=r"the kept fraction is 0\.7"):
        sparse_nonzeros(64, 64, kept_fraction=0.7, rank=0, group="2:4")
    with pytest.raises(ValueError, match="does not divide 63"):
        sparse_nonzeros(64, 63, kept_fraction=0.5, rank=0, group="2:4")
