"""SSLC: its alternation, budget and preserved entries."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sslc.calibration.statistics import InputStatistics
from sslc.methods.pruning import Ria, Wanda
from sslc.methods.sslc import Sslc
from tests.reference.compression import sslc_exact
from tests.sslc.problems import (
    small_case,
)


def _loss(weight: torch.Tensor, statistics: InputStatistics, method: Sslc) -> float:
    result = method.compress(weight, statistics)
    whole = result.sparse + result.u @ result.v.T
    return float(torch.linalg.norm((weight - whole) * statistics.scale()))


@pytest.mark.parametrize("group", ["row", "matrix"])
@given(st.integers(0, 1000))
def test_sslc_loss_never_rises_with_iterations(group: str, seed: int) -> None:
    """Appendix A, with each iteration's loss from a run of its own."""
    weight, statistics = small_case(24, 20, seed)
    losses = [
        _loss(weight, statistics, Sslc(iterations=t, rank=2, group=group)) for t in range(1, 9)
    ]
    for before, after in itertools.pairwise(losses):
        assert after <= before * (1 + 1e-5)


def test_sslc_warm_start_reaches_exact_svd_alternation() -> None:
    """Within 3% of the loss that exact SVD in every iteration reaches (float64 reference), on pure
    noise: the hardest case for one subspace iteration, since no direction stands out."""
    weight, statistics = small_case(96, 80)
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
    weight, statistics = small_case(50, 60)
    result = Sslc(preserved_fraction=0.1).compress(weight, statistics)
    strongest = (weight * statistics.norms).abs().topk(6, dim=1).indices
    assert result.mask.gather(1, strongest).all()


def test_sslc_beats_wanda_in_scaled_loss_on_low_rank_plus_noise() -> None:
    weight, statistics = small_case(96, 128)
    weight += 3 * torch.outer(torch.ones(96), torch.linspace(-1, 1, 128))
    wanda = Wanda().compress(weight, statistics).sparse
    loss = float(torch.linalg.norm((weight - wanda) * statistics.norms))
    assert _loss(weight, statistics, Sslc()) < 0.8 * loss


@pytest.mark.parametrize("solver", ["exact", "godec"])
def test_sslc_other_low_rank_solvers_reach_a_like_loss(solver: str) -> None:
    weight, statistics = small_case(96, 80)
    warm, other = (_loss(weight, statistics, Sslc(low_rank=s)) for s in ("warm", solver))
    assert other == pytest.approx(warm, rel=0.05)


def test_sslc_literal_projection_loses_more_than_it_started_with() -> None:
    """Eq. 7 as printed: the loss ends above ‖W D‖, that is above compressing to nothing."""
    weight, statistics = small_case(96, 80)
    nothing = float(torch.linalg.norm(weight * statistics.scale()))
    assert _loss(weight, statistics, Sslc(low_rank="brp")) > nothing


def test_sslc_ria_score_chooses_places_by_ria_of_the_residual() -> None:
    weight, statistics = small_case(40, 30)
    rank_zero = Sslc(rank=0, score="ria").compress(weight, statistics)
    ria = Ria(group="row").compress(weight, statistics)
    assert torch.equal(rank_zero.mask, ria.mask)
    with_factors = Sslc(score="ria").compress(weight, statistics)
    assert not torch.equal(with_factors.mask, Sslc().compress(weight, statistics).mask)


def test_sslc_rank_zero_equals_wanda() -> None:
    weight, statistics = small_case(30, 40)
    sslc = Sslc(rank=0).compress(weight, statistics)
    assert torch.equal(sslc.sparse, Wanda().compress(weight, statistics).sparse)


def test_sslc_tolerance_stops_early() -> None:
    weight, statistics = small_case(30, 40)
    long, short = (_loss(weight, statistics, Sslc(tolerance=t)) for t in (0.0, 0.5))
    assert short == _loss(weight, statistics, Sslc(iterations=2))
    assert short > long


@pytest.mark.parametrize(
    ("method", "message"),
    [(Sslc(rank=20), "does not fit"), (Sslc(rank=10, kept_fraction=0.3), "take 500 of 600")],
)
def test_sslc_budget_that_cannot_be_met_raises(method: Sslc, message: str) -> None:
    weight, statistics = small_case(20, 30)
    with pytest.raises(ValueError, match=message):
        method.compress(weight, statistics)
