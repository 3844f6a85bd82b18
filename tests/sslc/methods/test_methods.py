"""One conformance suite over every registered method, and what is particular to each."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.low_rank import brp_step, random_factor, subspace_step
from sslc.methods.pruning import Magnitude, Ria, Wanda
from sslc.methods.registry import METHODS, default_settings, load_method
from sslc.methods.sslc import Sslc
from tests.reference.compression import sslc_exact
from workloads.support.errors import InputError

LOW_RANK_ONLY = {"svd", "svd-llm"}
SHAPES = [(48, 32), (32, 96), (17, 29)]


def _statistics(inputs: torch.Tensor) -> InputStatistics:
    """Of inputs X, shape (n, tokens)."""
    means, variances = inputs.mean(dim=1), inputs.var(dim=1, correction=0)
    return InputStatistics(inputs.norm(dim=1), means, variances, inputs @ inputs.T)


def _inputs(n: int, generator: torch.Generator) -> torch.Tensor:
    """Correlated channels of unlike strength, 3n tokens."""
    mixed = torch.randn(n, n, generator=generator) / n**0.5 + torch.eye(n)
    strength = torch.exp(0.7 * torch.randn(n, 1, generator=generator))
    return strength * (mixed @ torch.randn(n, 3 * n, generator=generator))


def _case(m: int, n: int, seed: int = 0) -> tuple[torch.Tensor, InputStatistics]:
    generator = torch.Generator().manual_seed(seed)
    weight, statistics = torch.randn(m, n, generator=generator), _statistics(_inputs(n, generator))
    return weight, _with_gradient(statistics, weight, generator)


def _with_gradient(
    statistics: InputStatistics, weight: torch.Tensor, generator: torch.Generator
) -> InputStatistics:
    gradient = torch.rand(weight.shape, generator=generator) * statistics.norms
    return dataclasses.replace(statistics, gradient=gradient)


def _with_norms(norms: torch.Tensor) -> InputStatistics:
    zero = torch.zeros_like(norms)
    return InputStatistics(norms, zero, zero)


each_method = pytest.mark.parametrize("name", sorted(METHODS))
each_shape = pytest.mark.parametrize(("m", "n"), SHAPES)


@each_method
@each_shape
@pytest.mark.parametrize("kept", [0.3, 0.5, 0.71])
def test_method_budget_is_met_exactly(name: str, m: int, n: int, kept: float) -> None:
    weight, statistics = _case(m, n)
    result = load_method(name, {"kept_fraction": kept}).compress(weight, statistics)
    rank = result.u.shape[1]
    assert result.u.shape == (m, rank)
    assert result.v.shape == (n, rank)
    spare = int(kept * m * n) - int(result.mask.sum()) - rank * (m + n)
    assert 0 <= spare < (m + n if name in LOW_RANK_ONLY else 1)
    assert (result.sparse[~result.mask] == 0).all()


@each_method
@each_shape
def test_method_is_deterministic_and_leaves_input(name: str, m: int, n: int) -> None:
    weight, statistics = _case(m, n)
    before = weight.clone(), statistics.norms.clone()
    method = load_method(name, {})
    first, second = (method.compress(weight, statistics) for _ in range(2))
    for field in dataclasses.fields(first):
        assert torch.equal(getattr(first, field.name), getattr(second, field.name))
    assert torch.equal(weight, before[0])
    assert torch.equal(statistics.norms, before[1])


@each_method
@pytest.mark.parametrize(
    "kind",
    ["zero channels", "all channels zero", "zero rows", "zero columns", "zero", "constant"],
)
def test_method_degenerate_input_gives_finite_exact_budget(name: str, kind: str) -> None:
    weight, _ = _case(24, 40)
    inputs = _inputs(40, torch.Generator().manual_seed(1))
    if kind == "zero channels":
        inputs[:5] = 0
    elif kind == "all channels zero":
        inputs[:] = 0
    elif kind == "zero rows":
        weight[3:7] = 0
    elif kind == "zero columns":
        weight[:, 10:15] = 0
    else:
        weight[:] = 0.25 if kind == "constant" else 0.0
    generator = torch.Generator().manual_seed(2)
    statistics = _with_gradient(_statistics(inputs), weight, generator)
    result = load_method(name, {}).compress(weight, statistics)
    spare = 480 - int(result.mask.sum()) - result.u.shape[1] * 64
    assert 0 <= spare < (64 if name in LOW_RANK_ONLY else 1)
    for field in dataclasses.fields(result):
        assert torch.isfinite(getattr(result, field.name).float()).all()


@pytest.mark.parametrize("name", sorted(set(METHODS) - LOW_RANK_ONLY))
def test_method_everything_kept_gives_the_weight_back(name: str) -> None:
    weight, statistics = _case(20, 30)
    result = load_method(name, {"kept_fraction": 1.0}).compress(weight, statistics)
    kept = result.mask
    assert torch.allclose((result.sparse + result.u @ result.v.T)[kept], weight[kept], atol=1e-4)


@each_method
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_load_method_share_out_of_range_raises(name: str, value: float) -> None:
    with pytest.raises(InputError, match=r"kept_fraction must lie in \[0, 1\]"):
        load_method(name, {"kept_fraction": value})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("ssIc", {}, "did you mean sslc"),
        ("wanda", {"rank_share": 0.1}, "unknown key 'rank_share'"),
        ("sslc", {"iterations": 0}, "iterations must be at least 1"),
        ("sslc", {"iterations": 1.5}, "iterations must be int"),
        ("sslc", {"group": "column"}, "group must be row, matrix or N:M"),
        ("sslc", {"rank": -2}, "rank must be"),
    ],
)
def test_load_method_bad_setting_is_named(name: str, settings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_method(name, settings)


def test_methods_with_patterns_are_those_that_prune() -> None:
    pruning = {"alps", "magnitude", "pruner-zero", "ria", "sparsegpt", "wanda"}
    assert set(WITH_PATTERNS) == pruning | {"godec", "rpca", "sslc"}


def test_registry_every_setting_has_a_default() -> None:
    for name in METHODS:
        assert default_settings(name)["kept_fraction"] == 0.5
        assert dataclasses.MISSING not in default_settings(name).values()


def test_wanda_hand_worked_scores() -> None:
    """|W|·d with d = (1, 10, 2, 1): rows (4, 10, 6, 1) and (1, 0, 4, 5); two stay in each."""
    weight = torch.tensor([[4.0, -1.0, 3.0, 1.0], [-1.0, 0.0, 2.0, 5.0]])
    result = Wanda().compress(weight, _with_norms(torch.tensor([1.0, 10.0, 2.0, 1.0])))
    assert result.sparse.tolist() == [[0, -1, 3, 0], [0, 0, 2, 5]]


def test_magnitude_default_compares_over_the_matrix() -> None:
    weight = torch.tensor([[4.0, -3.0], [1.0, 0.5]])
    assert Magnitude().compress(weight, _case(2, 2)[1]).sparse.tolist() == [[4, -3], [0, 0]]


def _loss(weight: torch.Tensor, statistics: InputStatistics, method: Sslc) -> float:
    result = method.compress(weight, statistics)
    whole = result.sparse + result.u @ result.v.T
    return float(torch.linalg.norm((weight - whole) * statistics.scale()))


@pytest.mark.parametrize("group", ["row", "matrix"])
@given(st.integers(0, 1000))
def test_sslc_loss_never_rises_with_iterations(group: str, seed: int) -> None:
    """Appendix A, with each iteration's loss from a run of its own."""
    weight, statistics = _case(24, 20, seed)
    losses = [
        _loss(weight, statistics, Sslc(iterations=t, rank=2, group=group)) for t in range(1, 9)
    ]
    for before, after in itertools.pairwise(losses):
        assert after <= before * (1 + 1e-5)


def test_sslc_warm_start_reaches_exact_svd_alternation() -> None:
    """Within 3% of the loss that exact SVD in every iteration reaches (float64 reference), on pure
    noise: the hardest case for one subspace iteration, since no direction stands out."""
    weight, statistics = _case(96, 80)
    method = Sslc(rank=5)
    rank, nonzeros = method.budget(96, 80)
    _, losses = sslc_exact(
        weight.double().numpy(),
        statistics.norms.double().numpy(),
        rank,
        nonzeros,
        preserved=int(0.01 * 96 * 80),
        iterations=40,
    )
    assert _loss(weight, statistics, method) == pytest.approx(losses[-1], rel=0.03)


def test_sslc_preserved_entries_always_stay() -> None:
    weight, statistics = _case(50, 60)
    result = Sslc(preserved_fraction=0.1).compress(weight, statistics)
    strongest = (weight * statistics.norms).abs().topk(6, dim=1).indices
    assert result.mask.gather(1, strongest).all()


def test_sslc_beats_wanda_in_scaled_loss_on_low_rank_plus_noise() -> None:
    weight, statistics = _case(96, 128)
    weight += 3 * torch.outer(torch.ones(96), torch.linspace(-1, 1, 128))
    wanda = Wanda().compress(weight, statistics).sparse
    loss = float(torch.linalg.norm((weight - wanda) * statistics.norms))
    assert _loss(weight, statistics, Sslc()) < 0.8 * loss


@pytest.mark.parametrize("solver", ["exact", "godec"])
def test_sslc_other_low_rank_solvers_reach_a_like_loss(solver: str) -> None:
    weight, statistics = _case(96, 80)
    warm, other = (_loss(weight, statistics, Sslc(low_rank=s)) for s in ("warm", solver))
    assert other == pytest.approx(warm, rel=0.05)


def test_sslc_literal_projection_loses_more_than_it_started_with() -> None:
    """Eq. 7 as printed: the loss ends above ‖W D‖, that is above compressing to nothing."""
    weight, statistics = _case(96, 80)
    nothing = float(torch.linalg.norm(weight * statistics.scale()))
    assert _loss(weight, statistics, Sslc(low_rank="brp")) > nothing


def test_brp_step_singular_projection_is_named() -> None:
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="diverged"):
        brp_step(torch.zeros(6, 5), torch.zeros(5, 2), generator)


def test_sslc_ria_score_chooses_places_by_ria_of_the_residual() -> None:
    weight, statistics = _case(40, 30)
    rank_zero = Sslc(rank=0, score="ria").compress(weight, statistics)
    ria = Ria(group="row").compress(weight, statistics)
    assert torch.equal(rank_zero.mask, ria.mask)
    with_factors = Sslc(score="ria").compress(weight, statistics)
    assert not torch.equal(with_factors.mask, Sslc().compress(weight, statistics).mask)


def test_sslc_rank_zero_equals_wanda() -> None:
    weight, statistics = _case(30, 40)
    sslc = Sslc(rank=0).compress(weight, statistics)
    assert torch.equal(sslc.sparse, Wanda().compress(weight, statistics).sparse)


WITH_PATTERNS = sorted(name for name in METHODS if "group" in default_settings(name))


@pytest.mark.parametrize("name", WITH_PATTERNS)
@pytest.mark.parametrize("group", ["2:4", "4:8"])
def test_method_pattern_is_obeyed(name: str, group: str) -> None:
    weight, statistics = _case(32, 64)
    with_factors = name in ("godec", "rpca", "sslc")
    settings = {"kept_fraction": 0.5625 if with_factors else 0.5, "group": group}
    result = load_method(name, settings).compress(weight, statistics)
    keep, of = map(int, group.split(":"))
    assert (result.mask.reshape(-1, of).sum(dim=1) == keep).all()
    assert result.u.shape[1] == (1 if with_factors else 0)


def test_sslc_tolerance_stops_early() -> None:
    weight, statistics = _case(30, 40)
    long, short = (_loss(weight, statistics, Sslc(tolerance=t)) for t in (0.0, 0.5))
    assert short == _loss(weight, statistics, Sslc(iterations=2))
    assert short > long


@pytest.mark.parametrize(
    ("method", "message"),
    [(Sslc(rank=20), "does not fit"), (Sslc(rank=10, kept_fraction=0.3), "take 500 of 600")],
)
def test_sslc_budget_that_cannot_be_met_raises(method: Sslc, message: str) -> None:
    weight, statistics = _case(20, 30)
    with pytest.raises(ValueError, match=message):
        method.compress(weight, statistics)


@given(st.integers(0, 1000))
def test_subspace_step_error_never_rises_and_reaches_svd(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(12, 9, generator=generator, dtype=torch.float64)
    matrix *= 0.6 ** torch.arange(9)
    v = random_factor(9, 3, generator=generator, device=torch.device("cpu")).double()
    errors = []
    for _ in range(200):
        q, v = subspace_step(matrix, v, generator)
        errors.append(float(torch.linalg.norm(matrix - q @ v.T)))
    assert (np.diff(errors) <= 1e-9).all()
    best = float(torch.linalg.svdvals(matrix)[3:].square().sum().sqrt())
    assert best - 1e-9 <= errors[-1] <= best * 1.02
