"""SSLC over other scores (Table 9) and the three readings of its preserved entries."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.full_hessian import solve_on_support
from sslc.methods.pruning import PrunerZero, Ria
from sslc.methods.registry import load_method
from sslc.methods.sslc import Sslc
from tests.reference.compression import keep_top_rows, pruner_zero, ria, row_budgets

SCORES = ["activation", "alps", "pruner-zero", "ria"]


def _case(m: int, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, InputStatistics]:
    """W, correlated inputs X of 4n tokens, and their statistics with a gradient."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(n, n, generator=generator) / n**0.5 + torch.eye(n)
    strength = torch.exp(0.7 * torch.randn(n, 1, generator=generator))
    inputs = strength * (mixed @ torch.randn(n, 4 * n, generator=generator))
    statistics = InputStatistics(
        inputs.norm(dim=1),
        inputs.mean(dim=1),
        inputs.var(dim=1, correction=0),
        inputs @ inputs.T,
        torch.rand(m, n, generator=generator),
    )
    return torch.randn(m, n, generator=generator), inputs, statistics


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("group", ["row", "matrix"])
@pytest.mark.parametrize("preserved", ["force", "zero", "zerofix"])
def test_sslc_every_reading_meets_the_budget(score: str, group: str, preserved: str) -> None:
    weight, _, statistics = _case(40, 30)
    settings: dict[str, Any] = {"score": score, "group": group, "preserved": preserved}
    if score == "alps" and preserved != "force":
        with pytest.raises(ValueError, match="goes with preserved=force"):
            Sslc(**settings)
        return
    method = Sslc(iterations=6, preserved_fraction=0.05, **settings)
    result, again = (method.compress(weight, statistics) for _ in range(2))
    rank, nonzeros = method.budget(40, 30)
    assert int(result.mask.sum()) == nonzeros == 600 - rank * 70
    assert result.u.shape == (40, rank)
    assert (result.sparse[~result.mask] == 0).all()
    for field in dataclasses.fields(result):
        assert torch.equal(getattr(result, field.name), getattr(again, field.name))


@pytest.mark.parametrize("kept", [0.99, 1.0])
def test_sslc_preserved_readings_meet_a_budget_without_room(kept: float) -> None:
    weight, _, statistics = _case(20, 30)
    method = Sslc(kept_fraction=kept, rank_share=0.0, preserved="zero", preserved_fraction=0.04)
    assert int(method.compress(weight, statistics).mask.sum()) == int(kept * 600)


@pytest.mark.parametrize("score", ["ria", "pruner-zero"])
def test_sslc_score_is_taken_from_the_residual_of_the_low_rank_step(score: str) -> None:
    """One iteration with exact SVD, against float64: S holds each row's top scores of W − L."""
    weight, _, statistics = _case(24, 20)
    method = Sslc(iterations=1, low_rank="exact", score=score, preserved_fraction=0.0)
    rank, nonzeros = method.budget(24, 20)
    norms, exact = statistics.norms.double().numpy(), weight.double().numpy()
    left, values, right = np.linalg.svd(exact * norms, full_matrices=False)
    residual = exact - (left[:, :rank] * values[:rank]) @ right[:rank] / norms
    assert statistics.gradient is not None
    gradient = statistics.gradient.double().numpy()
    scores = ria(residual, norms) if score == "ria" else pruner_zero(residual, gradient)
    places = keep_top_rows(scores, row_budgets(nonzeros, 24))
    result = method.compress(weight, statistics)
    assert (result.mask.numpy() == places).mean() > 0.995
    assert result.sparse.numpy() == pytest.approx(residual * places, abs=1e-3)


@pytest.mark.parametrize(("score", "method"), [("ria", Ria), ("pruner-zero", PrunerZero)])
def test_sslc_rank_zero_equals_the_method_of_its_score(score: str, method: Any) -> None:
    weight, _, statistics = _case(30, 40)
    found = Sslc(rank=0, preserved_fraction=0.0, score=score).compress(weight, statistics)
    assert torch.equal(found.sparse, method(group="row").compress(weight, statistics).sparse)


@pytest.mark.parametrize("name", ["pruner-zero", "ria"])
def test_pruning_score_equals_entry_by_entry_reference(name: str) -> None:
    weight, _, statistics = _case(18, 22)
    assert statistics.gradient is not None
    exact, norms = weight.double().numpy(), statistics.norms.double().numpy()
    scores = (
        ria(exact, norms)
        if name == "ria"
        else pruner_zero(exact, statistics.gradient.double().numpy())
    )
    expected = exact * keep_top_rows(scores, [11] * 18)
    found = load_method(name, {"group": "row"}).compress(weight, statistics).sparse
    assert found.numpy() == pytest.approx(expected, abs=1e-6)


def _output_error(method: Sslc, seed: int) -> float:
    weight, inputs, statistics = _case(64, 96, seed)
    result = method.compress(weight, statistics)
    lost = weight - result.sparse - result.u @ result.v.T
    return float(torch.linalg.norm(lost @ inputs) / torch.linalg.norm(weight @ inputs))


def test_sslc_alps_output_error_is_well_below_that_of_activation_scores() -> None:
    for seed in range(3):
        alps = _output_error(Sslc(score="alps", iterations=10), seed)
        assert alps < 0.9 * _output_error(Sslc(iterations=10), seed)


def test_sslc_alps_values_solve_least_squares_on_the_places() -> None:
    """Many more conjugate-gradient steps lower the output error by less than 1%."""
    weight, _, statistics = _case(48, 40)
    result = Sslc(score="alps", iterations=5).compress(weight, statistics)
    hessian = statistics.damped_hessian(0.01)
    target = (weight - result.u @ result.v.T).double()
    solved = solve_on_support(
        target, result.sparse.double(), mask=result.mask, hessian=hessian, steps=200
    )

    def error(sparse: torch.Tensor) -> float:
        lost = target - sparse
        return float(((lost @ hessian) * lost).sum())

    assert error(solved) <= error(result.sparse.double()) < 1.01 * error(solved)


def test_sslc_alps_keeps_the_preserved_places() -> None:
    weight, _, statistics = _case(30, 40)
    result = Sslc(score="alps", iterations=3, preserved_fraction=0.1).compress(weight, statistics)
    strongest = (weight * statistics.norms).abs().topk(4, dim=1).indices
    assert result.mask.gather(1, strongest).all()


@pytest.mark.parametrize(
    ("score", "hessian", "gradients"),
    [
        ("activation", False, False),
        ("ria", False, False),
        ("alps", True, False),
        ("pruner-zero", False, True),
    ],
)
def test_sslc_needs_what_its_score_looks_at(score: str, hessian: bool, gradients: bool) -> None:
    method = Sslc(score=score)
    assert (method.needs_hessian, method.needs_gradients) == (hessian, gradients)
    weight, _, statistics = _case(20, 30)
    bare = dataclasses.replace(statistics, hessian=None, gradient=None)
    if hessian or gradients:
        with pytest.raises(ValueError, match="needs the"):
            method.compress(weight, bare)
    else:
        method.compress(weight, bare)


def _preserved_places(weight: torch.Tensor, statistics: InputStatistics) -> torch.Tensor:
    strongest = (weight * statistics.norms).abs().topk(3, dim=1).indices
    return torch.zeros_like(weight, dtype=torch.bool).scatter(1, strongest, True)


@pytest.mark.parametrize("preserved", ["force", "zero", "zerofix"])
def test_sslc_preserved_entries_come_back_as_their_reading_says(preserved: str) -> None:
    """zero adds back W itself, the others W − L; only then is the sum exact there."""
    weight, _, statistics = _case(40, 30)
    method = Sslc(preserved=preserved, preserved_fraction=0.1, rank=3)
    result = method.compress(weight, statistics)
    places = _preserved_places(weight, statistics)
    assert result.mask[places].all()
    low = result.u @ result.v.T
    back = result.sparse if preserved == "zero" else result.sparse + low
    assert torch.allclose(back[places], weight[places], atol=1e-5)
    assert float(low[places].abs().max()) > 1e-3


def test_sslc_removed_entries_pull_the_low_rank_part_to_zero() -> None:
    """force leaves L free at the preserved places; zero and zerofix fit it to zeros there."""
    weight, _, statistics = _case(40, 30)
    places = _preserved_places(weight, statistics)
    low = {}
    for preserved in ("force", "zero", "zerofix"):
        method = Sslc(preserved=preserved, preserved_fraction=0.1, rank=3, iterations=20)
        result = method.compress(weight, statistics)
        low[preserved] = (result.u @ result.v.T) * statistics.scale()
    assert torch.equal(low["zero"], low["zerofix"])
    assert low["zero"][places].norm() < 0.8 * low["force"][places].norm()


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("kind", ["zero weight", "constant weight", "dead channels", "no inputs"])
def test_sslc_degenerate_input_gives_finite_exact_budget(score: str, kind: str) -> None:
    weight, inputs, statistics = _case(24, 40)
    if kind == "zero weight":
        weight[:] = 0
    elif kind == "constant weight":
        weight[:] = 0.25
    else:
        inputs[:5] = 0
        inputs *= kind == "dead channels"
        statistics = InputStatistics(
            inputs.norm(dim=1),
            inputs.mean(dim=1),
            inputs.var(dim=1, correction=0),
            inputs @ inputs.T,
            torch.zeros(24, 40),
        )
    result = Sslc(score=score, iterations=4).compress(weight, statistics)
    assert int(result.mask.sum()) + result.u.shape[1] * 64 == 480
    for field in dataclasses.fields(result):
        assert torch.isfinite(getattr(result, field.name).float()).all()
