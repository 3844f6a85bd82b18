"""Pruning by score: which entries stay."""

import dataclasses

import pytest
import torch

from sslc.methods.pruning import Magnitude, PrunerZero, Ria, Wanda
from sslc.methods.scores import SCORES
from tests.sslc.problems import norms_only, small_case


def test_wanda_hand_worked_scores() -> None:
    """|W|·d with d = (1, 10, 2, 1): rows (4, 10, 6, 1) and (1, 0, 4, 5); two stay in each."""
    weight = torch.tensor([[4.0, -1.0, 3.0, 1.0], [-1.0, 0.0, 2.0, 5.0]])
    result = Wanda().compress(weight, norms_only(torch.tensor([1.0, 10.0, 2.0, 1.0])))
    assert result.sparse.tolist() == [[0, -1, 3, 0], [0, 0, 2, 5]]


def test_magnitude_default_compares_over_the_matrix() -> None:
    weight = torch.tensor([[4.0, -3.0], [1.0, 0.5]])
    assert Magnitude().compress(weight, small_case(2, 2)[1]).sparse.tolist() == [[4, -3], [0, 0]]


@pytest.mark.parametrize("method", [Magnitude(), Wanda(), Ria(), PrunerZero()])
@pytest.mark.parametrize("group", ["row", "matrix"])
def test_pruner_keeps_the_highest_scores_of_its_group(
    method: Magnitude | Wanda | Ria | PrunerZero, group: str
) -> None:
    """No entry outside the mask scores higher than one inside it in the same group."""
    weight, statistics = small_case(10, 16)
    method = dataclasses.replace(method, group=group)
    result = method.compress(weight, statistics)
    scores = SCORES[method.name](statistics)(weight)
    dimensions = (1,) if group == "row" else (0, 1)
    lowest = scores.masked_fill(~result.mask, torch.inf).amin(dimensions)
    highest = scores.masked_fill(result.mask, -torch.inf).amax(dimensions)
    assert (lowest >= highest).all()
    assert torch.equal(result.sparse, weight * result.mask)
    assert method.budget(10, 16) == (0, int(result.mask.sum()))
