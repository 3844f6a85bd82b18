"""DSnoT: single swaps by hand, and what the sum of swaps does."""

import dataclasses
import itertools

import pytest
import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods.dsnot import DsNot
from sslc.methods.pruning import Wanda
from tests.sslc.problems import small_problem, statistics_of


def _dsnot_places(means: list[float]) -> list[bool]:
    weight = torch.tensor([[3.0, 1.0, 2.0, 4.0]])
    statistics = InputStatistics(torch.ones(4), torch.tensor(means), torch.ones(4))
    return DsNot().compress(weight, statistics).mask[0].tolist()


def test_dsnot_hand_worked_swap() -> None:
    """Wanda keeps columns 0 and 3 of (3, 1, 2, 4); μ = (1, 1, 1, −⅛) makes W·μ = (3, 1, 2, −½).

    e = 1 + 2 = 3. Column 2 grows (2 > 1), column 3 goes (the only kept one on the other side):
    e = 3 − 2 − ½ = ½. Then column 1 would grow, but nothing is left to prune on the other side."""
    assert _dsnot_places([1, 1, 1, -0.125]) == [True, False, True, False]


def test_dsnot_swap_that_would_overshoot_is_left_out() -> None:
    """W·μ = (3, −1, 2, −4): e = 1; growing column 2 and pruning column 3 would give −5."""
    assert _dsnot_places([1, -1, 1, -1]) == [True, False, False, True]


def test_dsnot_attention_only_leaves_the_ffn_with_wandas_mask() -> None:
    weight, inputs = small_problem(40, 60)
    unplaced = statistics_of(inputs + 0.5)
    method = DsNot(modules="attention")
    ffn, attention = (dataclasses.replace(unplaced, module=name) for name in ("FFN", "MHA"))
    wanda = Wanda().compress(weight, unplaced).mask
    assert torch.equal(method.compress(weight, ffn).mask, wanda)
    refined = DsNot().compress(weight, unplaced).mask
    assert not torch.equal(refined, wanda)
    assert torch.equal(method.compress(weight, attention).mask, refined)
    with pytest.raises(ValueError, match="where the projection stands"):
        method.compress(weight, unplaced)


def test_dsnot_expected_error_never_rises() -> None:
    weight, inputs = small_problem(40, 60)
    statistics = statistics_of(inputs + 0.5)
    errors = []
    for cycles in (0, 1, 5, 50):
        mask = DsNot(cycles=cycles).compress(weight, statistics).mask
        errors.append((weight * statistics.means * ~mask).sum(dim=1).abs())
    for before, after in itertools.pairwise(errors):
        assert (after <= before + 1e-6).all()
    assert errors[-1].sum() < 0.5 * errors[0].sum()
