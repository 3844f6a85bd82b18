"""Factors that make up for what pruning lost, in closed form: EoRA and SLiM."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.full_hessian import best_low_rank
from sslc.linalg.selection import check_group, keep_top
from sslc.methods import scores
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_choice, check_share
from sslc.methods.sparsegpt import SparseGpt
from sslc.methods.split import check_rank, shared_budget
from sslc.methods.svd import truncated_svd


@dataclass(frozen=True)
class EoRA:
    """A pruned matrix and the best factors for what it lost, under the full Hessian.

    Attributes:
        kept_fraction: Kept share of the parameters.
        rank_share: Share of all parameters that the factors take.
        rank: A fixed rank instead of the share; −1 for the share. The paper's is 128.
        rank_counted: Whether the factors count inside the kept fraction; the paper puts them on top
            of it.
        base: What prunes: ``sparsegpt``, as in the paper, or ``wanda``.
        group: Comparison group of the pruning.
        damping: Of SparseGPT's Hessian, as there.

    Source: Liu et al. 2024 (arXiv 2410.21271) and the authors' program (NVlabs/EoRA): with
    X Xᵀ = Q Λ Qᵀ, the truncated SVD of (W − S) Q Λ^½, mapped back; no damping. Eigenvalues that are
    not positive are lifted to the least that is, as the program does with negative ones; at exact
    zeros it divides by zero.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    rank: int = -1
    rank_counted: bool = True
    base: str = "sparsegpt"
    group: str = "matrix"
    damping: float = 0.01
    name = "eora"
    title = "EoRA"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(6.5, 4.2)

    def __post_init__(self) -> None:
        for name in ("kept_fraction", "rank_share"):
            check_share(name, getattr(self, name))
        check_group(self.group)
        check_rank(self.rank)
        check_choice("base", self.base, ("sparsegpt", "wanda"))
        if self.damping <= 0:
            raise ValueError(f"damping must be positive, got {self.damping}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Prune, then one closed form."""
        rank, nonzeros = self.budget(*weight.shape)
        pruned = self._pruned(weight, statistics, nonzeros)
        if not rank:
            return pruned
        u, v = best_low_rank(weight - pruned.sparse, _root(statistics), rank)
        return CompressedProjection(pruned.mask, pruned.sparse, u, v)

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection."""
        return shared_budget(
            m, n, kept_fraction=self.kept_fraction, rank_share=self.rank_share, rank=self.rank,
            group=self.group, counted=self.rank_counted,
        )  # fmt: skip

    def _pruned(
        self, weight: torch.Tensor, statistics: InputStatistics, nonzeros: int
    ) -> CompressedProjection:
        """By the base method, to so many entries."""
        if self.base == "wanda":
            chosen = scores.wanda(statistics)(weight)
            return CompressedProjection.sparse_only(
                weight, keep_top(chosen, nonzeros, group=self.group)
            )
        method = SparseGpt(group=self.group, damping=self.damping)
        return method.prune(weight, statistics, nonzeros)


@dataclass(frozen=True)
class Slim:
    """Wanda's mask, and the best factors for what it lost in the space of the inputs' norms.

    Attributes:
        kept_fraction: Kept share of the parameters.
        rank_share: Share of all parameters that the factors take.
        rank: A fixed rank instead of the share; −1 for the share. The paper's is a tenth of the
            shorter side.
        rank_counted: Whether the factors count inside the kept fraction; the paper puts them on top
            of it.
        group: Comparison group of the pruning; the published one is the row.

    Source: Mozaffari et al. 2024 (arXiv 2410.09615): E = (W − S)F, L = svd_r(E)F⁻¹, and then
    S = (W − L) at the same places. F is diag ‖X_j‖ as in the authors' program (in the paper the
    mean of |x_j|), dead channels lifted. Its quantiser is not part of this method: values are
    rounded as the artifact stores them.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    rank: int = -1
    rank_counted: bool = True
    group: str = "row"
    name = "slim"
    title = "SLiM"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(6.0)

    def __post_init__(self) -> None:
        for name in ("kept_fraction", "rank_share"):
            check_share(name, getattr(self, name))
        check_group(self.group)
        check_rank(self.rank)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Mask, factors, values."""
        rank, nonzeros = self.budget(*weight.shape)
        mask = keep_top(scores.wanda(statistics)(weight), nonzeros, group=self.group)
        scale = statistics.scale()
        u, v = truncated_svd(weight.masked_fill(mask, 0) * scale, rank)
        v = v / scale[:, None]
        return CompressedProjection(mask, (weight - u @ v.T) * mask, u, v)

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection."""
        return shared_budget(
            m, n, kept_fraction=self.kept_fraction, rank_share=self.rank_share, rank=self.rank,
            group=self.group, counted=self.rank_counted,
        )  # fmt: skip


def _root(statistics: InputStatistics) -> torch.Tensor:
    """Q Λ^½ of X Xᵀ, n×n, float64, with eigenvalues lifted to the least that is positive.

    Raises:
        ValueError: The statistics were collected without the Hessian.
    """
    if statistics.hessian is None:
        raise ValueError("this method needs the Hessian of the inputs")
    eigenvalues, basis = torch.linalg.eigh(statistics.hessian.double())
    positive = eigenvalues[eigenvalues > 0]
    least = float(positive.min()) if len(positive) else 1.0
    root: torch.Tensor = basis * eigenvalues.clamp(min=least).sqrt()
    return root
