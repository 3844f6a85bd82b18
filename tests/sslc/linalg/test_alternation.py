import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sslc.linalg import selection_kernels as kernels
from sslc.linalg.alternation import alternate_rows
from sslc.linalg.low_rank import orthonormal
from sslc.linalg.selection import keep_top
from tests.reference.compression import keep_top_rows, row_budgets, sslc_warm


@given(st.integers(1, 9), st.integers(2, 14), st.floats(0.1, 1), st.integers(0, 99))
def test_refit_rows_equals_full_sort_with_ties_and_preserved_places(
    m: int, n: int, share: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weights, low_rank = random.integers(-2, 3, (2, m, n)).astype(np.float32)
    keep = np.full(m, max(1, int(share * n)))
    always = np.zeros((m, n), np.bool_)
    always[:, 0] = random.random(m) < 0.5
    thresholds = random.integers(0, 1 << 31, m).astype(np.uint32)
    reaches = np.full(m, 5, np.uint32)
    residual = np.empty((m, n), np.float32)
    scratch, keys = kernels.new_scratch(n), np.empty(n, np.uint32)
    kernels.refit_rows(
        weights, low_rank, always, keep, thresholds, reaches, scratch, keys, residual
    )
    scores = np.where(always, np.inf, np.abs(weights - low_rank)).astype(np.float64)
    kept = keep_top_rows(scores, keep.tolist())
    assert (residual == np.where(kept, low_rank, weights)).all()


@pytest.mark.parametrize(("m", "n", "seed"), [(24, 40, 0), (40, 24, 1), (33, 65, 2)])
def test_alternate_rows_equals_the_float64_alternation(m: int, n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    weight = random.standard_normal((m, n)) @ np.diag(np.exp(0.3 * random.standard_normal(n)))
    nonzeros = m * (n // 3) + 5
    always = keep_top_rows(np.abs(weight), row_budgets(9, m))
    scaled = torch.from_numpy(weight).float()
    u, v, mask = alternate_rows(
        scaled,
        torch.from_numpy(always),
        rank=4,
        nonzeros=nonzeros,
        iterations=6,
        generator=torch.Generator().manual_seed(seed),
    )
    start = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed)).double().numpy()
    low_rank, kept = sslc_warm(scaled.double().numpy(), always, start, nonzeros, 6)
    assert (mask.numpy() == kept).all()
    assert np.allclose((u @ v.T).numpy(), low_rank, atol=1e-4)


def test_alternate_rows_loss_never_rises() -> None:
    scaled = torch.randn(32, 48, generator=torch.Generator().manual_seed(1))
    always = torch.zeros(32, 48, dtype=torch.bool)
    losses = []
    for iterations in range(1, 15):
        u, v, mask = alternate_rows(
            scaled,
            always,
            rank=3,
            nonzeros=32 * 20,
            iterations=iterations,
            generator=torch.Generator().manual_seed(0),
        )
        losses.append(float(torch.linalg.norm((scaled - u @ v.T) * ~mask)))
    assert all(after <= before * (1 + 1e-6) for before, after in itertools.pairwise(losses))
    assert losses[-1] < 0.99 * losses[0]


def test_keep_top_rows_longer_than_the_scratch_equal_full_sort() -> None:
    scores = torch.randn(1, 300_000, generator=torch.Generator().manual_seed(0))
    scores[0, ::3] = scores[0, 1::3]
    mask = keep_top(scores, 100_000, group="matrix").numpy()
    assert (mask == keep_top_rows(scores.double().numpy(), [100_000])).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keep_top_negative_scores_and_both_zeros_keep_from_the_left(dtype: torch.dtype) -> None:
    scores = torch.tensor([[-3.0, 0.0, -0.0, 0.0, -1.0]], dtype=dtype)
    assert keep_top(scores, 2, group="row").tolist() == [[False, True, True, False, False]]


def test_orthonormal_spans_its_columns() -> None:
    columns = torch.randn(
        50, 6, generator=torch.Generator().manual_seed(0)
    ) * 10.0 ** -torch.arange(6)
    q = orthonormal(columns)
    assert torch.allclose(q.T @ q, torch.eye(6), atol=1e-5)
    assert torch.allclose(q @ (q.T @ columns), columns, atol=1e-5)


def test_orthonormal_dependent_columns_still_give_an_orthonormal_basis() -> None:
    column = torch.randn(20, 1, generator=torch.Generator().manual_seed(0))
    q = orthonormal(torch.cat([column, 2 * column, torch.zeros(20, 1)], dim=1))
    assert torch.allclose(q.T @ q, torch.eye(3), atol=1e-5)
