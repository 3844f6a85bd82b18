"""GoDec: rank-r and cardinality-k projections of W itself in turn, by random projections."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.low_rank import godec_step, random_factor
from sslc.linalg.selection import check_group, keep_top, sparse_nonzeros
from sslc.methods.base import (
    Budget,
    CompressedProjection,
    WorkingCopies,
    beyond_budget,
    check_share,
)
from workloads.shapes.gemm import largest_rank


@dataclass(frozen=True)
class GoDec:
    """Go decomposition W ≈ L + S with rank(L) ≤ r and card(S) ≤ k; no input statistics.

    Attributes:
        kept_fraction: Kept share of all parameters, factors included.
        rank_share: Share of all parameters that the factors may take.
        iterations: At most so many alternations.
        tolerance: Stop when ‖W − L − S‖²/‖W‖² falls by less than this.
        group: Comparison group of the k entries; the published one is the matrix.
        seed: Of the random projections.

    Source: Zhou & Tao 2011, Algorithm 1 and Section 3 (bilateral random projections with one power
    step, ``low_rank.godec_step``). The paper stops at a small error, which a fixed budget does not
    reach; stopping at a small change, and r and k from one budget r(m + n) + k, are ours.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    iterations: int = 40
    tolerance: float = 1e-5
    group: str = "matrix"
    seed: int = 0
    name = "godec"
    title = "GoDec"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(6.0)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_share("rank_share", self.rank_share)
        check_group(self.group)
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if self.tolerance < 0:
            raise ValueError(f"tolerance must not be negative, got {self.tolerance}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Alternate the two projections; the statistics are not looked at."""
        del statistics
        m, n = weight.shape
        rank, nonzeros = self.budget(m, n)
        generator = torch.Generator().manual_seed(self.seed)
        v = random_factor(n, rank, generator=generator, device=weight.device)
        sparse, whole = torch.zeros_like(weight), float(weight.square().sum())
        last = 1.0
        for _ in range(self.iterations):
            u, v = godec_step(weight - sparse, v, generator)
            residual = weight - u @ v.T
            mask = keep_top(residual.abs(), nonzeros, group=self.group)
            sparse = residual * mask
            lost = float((residual - sparse).square().sum()) / whole if whole else 0.0
            if abs(last - lost) < self.tolerance:
                break
            last = lost
        return CompressedProjection(mask, sparse, u, v)

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection."""
        return split_budget(
            m, n, kept_fraction=self.kept_fraction, rank_share=self.rank_share, group=self.group
        )


def split_budget(m: int, n: int, *, kept_fraction: float, rank_share: float, group: str) -> Budget:
    """Rank r and nonzeros k of S with r(m + n) + k = ⌊p m n⌋.

    Raises:
        ValueError: The factors alone exceed the budget, or a pattern does not fit it.
    """
    rank = largest_rank(m, n, rank_share)
    nonzeros = sparse_nonzeros(m, n, kept_fraction=kept_fraction, rank=rank, group=group)
    if nonzeros < 0:
        raise beyond_budget(m, n, rank=rank, kept_fraction=kept_fraction, by_share=True)
    return Budget(rank, nonzeros)
