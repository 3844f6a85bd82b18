"""EoRA, SLiM and SparseSwaps against slow float64 references."""

import dataclasses

import numpy as np
import pytest
import torch

from sslc.methods.compensated import EoRA, Slim
from sslc.methods.pruning import Wanda
from sslc.methods.sparsegpt import SparseGpt
from sslc.methods.sparseswaps import SparseSwaps
from tests.reference import splitting as reference
from tests.sslc.problems import output_error, small_problem, statistics_of


@pytest.mark.parametrize("base", ["sparsegpt", "wanda"])
def test_eora_adds_the_best_factors_for_what_the_base_lost(base: str) -> None:
    weight, inputs = small_problem(24, 32)
    kept = 0.5 + 2 * (24 + 32) / (24 * 32)
    method = EoRA(kept_fraction=kept, rank=2, base=base)
    found = method.compress(weight, statistics_of(inputs))
    plain = SparseGpt(0.5) if base == "sparsegpt" else Wanda(0.5, group="matrix")
    pruned = plain.compress(weight, statistics_of(inputs))
    assert torch.equal(found.mask, pruned.mask)
    assert torch.equal(found.sparse, pruned.sparse)
    x = inputs.double().numpy()
    lost = (weight - pruned.sparse).double().numpy()
    expected = reference.best_low_rank(lost, x @ x.T, 2)
    wrong = np.abs((found.u @ found.v.T).double().numpy() - expected).max()
    assert wrong < 1e-3 * np.abs(expected).max()


def test_eora_of_inputs_that_span_little_is_finite() -> None:
    """Eigenvalues that are zero are lifted; what the inputs span is met exactly by enough ranks."""
    weight, inputs = small_problem(24, 32)
    few = inputs[:, :6]
    few[3] = 0
    method = EoRA(rank=6, rank_counted=False, base="wanda")
    found = method.compress(weight, statistics_of(few))
    assert found.u.isfinite().all()
    assert found.v.isfinite().all()
    lost = (weight - found.sparse - found.u @ found.v.T) @ few
    assert float(lost.norm()) < 1e-3 * float((weight @ few).norm())


def test_slim_is_the_truncated_svd_in_the_space_of_the_norms() -> None:
    weight, inputs = small_problem(24, 32)
    found = Slim(rank=2, rank_counted=False).compress(weight, statistics_of(inputs))
    mask = Wanda(0.5).compress(weight, statistics_of(inputs)).mask
    assert torch.equal(found.mask, mask)
    norms = np.diag(inputs.double().norm(dim=1).numpy())
    lost = weight.masked_fill(mask, 0).double().numpy()
    left, sizes, right = np.linalg.svd(lost @ norms, full_matrices=False)
    low = (left[:, :2] * sizes[:2]) @ right[:2] @ np.linalg.inv(norms)
    assert np.allclose((found.u @ found.v.T).numpy(), low, atol=1e-4)
    expected = (weight.double().numpy() - low) * mask.numpy()
    assert np.allclose(found.sparse.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("method", [EoRA, Slim])
def test_factors_count_inside_the_kept_fraction_unless_told_otherwise(
    method: type[EoRA] | type[Slim],
) -> None:
    inside, outside = method(rank=2), method(rank=2, rank_counted=False)
    assert inside.budget(24, 32) == (2, 384 - 2 * 56)
    assert outside.budget(24, 32) == (2, 384)


@pytest.mark.parametrize("seed", range(4))
def test_sparseswaps_makes_the_exchanges_of_the_definition(seed: int) -> None:
    weight, inputs = small_problem(5, 12, seed)
    start = Wanda(0.5).compress(weight, statistics_of(inputs)).mask
    found = SparseSwaps(swaps=3).compress(weight, statistics_of(inputs))
    hessian = statistics_of(inputs).damped_hessian(0.0).numpy()
    changed = 0
    for row in range(5):
        kept = start[row].nonzero().flatten().tolist()
        expected = reference.best_swaps(weight[row].double().numpy(), hessian, kept, 3)
        assert set(found.mask[row].nonzero().flatten().tolist()) == expected
        changed += expected != set(kept)
    assert changed
    assert torch.equal(found.sparse, weight * found.mask)


def test_sparseswaps_of_a_pattern_stay_inside_its_neighbours() -> None:
    weight, inputs = small_problem(16, 24)
    found = SparseSwaps(group="2:4").compress(weight, statistics_of(inputs))
    assert (found.mask.reshape(16, 6, 4).sum(dim=2) == 2).all()
    errors = [output_error(name, weight, inputs, group="2:4") for name in ("sparseswaps", "wanda")]  # type: ignore[arg-type]
    assert errors[0] < errors[1]


def test_sparseswaps_more_exchanges_never_end_worse() -> None:
    weight, inputs = small_problem(16, 24)
    errors = [output_error("sparseswaps", weight, inputs, swaps=swaps) for swaps in (0, 1, 5, 100)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == output_error("wanda", weight, inputs) > errors[-1]


def test_eora_without_the_hessian_is_refused() -> None:
    weight, inputs = small_problem(8, 12)
    statistics = dataclasses.replace(statistics_of(inputs), hessian=None)
    with pytest.raises(ValueError, match="needs the Hessian"):
        EoRA(rank=1, base="wanda").compress(weight, statistics)
