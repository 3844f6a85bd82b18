"""SSLC-D: against its equations in float64, and what its parts are worth."""

import numpy as np
import pytest
import torch

from sslc.methods.registry import load_method, run_defaults
from sslc.methods.sslc_d import SslcD
from tests.reference import splitting as reference
from tests.sslc.problems import output_error, small_problem, statistics_of


@pytest.mark.parametrize(("seed", "shrinkage"), [(0, 0.2), (1, 0.0), (2, 0.7)])
def test_sslc_d_equals_its_equations_in_float64(seed: int, shrinkage: float) -> None:
    """All places but for a few near ties, and the loss under the shrunk Hessian."""
    weight, inputs = small_problem(40, 64, seed)
    method = SslcD(iterations=32, shrinkage=shrinkage)
    found = method.compress(weight, statistics_of(inputs))
    w, x = weight.double().numpy(), inputs.double().numpy()
    hessian = reference.damped(x, 0.01)
    hessian = (1 - shrinkage) * hessian + shrinkage * np.diag(np.diag(hessian))
    rank, nonzeros = method.budget(40, 64)
    assert rank == 1
    start = torch.randn(40, rank, generator=torch.Generator().manual_seed(0)).double().numpy()
    penalties = [0.2 * 3 ** (step // 4 / 8) for step in range(32)]
    sparse, low = reference.joint_search(
        w, hessian, nonzeros, start, penalties=penalties, rounds=3, steps=4
    )
    mine = (found.sparse + found.u @ found.v.T).double().numpy()
    lost = [float(np.trace(each @ hessian @ each.T)) for each in (w - sparse - low, w - mine)]
    assert lost[1] == pytest.approx(lost[0], rel=1e-3)
    assert (found.mask.numpy() == (sparse != 0)).mean() > 0.995
    assert int(found.mask.sum()) == nonzeros


@pytest.mark.parametrize("seed", range(3))
def test_sslc_d_loses_less_the_longer_it_searches_and_less_than_sslc_h(seed: int) -> None:
    weight, inputs = small_problem(64, 96, seed)
    errors = [
        output_error("sslc-d", weight, inputs, shrinkage=0.0, iterations=iterations)
        for iterations in (8, 24, 72)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * output_error("sslc-h", weight, inputs, shrinkage=0.0)


def test_sslc_d_shrunk_whole_sees_only_the_inputs_norms() -> None:
    """Inputs of the same norms and no correlation give the same result."""
    weight, inputs = small_problem(24, 32)
    method, known = load_method("sslc-d", {"shrinkage": 1.0}), statistics_of(inputs)
    apart = statistics_of(inputs.norm(dim=1).diag())
    assert known.hessian is not None
    first, second = (method.compress(weight, each) for each in (known, apart))
    assert (first.mask == second.mask).float().mean() > 0.99


def test_sslc_d_brings_its_own_text_windows_and_refinement() -> None:
    own, most = run_defaults("sslc-d"), run_defaults("sslc")
    assert (own.calibration, own.windows, own.refine) == ("embedded:16,self:16", 32, "logits")
    assert (most.calibration, most.windows, most.refine) == ("embedded", 16, "none")
