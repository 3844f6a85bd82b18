"""GoDec and robust PCA as methods: against slow references and against what they promise."""

import numpy as np
import pytest
import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods.godec import GoDec
from sslc.methods.rpca import Rpca, principal_components
from tests.reference.compression import godec_exact, robust_pca

NOTHING = InputStatistics(torch.ones(1), torch.zeros(1), torch.zeros(1))


def _low_rank_plus_spikes(m: int, n: int, rank: int, spikes: int) -> tuple[torch.Tensor, ...]:
    """L of unit-size entries and S of entries of size 10 at random places."""
    generator = torch.Generator().manual_seed(3)
    factors = torch.randn(m, rank, generator=generator), torch.randn(rank, n, generator=generator)
    low = factors[0] @ factors[1] / rank**0.5
    places = torch.randperm(m * n, generator=generator)[:spikes]
    sparse = torch.zeros(m * n)
    sparse[places] = 10 * torch.randn(spikes, generator=generator).sign()
    return low, sparse.reshape(m, n)


def test_rpca_recovers_low_rank_and_spikes() -> None:
    """The theorem of Candès et al. in a case well inside its conditions: both parts come back."""
    low, sparse = _low_rank_plus_spikes(60, 50, 2, 120)
    found_low, found_sparse = principal_components(low + sparse, 100, tolerance=1e-6)
    assert torch.allclose(found_low, low, atol=1e-3)
    assert torch.allclose(found_sparse, sparse, atol=1e-3)
    kept = (120 + 2 * 110) / 3000
    result = Rpca(kept_fraction=kept, rank_share=220 / 3000).compress(low + sparse, NOTHING)
    assert torch.equal(result.mask, sparse != 0)
    assert torch.allclose(result.u @ result.v.T, low, atol=1e-3)


def test_principal_components_equal_float64_alternating_directions() -> None:
    """A fixed small penalty in float64 for many iterations minimises the same convex problem."""
    generator = torch.Generator().manual_seed(5)
    matrix = torch.randn(16, 12, generator=generator)
    low, sparse = (
        part.double().numpy() for part in principal_components(matrix, 200, tolerance=1e-7)
    )
    exact_low, exact_sparse = robust_pca(matrix.double().numpy(), iterations=20_000)

    def value(low: np.ndarray, sparse: np.ndarray) -> float:
        return float(np.linalg.norm(low, "nuc") + np.abs(sparse).sum() / 4)

    assert np.abs(low + sparse - matrix.numpy()).max() < 1e-5
    assert value(low, sparse) == pytest.approx(value(exact_low, exact_sparse), rel=0.02)
    assert value(low, sparse) >= value(exact_low, exact_sparse) * (1 - 1e-5)


def test_rpca_values_of_s_are_the_rest_at_its_places() -> None:
    weight = torch.randn(24, 30, generator=torch.Generator().manual_seed(0))
    result = Rpca().compress(weight, NOTHING)
    whole = result.sparse + result.u @ result.v.T
    assert torch.allclose(whole[result.mask], weight[result.mask], atol=1e-5)


def test_rpca_fewer_spikes_than_places_takes_the_largest_rest() -> None:
    """Rank 1 and evenly spread: S is empty. At rank 0 the rest is W itself: its rows of size 2."""
    generator = torch.Generator().manual_seed(0)
    signs = torch.randn(30, generator=generator).sign(), torch.randn(20, generator=generator).sign()
    weight = torch.outer(signs[0], signs[1])
    weight[::6] *= 2
    assert not principal_components(weight, 100, tolerance=1e-6)[1].any()
    result = Rpca(kept_fraction=1 / 6, rank_share=0.0).compress(weight, NOTHING)
    assert torch.equal(result.mask, weight.abs() == 2)


def test_godec_recovers_low_rank_and_spikes() -> None:
    low, sparse = _low_rank_plus_spikes(60, 50, 2, 120)
    method = GoDec(kept_fraction=340 / 3000, rank_share=220 / 3000, iterations=100, tolerance=0)
    result = method.compress(low + sparse, NOTHING)
    assert torch.equal(result.mask, sparse != 0)
    assert torch.allclose(result.sparse, sparse, atol=1e-2)


@pytest.mark.parametrize("seed", range(4))
def test_godec_error_close_to_exact_svd_alternation(seed: int) -> None:
    """Two directions that stand out of noise: within 2% of float64 alternation with exact SVD."""
    low, _ = _low_rank_plus_spikes(96, 80, 2, 0)
    weight = 3 * low + torch.randn(96, 80, generator=torch.Generator().manual_seed(seed))
    method = GoDec(iterations=30, tolerance=0)
    rank, nonzeros = method.budget(96, 80)
    assert rank == 2
    result = method.compress(weight, NOTHING)
    found = float(torch.linalg.norm(weight - result.sparse - result.u @ result.v.T))
    low_rank, sparse = godec_exact(weight.double().numpy(), rank, nonzeros, 30)
    exact = float(np.linalg.norm(weight.double().numpy() - low_rank - sparse))
    assert found == pytest.approx(exact, rel=0.02)


def test_godec_tolerance_stops_early() -> None:
    weight = torch.randn(20, 24, generator=torch.Generator().manual_seed(1))
    one, early = GoDec(iterations=2), GoDec(tolerance=0.9)
    assert torch.equal(
        one.compress(weight, NOTHING).sparse,
        GoDec(iterations=2, tolerance=0).compress(weight, NOTHING).sparse,
    )
    first = GoDec(iterations=1).compress(weight, NOTHING)
    assert torch.equal(early.compress(weight, NOTHING).sparse, first.sparse)


def test_godec_ignores_input_scales() -> None:
    weight = torch.randn(20, 24, generator=torch.Generator().manual_seed(1))
    scaled = InputStatistics(torch.arange(24.0), torch.zeros(24), torch.zeros(24))
    first, second = (GoDec().compress(weight, each).sparse for each in (NOTHING, scaled))
    assert torch.equal(first, second)


@pytest.mark.parametrize("method", [GoDec, Rpca])
def test_split_budget_factors_larger_than_the_budget_raise(
    method: type[GoDec] | type[Rpca],
) -> None:
    with pytest.raises(ValueError, match="more than the kept fraction"):
        method(kept_fraction=0.1, rank_share=0.5).compress(torch.randn(40, 40), NOTHING)
