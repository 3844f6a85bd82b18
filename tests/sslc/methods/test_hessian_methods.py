"""Methods that see the whole Hessian: optimal where theory says so, ordered as the papers claim."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.full_hessian import solve_on_support, thresholded_support, whitened_low_rank
from sslc.methods import scores
from sslc.methods.dsnot import DsNot
from sslc.methods.oats import Oats
from sslc.methods.pruning import Wanda
from sslc.methods.registry import load_method
from sslc.methods.sparsegpt import SparseGpt, inverse_factor
from sslc.methods.sslc import Sslc
from sslc.methods.svd import SvdLlm
from tests.reference.compression import keep_top_rows, row_budgets

Matrix = NDArray[np.float64]


def _problem(m: int, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """W, and correlated inputs X of 4n tokens."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(n, n, generator=generator) / n**0.5 + torch.eye(n)
    strength = torch.exp(0.7 * torch.randn(n, 1, generator=generator))
    return torch.randn(m, n, generator=generator), strength * (
        mixed @ torch.randn(n, 4 * n, generator=generator)
    )


def _statistics(inputs: torch.Tensor) -> InputStatistics:
    means, variances = inputs.mean(dim=1), inputs.var(dim=1, correction=0)
    return InputStatistics(inputs.norm(dim=1), means, variances, inputs @ inputs.T)


def _output_error(
    name: str, weight: torch.Tensor, inputs: torch.Tensor, **settings: float
) -> float:
    result = load_method(name, settings).compress(weight, _statistics(inputs))
    lost = weight - result.sparse - result.u @ result.v.T
    return float(torch.linalg.norm(lost @ inputs) / torch.linalg.norm(weight @ inputs))


def _sparsegpt_reference(weight: Matrix, hessian: Matrix, block: int, nonzeros: int) -> Matrix:
    """Optimal brain surgeon column by column, with the inverse Hessian updated explicitly."""
    w, inverse = weight.copy(), np.linalg.inv(hessian)
    n = w.shape[1]
    for start in range(0, n, block):
        stop = min(start + block, n)
        shrinking, scores = inverse.copy(), np.zeros((w.shape[0], stop - start))
        for column in range(start, stop):
            scores[:, column - start] = w[:, column] ** 2 / shrinking[column, column]
            pivot = shrinking[:, column].copy()
            shrinking -= np.outer(pivot, pivot) / pivot[column]
        keep = nonzeros * stop // n - nonzeros * start // n
        mask = keep_top_rows(scores.reshape(1, -1), [keep]).reshape(scores.shape)
        for column in range(start, stop):
            pivot = inverse[:, column].copy()
            lost = np.where(mask[:, column - start], 0, w[:, column]) / pivot[column]
            w[:, column:] -= np.outer(lost, pivot[column:])
            w[~mask[:, column - start], column] = 0
            inverse -= np.outer(pivot, pivot) / pivot[column]
    return w


@pytest.mark.parametrize("block", [4, 7, 64])
def test_sparsegpt_equals_explicit_brain_surgeon(block: int) -> None:
    weight, inputs = _problem(10, 20)
    statistics = _statistics(inputs)
    found = SparseGpt(block_columns=block).compress(weight, statistics).sparse
    hessian = statistics.damped_hessian(0.01).numpy()
    expected = _sparsegpt_reference(weight.double().numpy(), hessian, block, 100)
    assert found.numpy() == pytest.approx(expected, abs=1e-3)


def _sparsegpt_pattern_reference(weight: Matrix, hessian: Matrix, keep: int, of: int) -> Matrix:
    """Brain surgeon with the mask of M columns chosen from the weights when they are reached."""
    w, inverse = weight.copy(), np.linalg.inv(hessian)
    n = w.shape[1]
    for start in range(0, n, of):
        shrinking, scores = inverse.copy(), np.zeros((w.shape[0], of))
        for column in range(start, start + of):
            scores[:, column - start] = w[:, column] ** 2 / shrinking[column, column]
            pivot = shrinking[:, column].copy()
            shrinking -= np.outer(pivot, pivot) / pivot[column]
        mask = keep_top_rows(scores, [keep] * w.shape[0])
        for column in range(start, start + of):
            pivot = inverse[:, column].copy()
            pruned = ~mask[:, column - start]
            lost = np.where(pruned, w[:, column], 0) / pivot[column]
            w[:, column:] -= np.outer(lost, pivot[column:])
            w[pruned, column] = 0
            inverse -= np.outer(pivot, pivot) / pivot[column]
    return w


@pytest.mark.parametrize(("keep", "of"), [(2, 4), (4, 8), (1, 4)])
@pytest.mark.parametrize("block", [8, 128])
def test_sparsegpt_pattern_equals_explicit_brain_surgeon(keep: int, of: int, block: int) -> None:
    weight, inputs = _problem(10, 24)
    statistics = _statistics(inputs)
    method = SparseGpt(keep / of, block_columns=block, group=f"{keep}:{of}")
    result = method.compress(weight, statistics)
    hessian = statistics.damped_hessian(0.01).numpy()
    expected = _sparsegpt_pattern_reference(weight.double().numpy(), hessian, keep, of)
    assert (result.mask.reshape(-1, of).sum(dim=1) == keep).all()
    assert result.sparse.numpy() == pytest.approx(expected, abs=1e-3)


def test_sparsegpt_pattern_across_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the columns of 4:8, got 12"):
        SparseGpt(block_columns=12, group="4:8")


def test_inverse_factor_singular_hessian_raises_damping_and_says_so() -> None:
    statistics = InputStatistics(torch.ones(3), torch.zeros(3), torch.ones(3), -torch.ones(3, 3))
    with (
        pytest.warns(UserWarning, match="damping"),
        pytest.raises(ValueError, match="not positive definite"),
    ):
        inverse_factor(statistics, 0.01)


def test_svd_llm_reaches_the_best_error_of_its_rank() -> None:
    """No rank-r W' has a smaller ‖(W − W')X‖ than the tail of the singular values of W X."""
    weight, inputs = _problem(30, 24)
    result = SvdLlm().compress(weight, _statistics(inputs))
    rank = result.u.shape[1]
    values = torch.linalg.svdvals((weight @ inputs).double())
    best = float(values[rank:].square().sum().sqrt())
    lost = torch.linalg.norm((weight - result.u @ result.v.T) @ inputs)
    assert float(lost) == pytest.approx(best, rel=1e-3)


@pytest.mark.parametrize("better", ["sparsegpt", "alps", "ria"])
def test_output_error_order_of_pruning_methods(better: str) -> None:
    """SparseGPT and ALPS stay below Wanda, and RIA below magnitude, on correlated inputs."""
    worse = "magnitude" if better == "ria" else "wanda"
    for seed in range(5):
        weight, inputs = _problem(64, 96, seed)
        assert _output_error(better, weight, inputs) < _output_error(worse, weight, inputs)


def test_sslc_h_output_error_falls_with_rounds_below_sslc() -> None:
    weight, inputs = _problem(64, 96)
    settings = [{"rounds": rounds, "shrinkage": 0.0} for rounds in (1, 3, 8)]
    errors = [_output_error("sslc-h", weight, inputs, **each) for each in settings]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < _output_error("sslc", weight, inputs)


def test_thresholded_support_diagonal_hessian_gives_the_places_of_sslc() -> None:
    weight, inputs = _problem(20, 30)
    hessian = torch.diag(inputs.norm(dim=1).square())
    found = thresholded_support(weight, torch.randn(20, 30), hessian=hessian, nonzeros=300)
    assert torch.equal(found, Wanda().compress(weight, _statistics(inputs)).mask)


def test_thresholded_support_equals_float64_gradient_step() -> None:
    weight, inputs = _problem(12, 16)
    hessian, sparse = inputs @ inputs.T, weight * (weight.abs() > 1)
    exact = hessian.double().numpy()
    gradient = (sparse - weight).double().numpy() @ exact
    stepped = sparse.double().numpy() - gradient / np.diag(exact)
    expected = keep_top_rows(np.abs(stepped) * np.sqrt(np.diag(exact)), row_budgets(100, 12))
    assert (
        thresholded_support(weight, sparse, hessian=hessian, nonzeros=100).numpy() == expected
    ).all()


def test_sslc_h_chosen_places_beat_those_of_sslc_with_solved_values() -> None:
    """SSLC's own places with values and factors refined as far lose more than 5% against them."""
    weight, inputs = _problem(64, 96)
    statistics = _statistics(inputs)
    first = Sslc().compress(weight, statistics)
    hessian = statistics.damped_hessian(0.01).float()
    sparse, u, v = first.sparse, first.u, first.v
    for _ in range(30):
        u, v = whitened_low_rank(weight - sparse, hessian, q=u, steps=2)
        sparse = solve_on_support(
            weight - u @ v.T, sparse, mask=first.mask, hessian=hessian, steps=6
        )
    fixed = float(torch.linalg.norm((weight - sparse - u @ v.T) @ inputs))
    fixed /= float(torch.linalg.norm(weight @ inputs))
    assert _output_error("sslc-h", weight, inputs, shrinkage=0.0) < 0.95 * fixed


@given(st.integers(0, 500))
def test_full_hessian_steps_never_raise_the_objective(seed: int) -> None:
    weight, inputs = _problem(9, 12, seed)
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
    weight, inputs = _problem(6, 15)
    hessian = (inputs @ inputs.T).double() + 0.1 * torch.eye(15)
    target = weight.double()
    mask = torch.rand(6, 15, generator=torch.Generator().manual_seed(1)) < 0.5
    found = solve_on_support(target, torch.zeros_like(target), mask=mask, hessian=hessian, steps=60)
    for row in range(6):
        kept = mask[row]
        solution = torch.linalg.solve(hessian[kept][:, kept], (target[row] @ hessian)[kept])
        assert torch.allclose(found[row, kept], solution, atol=1e-8)


def test_oats_equals_float64_alternation() -> None:
    weight, inputs = _problem(24, 20)
    statistics = _statistics(inputs)
    method = Oats(iterations=5)
    result = method.compress(weight, statistics)
    rank = result.u.shape[1]
    assert rank == int(0.25 * 0.5 * 24 * 20 / 44)
    scale = statistics.scale().double().numpy()
    scaled = weight.double().numpy() * scale
    sparse = np.zeros_like(scaled)
    for _ in range(5):
        left, values, right = np.linalg.svd(scaled - sparse, full_matrices=False)
        low = (left[:, :rank] * values[:rank]) @ right[:rank]
        budgets = row_budgets(240 - rank * 44, 24)
        sparse = (scaled - low) * keep_top_rows(np.abs(scaled - low), budgets)
    whole = (result.sparse + result.u @ result.v.T).numpy()
    assert whole == pytest.approx((sparse + low) / scale, abs=1e-3)


def _dsnot_places(means: list[float]) -> list[bool]:
    weight = torch.tensor([[3.0, 1.0, 2.0, 4.0]])
    statistics = InputStatistics(torch.ones(4), torch.tensor(means), torch.ones(4))
    return DsNot().compress(weight, statistics).mask[0].tolist()


def test_dsnot_hand_worked_swap() -> None:
    """Wanda keeps columns 0 and 3 of (3, 1, 2, 4); μ = (1, 1, 1, −⅛) makes W·μ = (3, 1, 2, −½).

    e = 1 + 2 = 3. Column 2 grows (2 > 1), column 3 goes (the only kept one on the other side):
    e = 3 − 2 − ½ = ½. Then column 1 would grow, but nothing is left to prune on the other side."""
    assert _dsnot_places([1, 1, 1, -0.125]) == [True, False, True, False]


def test_dsnot_swap_that_would_overshoot_is_left_out() -> None:
    """W·μ = (3, −1, 2, −4): e = 1; growing column 2 and pruning column 3 would give −5."""
    assert _dsnot_places([1, -1, 1, -1]) == [True, False, False, True]


def test_dsnot_attention_only_leaves_the_ffn_with_wandas_mask() -> None:
    weight, inputs = _problem(40, 60)
    unplaced = _statistics(inputs + 0.5)
    method = DsNot(modules="attention")
    ffn, attention = (dataclasses.replace(unplaced, module=name) for name in ("FFN", "MHA"))
    wanda = Wanda().compress(weight, unplaced).mask
    assert torch.equal(method.compress(weight, ffn).mask, wanda)
    refined = DsNot().compress(weight, unplaced).mask
    assert not torch.equal(refined, wanda)
    assert torch.equal(method.compress(weight, attention).mask, refined)
    with pytest.raises(ValueError, match="where the projection stands"):
        method.compress(weight, unplaced)


def test_dsnot_expected_error_never_rises() -> None:
    weight, inputs = _problem(40, 60)
    statistics = _statistics(inputs + 0.5)
    errors = []
    for cycles in (0, 1, 5, 50):
        mask = DsNot(cycles=cycles).compress(weight, statistics).mask
        errors.append((weight * statistics.means * ~mask).sum(dim=1).abs())
    for before, after in itertools.pairwise(errors):
        assert (after <= before + 1e-6).all()
    assert errors[-1].sum() < 0.5 * errors[0].sum()


def test_ria_scores_hand_worked() -> None:
    """|W| = (1, 3; 2, 2): columns sum to 3 and 5, rows to 4 and 4; d = (4, 1), power ½."""
    weight = torch.tensor([[1.0, -3.0], [2.0, 2.0]])
    zero = torch.zeros(2)
    statistics = InputStatistics(torch.tensor([4.0, 1.0]), zero, zero)
    found = scores.ria(statistics, power=0.5)(weight)
    expected = [[2 * (1 / 3 + 1 / 4), 3 / 5 + 3 / 4], [2 * (2 / 3 + 2 / 4), 2 / 5 + 2 / 4]]
    assert found.tolist() == [pytest.approx(row) for row in expected]
