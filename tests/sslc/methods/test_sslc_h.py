"""SSLC-H: its refinement lowers the output error."""

import torch

from sslc.linalg.full_hessian import solve_on_support, whitened_low_rank
from sslc.methods.sslc import Sslc
from tests.sslc.problems import output_error, small_problem, statistics_of


def test_sslc_h_output_error_falls_with_rounds_below_sslc() -> None:
    weight, inputs = small_problem(64, 96)
    settings = [{"rounds": rounds, "shrinkage": 0.0} for rounds in (1, 3, 8)]
    errors = [output_error("sslc-h", weight, inputs, **each) for each in settings]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < output_error("sslc", weight, inputs)


def test_sslc_h_chosen_places_beat_those_of_sslc_with_solved_values() -> None:
    """SSLC's own places with values and factors refined as far lose more than 5% against them."""
    weight, inputs = small_problem(64, 96)
    statistics = statistics_of(inputs)
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
    assert output_error("sslc-h", weight, inputs, shrinkage=0.0) < 0.95 * fixed
