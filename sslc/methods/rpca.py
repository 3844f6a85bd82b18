"""Robust PCA: the convex split of W into low rank and sparse, then cut to the budget."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import check_group, keep_top
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share
from sslc.methods.godec import split_budget
from sslc.methods.svd import truncated_svd

_GROWTH = 1.5
_FIRST_PENALTY = 1.25
_LARGEST_PENALTY = 1e7


@dataclass(frozen=True)
class Rpca:
    """min ‖L‖_* + λ‖S‖₁ with L + S = W, λ = 1/√max(m, n); no input statistics.

    Attributes:
        kept_fraction: Kept share of all parameters, factors included.
        rank_share: Share of all parameters that the factors may take.
        iterations: At most so many.
        tolerance: Stop when ‖W − L − S‖_F is at most this share of ‖W‖_F.
        group: Comparison group when S is cut to its nonzeros.

    Source: Candès et al. 2011 (the problem and λ); Lin, Chen & Ma 2010, Algorithm 5 (inexact
    augmented Lagrange multipliers: penalty 1.25/‖W‖₂, growth 1.5). Neither has a budget. Ours: L is
    cut to rank r; the positions of S are its k largest entries, and when it has fewer, those where
    the rest W − L is largest; the values of S are W − L at its positions, so what cutting L lost
    there comes back.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    iterations: int = 100
    tolerance: float = 1e-6
    group: str = "matrix"
    name = "rpca"
    title = "RPCA"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(15.0)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_share("rank_share", self.rank_share)
        check_group(self.group)
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if self.tolerance <= 0:
            raise ValueError(f"tolerance must be positive, got {self.tolerance}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Solve the convex problem and cut; the statistics are not looked at."""
        del statistics
        rank, nonzeros = self.budget(*weight.shape)
        low, sparse = principal_components(weight, self.iterations, tolerance=self.tolerance)
        u, v = truncated_svd(low, rank)
        residual = weight - u @ v.T
        unchosen = -1 / residual.abs()
        scores = torch.where(sparse != 0, sparse.abs(), unchosen)
        mask = keep_top(scores, nonzeros, group=self.group)
        return CompressedProjection(mask, residual * mask, u, v)

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection."""
        return split_budget(
            m, n, kept_fraction=self.kept_fraction, rank_share=self.rank_share, group=self.group
        )


def principal_components(
    matrix: torch.Tensor, iterations: int, *, tolerance: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """L and S of robust PCA by inexact augmented Lagrange multipliers, both m×n.

    Args:
        matrix: W, m×n.
        iterations: At most so many.
        tolerance: As in ``Rpca``.
    """
    weighting = max(matrix.shape) ** -0.5
    largest = torch.linalg.matrix_norm(matrix, ord=2)
    if largest == 0:
        return torch.zeros_like(matrix), torch.zeros_like(matrix)
    dual = matrix / torch.maximum(largest, matrix.abs().max() / weighting)
    penalty, limit = _FIRST_PENALTY / largest, _FIRST_PENALTY * _LARGEST_PENALTY / largest
    sparse, whole = torch.zeros_like(matrix), torch.linalg.norm(matrix)
    for _ in range(iterations):
        left, values, right = torch.linalg.svd(
            matrix - sparse + dual / penalty, full_matrices=False
        )
        low = (left * (values - 1 / penalty).clamp(min=0)) @ right
        sparse = torch.nn.functional.softshrink(
            matrix - low + dual / penalty, float(weighting / penalty)
        )
        gap = matrix - low - sparse
        dual += penalty * gap
        penalty = torch.minimum(penalty * _GROWTH, limit)
        if torch.linalg.norm(gap) <= tolerance * whole:
            break
    return low, sparse
