"""Scores by hand."""

import pytest
import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods import scores
from tests.sslc.problems import small_case


def test_ria_scores_hand_worked() -> None:
    """|W| = (1, 3; 2, 2): columns sum to 3 and 5, rows to 4 and 4; d = (4, 1), power ½."""
    weight = torch.tensor([[1.0, -3.0], [2.0, 2.0]])
    zero = torch.zeros(2)
    statistics = InputStatistics(torch.tensor([4.0, 1.0]), zero, zero)
    found = scores.ria(statistics, power=0.5)(weight)
    expected = [[2 * (1 / 3 + 1 / 4), 3 / 5 + 3 / 4], [2 * (2 / 3 + 2 / 4), 2 / 5 + 2 / 4]]
    assert found.tolist() == [pytest.approx(row) for row in expected]


def test_pruner_zero_scores_hand_worked() -> None:
    """G = (2, 6; 4, 4) becomes (0, 1; 1/2, 1/2) of its span; W squared, whatever its sign."""
    gradient = torch.tensor([[2.0, 6.0], [4.0, 4.0]])
    ones = torch.ones(2)
    statistics = InputStatistics(ones, ones, ones, gradient=gradient)
    found = scores.pruner_zero(statistics)(torch.tensor([[5.0, -3.0], [2.0, -4.0]]))
    assert found.tolist() == [[0.0, 9.0], [2.0, 8.0]]


def test_wanda_scores_are_those_of_magnitude_times_the_norms() -> None:
    weight, statistics = small_case(6, 5)
    plain = scores.magnitude(statistics)(weight)
    assert torch.equal(plain, weight.abs())
    assert torch.allclose(scores.wanda(statistics)(weight), plain * statistics.norms)


@pytest.mark.parametrize("name", sorted(scores.SCORES))
def test_scores_are_not_negative_and_leave_the_weight_alone(name: str) -> None:
    weight, statistics = small_case(8, 12)
    before = weight.clone()
    found = scores.SCORES[name](statistics)(weight)
    assert found.shape == weight.shape
    assert (found >= 0).all()
    assert torch.equal(weight, before)


def test_pruner_zero_without_gradients_is_refused() -> None:
    ones = torch.ones(2)
    with pytest.raises(ValueError, match="needs the gradients"):
        scores.pruner_zero(InputStatistics(ones, ones, ones))
