"""Steps against the full Hessian, beside float64 and least squares."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sslc.linalg.full_hessian import solve_on_support, thresholded_support, whitened_low_rank
from sslc.methods.pruning import Wanda
from tests.reference.compression import keep_top_rows, row_budgets
from tests.sslc.problems import small_problem, statistics_of


def test_thresholded_support_diagonal_hessian_gives_the_places_of_sslc() -> None:
    weight, inputs = small_problem(20, 30)
    hessian = torch.diag(inputs.norm(dim=1).square())
    found = thresholded_support(weight, torch.randn(20, 30), hessian=hessian, nonzeros=300)
    assert torch.equal(found, Wanda().compress(weight, statistics_of(inputs)).mask)


def test_thresholded_support_equals_float64_gradient_step() -> None:
    weight, inputs = small_problem(12, 16)
    hessian, sparse = inputs @ inputs.T, weight * (weight.abs() > 1)
    exact = hessian.double().numpy()
    gradient = (sparse - weight).double().numpy() @ exact
    stepped = sparse.double().numpy() - gradient / np.diag(exact)
    expected = keep_top_rows(np.abs(stepped) * np.sqrt(np.diag(exact)), row_budgets(100, 12))
    assert (
        thresholded_support(weight, sparse, hessian=hessian, nonzeros=100).numpy() == expected
    ).all()


@given(st.integers(0, 500))
def test_full_hessian_steps_never_raise_the_objective(seed: int) -> None:
    weight, inputs = small_problem(9, 12, seed)
    hessian = (inputs @ inputs.T).double() + 0.1 * torch.eye(12)
    weight = weight.double()
    mask = torch.rand(9, 12, generator=torch.Generator().manual_seed(seed)) < 0.4
    sparse = weight * mask
    q = torch.linalg.qr(torch.randn(9, 2, generator=torch.Generator().manual_seed(seed)).double()).Q
    v = (weight - sparse).T @ q

    def loss() -> float:
        lost = weight - sparse - q @ v.T
        return float(((lost @ hessian) * lost).sum())

    last = loss()
    for _ in range(4):
        q, v = whitened_low_rank(weight - sparse, hessian, q=q, steps=1)
        assert loss() <= last * (1 + 1e-9)
        last = loss()
        sparse = solve_on_support(weight - q @ v.T, sparse, mask=mask, hessian=hessian, steps=3)
        assert loss() <= last * (1 + 1e-9)
        last = loss()
        assert (sparse[~mask] == 0).all()


def test_solve_on_support_enough_steps_equal_least_squares() -> None:
    """Row by row: the values that solve the normal equations restricted to the kept places."""
    weight, inputs = small_problem(6, 15)
    hessian = (inputs @ inputs.T).double() + 0.1 * torch.eye(15)
    target = weight.double()
    mask = torch.rand(6, 15, generator=torch.Generator().manual_seed(1)) < 0.5
    found = solve_on_support(target, torch.zeros_like(target), mask=mask, hessian=hessian, steps=60)
    for row in range(6):
        kept = mask[row]
        solution = torch.linalg.solve(hessian[kept][:, kept], (target[row] @ hessian)[kept])
        assert torch.allclose(found[row, kept], solution, atol=1e-8)
