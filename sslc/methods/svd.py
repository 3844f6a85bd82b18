"""Pure low rank: truncated SVD of the weight, plain or in the whitened space (SVD-LLM)."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share
from workloads.shapes.gemm import largest_rank


@dataclass(frozen=True)
class Svd:
    """Truncated SVD of W, rank ⌊p m n / (m + n)⌋: what is kept is at most the budget.

    Attributes:
        kept_fraction: Kept share of the parameters; the rank is rounded down.
        scaled: Approximate W̃ = W D instead, D the input norms: SSLC with nothing in S.

    Source: Eckart & Young 1936; the baseline of Wang et al. 2024. Scaled: SSLC Table 6, r = 1296.
    """

    kept_fraction: float = 0.5
    scaled: bool = False
    name = "svd"
    title = "SVD"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(12.0)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """The best approximation of W, or of W D, of that rank."""
        norms = statistics.scale().double()
        scale = norms if self.scaled else torch.ones_like(norms)
        u, v = truncated_svd(weight.double() * scale, self.budget(*weight.shape).rank)
        return _low_rank_only(weight, u, v / scale[:, None])

    def budget(self, m: int, n: int) -> Budget:
        """Rank for an m×n projection, and no nonzeros."""
        return Budget(largest_rank(m, n, self.kept_fraction), 0)


@dataclass(frozen=True)
class SvdLlm:
    """Truncated SVD of W C with C Cᵀ = X Xᵀ: the best approximation of the outputs W X.

    Attributes:
        kept_fraction: Kept share of the parameters; the rank is rounded down.
        shift: Added to the smallest eigenvalue's lift when X Xᵀ is not positive definite.

    Source: Wang et al. 2024 (SVD-LLM), truncation-aware whitening; the shift by −λ_min + 1e-6 is
    that of its program. Here it is relative to the mean diagonal: scaling X changes nothing.
    """

    kept_fraction: float = 0.5
    shift: float = 1e-6
    name = "svd-llm"
    title = "SVD-LLM"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(12.5, 0.8)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        if self.shift <= 0:
            raise ValueError(f"shift must be positive, got {self.shift}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Whiten, truncate, and undo the whitening in V."""
        factor = self._whitening(statistics)
        u, v = truncated_svd(weight.double() @ factor, self.budget(*weight.shape).rank)
        v = torch.linalg.solve_triangular(factor.T, v, upper=True)
        return _low_rank_only(weight, u, v)

    def budget(self, m: int, n: int) -> Budget:
        """Rank for an m×n projection, and no nonzeros."""
        return Budget(largest_rank(m, n, self.kept_fraction), 0)

    def _whitening(self, statistics: InputStatistics) -> torch.Tensor:
        hessian = statistics.damped_hessian(0.0)
        lower: torch.Tensor
        lower, failed = torch.linalg.cholesky_ex(hessian)
        if failed:
            lift = self.shift * hessian.diagonal().mean() - torch.linalg.eigvalsh(hessian)[0]
            hessian.diagonal().add_(lift.clamp(min=0))
            lower = torch.linalg.cholesky(hessian)
        return lower


def truncated_svd(matrix: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """U Σ^½ (m×r) and V Σ^½ (n×r) of the best rank-r approximation."""
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    root = values[:rank].sqrt()
    return left[:, :rank] * root, right[:rank].T * root


def _low_rank_only(weight: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> CompressedProjection:
    nothing = torch.zeros_like(weight)
    return CompressedProjection(nothing.bool(), nothing, u.float(), v.float())
