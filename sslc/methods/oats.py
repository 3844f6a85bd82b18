"""OATS: exact SVD and per-row hard thresholding in turn, in the activation-scaled space."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import keep_top
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share
from sslc.methods.svd import truncated_svd
from workloads.shapes.gemm import exact, kept_nonzeros, largest_rank


@dataclass(frozen=True)
class Oats:
    """Outlier-aware pruning by sparse plus low-rank decomposition.

    Attributes:
        kept_fraction: Kept share of all parameters, factors included.
        low_rank_share: κ, share of the *kept* parameters that the factors take.
        iterations: Of the alternation.

    Source: Zhang & Papyan 2025, Algorithm 1: low rank first, S starts at zero, scale
    (diag X Xᵀ)^½. Dead channels are lifted here (``InputStatistics.scale``); nonzeros take exactly
    what the rounded rank leaves.
    """

    kept_fraction: float = 0.5
    low_rank_share: float = 0.25
    iterations: int = 80
    name = "oats"
    title = "OATS"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(10.0)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_share("low_rank_share", self.low_rank_share)
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Alternate the two projections."""
        rank, nonzeros = self.budget(*weight.shape)
        scale = statistics.scale()
        scaled = weight * scale
        sparse = torch.zeros_like(scaled)
        for _ in range(self.iterations):
            u, v = truncated_svd(scaled - sparse, rank)
            residual = scaled - u @ v.T
            mask = keep_top(residual.abs(), nonzeros, group="row")
            sparse = residual * mask
        return CompressedProjection(mask, sparse / scale, u, v / scale[:, None])

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection."""
        rank = largest_rank(m, n, exact(self.low_rank_share) * exact(self.kept_fraction))
        return Budget(rank, kept_nonzeros(m, n, self.kept_fraction, rank))
