"""Scales and rounding by hand, and error propagation against its definition in float64."""

import pytest
import torch

from sslc.linalg.quantization import (
    Grid,
    column_scales,
    group_scales,
    round_columns,
    round_nearest,
    round_propagating,
)
from sslc.methods.sparsegpt import inverse_factor
from tests.sslc.problems import small_case


def test_round_nearest_eight_bits_by_hand() -> None:
    """Groups of two: 127 halves in the first, the second is all zeros, the third is cut off."""
    matrix = torch.tensor([[63.5, -0.3, 0.0, 0.0, 2.0]])
    rounded = round_nearest(matrix, Grid(8, 2), torch.ones(5))
    assert rounded.scales.tolist() == [[0.5, 0.0, 2 / 127 // 2**-13 * 2**-13]]
    assert rounded.values[0, :4].tolist() == [63.5, -0.5, 0.0, 0.0]
    assert rounded.values[0, 4] == pytest.approx(2, rel=2**-8)


def test_group_scales_four_bits_cut_what_is_rare() -> None:
    """One 3.5 among many 0.3: a finer grid loses less, unless only that entry counts."""
    matrix = torch.full((1, 64), 0.3)
    matrix[0, 0] = 3.5
    assert group_scales(matrix, Grid(4, 64), torch.ones(64)) < 0.5
    only = torch.zeros(64)
    only[0] = 1
    assert group_scales(matrix, Grid(4, 64), only) == 0.5


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_round_nearest_numbers_are_whole_and_in_reach(bits: int) -> None:
    weight, statistics = small_case(7, 40)
    rounded = round_nearest(weight, Grid(bits, 16), statistics.scale().square())
    steps = rounded.scales.float().repeat_interleave(16, dim=1)[:, :40]
    numbers = rounded.values / steps
    assert torch.equal(numbers, numbers.round())
    assert numbers.abs().max() <= 2 ** (bits - 1) - 1


def _swept(
    target: torch.Tensor, mask: torch.Tensor, hessian: torch.Tensor, scales: torch.Tensor
) -> torch.Tensor:
    """Column by column, with the inverse of what is left of H worked out anew each time."""
    rest, n = target.double().clone(), target.shape[1]
    for column in range(n):
        inverse = torch.linalg.inv(hessian[column:, column:])
        steps = scales[:, column // 8].double()
        numbers = (rest[:, column] / steps).round().clamp(-7, 7) * steps * mask[:, column]
        error = (rest[:, column] - numbers) / inverse[0, 0]
        rest[:, column:] -= torch.outer(error, inverse[0])
        rest[:, column] = numbers
    return rest


def test_round_propagating_is_optimal_brain_quantisation_from_left_to_right() -> None:
    weight, statistics = small_case(6, 24)
    mask = torch.rand(weight.shape, generator=torch.Generator().manual_seed(1)) < 0.6
    factor = inverse_factor(statistics, 0.01)
    rounded = round_propagating(weight, mask, factor=factor, grid=Grid(4, 8))
    expected = _swept(weight, mask, statistics.damped_hessian(0.01), rounded.scales)
    assert torch.allclose(rounded.values.double(), expected, atol=1e-4)
    assert not rounded.values[~mask].any()


def test_round_propagating_loses_less_of_the_output_than_rounding_to_nearest() -> None:
    for seed in range(5):
        weight, statistics = small_case(32, 48, seed)
        assert statistics.hessian is not None
        everything = torch.ones_like(weight, dtype=torch.bool)
        factor, grid = inverse_factor(statistics, 0.01), Grid(4, 16)
        swept = round_propagating(weight, everything, factor=factor, grid=grid).values
        nearest = round_nearest(weight, grid, statistics.scale().square()).values
        errors = [
            float((e @ statistics.hessian * e).sum()) for e in (weight - swept, weight - nearest)
        ]
        assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize(
    ("kind", "largest", "reach"), [("I8", 127, 0.5 / 127), ("F8_E4M3", 448, 2**-4)]
)
def test_round_columns_has_a_scale_for_each_column_and_is_idempotent(
    kind: str, largest: float, reach: float
) -> None:
    factor = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    factor[:, 1] *= 1e-4
    factor[:, 2] = 0
    scales = column_scales(factor, largest)
    rounded = round_columns(factor, scales, kind)
    largest_entries = factor.abs().amax(dim=0)
    assert ((rounded - factor).abs().amax(dim=0) <= 1.01 * reach * largest_entries).all()
    assert torch.equal(column_scales(rounded, largest), scales)
    assert torch.equal(round_columns(rounded, scales, kind), rounded)
