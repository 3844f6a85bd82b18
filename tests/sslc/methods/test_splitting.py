"""ALPS, HASSLE-free-ALPS and 3BASiL against their authors' programs in float64."""

import numpy as np
import pytest
import torch

from sslc.linalg.full_hessian import best_low_rank
from sslc.linalg.support_search import SupportSearch, UnitHessian
from sslc.methods.alps import Alps
from sslc.methods.basil import ThreeBasil
from sslc.methods.hassle_free import HassleFreeAlps
from sslc.methods.registry import load_method
from tests.reference import splitting as reference
from tests.sslc.problems import output_error, small_problem, statistics_of

PACES = {"alps": (3, (1.3, 1.2, 1.1), 30), "3basil": (10, (1.1, 1.05, 1.02), 100)}


def _error(weight: np.ndarray, whole: np.ndarray, inputs: np.ndarray) -> float:
    return float(np.linalg.norm((weight - whole) @ inputs) / np.linalg.norm(weight @ inputs))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kept", [0.5, 0.3, 0.95])
def test_alps_equals_its_authors_program_in_float64(seed: int, kept: float) -> None:
    """Positions but for a few near ties, and the output error; 0.95 takes the restarts."""
    weight, inputs = small_problem(24, 32, seed)
    found = Alps(kept_fraction=kept).compress(weight, statistics_of(inputs))
    w, x = weight.double().numpy(), inputs.double().numpy()
    hessian, count = reference.damped(x, 0.01), int(kept * w.size)
    every, growth, least = PACES["alps"]
    dense, _, _ = reference.splitting(
        w, hessian, count, every=every, growth=growth, least=least, most=300
    )
    start = reference.top(dense * np.sqrt(np.diag(hessian)), count) / np.sqrt(np.diag(hessian))
    solved = reference.conjugate_gradients(w, start, hessian, 10)
    assert (found.mask.numpy() != (start != 0)).mean() < 0.01
    assert int(found.mask.sum()) == count
    expected = _error(w, solved, x)
    assert _error(w, found.sparse.double().numpy(), x) == pytest.approx(expected, rel=0.01)


def test_search_restarts_at_a_fifth_of_the_penalty_until_it_has_grown() -> None:
    """A penalty so large that nothing moves: cut at every look, until positions change."""
    weight, inputs = small_problem(16, 20)
    unit = UnitHessian(statistics_of(inputs).damped_hessian(0.01))
    search = SupportSearch(unit, 160, "matrix", penalty=3e5)
    penalties = []
    for step in range(30):
        search.advance(weight)
        if step % 3 == 2:
            penalties.append(search._penalty)
    assert penalties[0] == pytest.approx(3e5 / 5)
    assert penalties[1] == pytest.approx(3e5 / 25)
    assert min(penalties) < 10


@pytest.mark.parametrize("seed", [0, 1, 3])  # 2 has a near tie
def test_3basil_equals_its_authors_program_in_float64(seed: int) -> None:
    """L by the same turns of the same first basis, not by the program's randomised SVD."""
    weight, inputs = small_problem(24, 32, seed)
    start = torch.randn(24, 2, generator=torch.Generator().manual_seed(0)).double().numpy()
    method = ThreeBasil(rank=2, subspace_steps=3)
    found = method.compress(weight, statistics_of(inputs))
    w, x = weight.double().numpy(), inputs.double().numpy()
    count = method.budget(24, 32).nonzeros
    every, growth, least = PACES["3basil"]
    dense, low, _ = reference.splitting(
        w, reference.damped(x, 0.005, 0.005), count, every=every, growth=growth, least=least,
        most=2000, basis=start, turns=3,
    )  # fmt: skip
    norms = np.sqrt(np.diag(reference.damped(x, 0.005, 0.005)))
    whole = reference.top(dense * norms, count) / norms + low
    expected = _error(w, whole, x)
    mine = (found.sparse + found.u @ found.v.T).double().numpy()
    assert _error(w, mine, x) == pytest.approx(expected, rel=1e-4)
    assert np.linalg.matrix_rank(mine - found.sparse.numpy(), tol=1e-3) == 2


def test_hassle_free_alps_equals_its_authors_program_in_float64() -> None:
    """Three alternations: errors within 1%; S is ALPS on W − L from a cold start, L exact."""
    weight, inputs = small_problem(24, 32, 1)
    method = HassleFreeAlps(rank=2, alternations=3)
    found = method.compress(weight, statistics_of(inputs))
    w, x = weight.double().numpy(), inputs.double().numpy()
    hessian, count = reference.damped(x, 0.01), method.budget(24, 32).nonzeros
    norms, low = np.sqrt(np.diag(hessian)), np.zeros_like(w)
    every, growth, least = PACES["alps"]
    for _ in range(3):
        dense, _, _ = reference.splitting(
            w - low, hessian, count, every=every, growth=growth, least=least, most=100
        )
        start = reference.top(dense * norms, count) / norms
        sparse = reference.conjugate_gradients(w - low, start, hessian, 10)
        low = reference.best_low_rank(w - sparse, hessian, 2)
    mine = (found.sparse + found.u @ found.v.T).double().numpy()
    assert _error(w, mine, x) == pytest.approx(_error(w, sparse + low, x), rel=0.01)


def test_hassle_free_by_adam_keeps_its_best_iterate() -> None:
    """More alternations never end worse: here none beats the first, whose penalty is least."""
    weight, inputs = small_problem(24, 32, 2)
    settings = {"low_rank": "adam", "iterations": 200, "rank": 4}

    def loss(alternations: int) -> float:
        method = load_method("hassle-free-alps", {**settings, "alternations": alternations})
        result = method.compress(weight, statistics_of(inputs))
        hessian = statistics_of(inputs).damped_hessian(0.01)
        lost = (weight - result.sparse - result.u @ result.v.T).double()
        return float(((lost @ hessian) * lost).sum())

    losses = [loss(count) for count in (1, 4, 12)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("shape", [(20, 32), (32, 20), (24, 24)])
def test_best_low_rank_equals_the_svd_in_the_space_of_the_root(shape: tuple[int, int]) -> None:
    weight, inputs = small_problem(*shape, 4)
    hessian = statistics_of(inputs).damped_hessian(0.01)
    u, v = best_low_rank(weight, torch.linalg.cholesky(hessian), 3)
    expected = reference.best_low_rank(weight.double().numpy(), hessian.numpy(), 3)
    assert np.abs((u @ v.T).numpy() - expected).max() < 1e-4 * np.abs(expected).max()
    assert torch.allclose(u.T @ u, torch.eye(3), atol=1e-5)


@pytest.mark.parametrize("name", ["3basil", "hassle-free-alps"])
def test_full_hessian_rivals_stay_below_sslc_and_take_patterns(name: str) -> None:
    weight, inputs = small_problem(48, 64, 5)
    assert output_error(name, weight, inputs) < output_error("sslc", weight, inputs)
    kept = 0.5 + 3 * (48 + 64) / (48 * 64)
    few = {"alternations": 2} if name.startswith("hassle") else {}
    method = load_method(name, {"kept_fraction": kept, "group": "2:4", "rank": 3, **few})
    result = method.compress(weight, statistics_of(inputs))
    assert (result.mask.reshape(48, 16, 4).sum(dim=2) == 2).all()
    assert result.u.shape == (48, 3)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("3basil", {"iterations": 0}),
        ("3basil", {"damping": 0.0}),
        ("3basil", {"rank": -2}),
        ("hassle-free-alps", {"alternations": 0}),
        ("hassle-free-alps", {"low_rank": "svd"}),
    ],
)
def test_settings_out_of_range_are_refused(name: str, settings: dict[str, float | str]) -> None:
    from workloads.support.errors import InputError

    with pytest.raises(InputError):
        load_method(name, settings)
