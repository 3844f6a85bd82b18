"""3BASiL: sparse and low-rank parts by one ADMM with three blocks of variables."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.full_hessian import whitened_low_rank
from sslc.linalg.low_rank import random_factor
from sslc.linalg.selection import check_group
from sslc.linalg.support_search import BASIL_PACE, SupportSearch, UnitHessian
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share
from sslc.methods.split import check_rank, shared_budget


@dataclass(frozen=True)
class ThreeBasil:
    """min tr((W − S − L) H (W − S − L)ᵀ) over S, its dense copy, and L, in turn.

    Attributes:
        kept_fraction: Kept share of all parameters, factors included.
        rank_share: Share of all parameters that the factors take.
        rank: A fixed rank instead of the share; −1 for the share.
        group: Comparison group of the top-k step; the published one is the matrix.
        iterations: At most so many.
        subspace_steps: Subspace iterations of the low-rank step per iteration.
        damping: Share of the mean diagonal added to the Hessian.
        own_damping: Share of its own diagonal entry added to each.
        seed: Of the starting factor.

    Source: Makni et al. 2026 (arXiv 2603.01376) and the authors' program (mazumder-lab/3BASiL). As
    there the low-rank step takes the dense B, not the sparse D, S is the top-k of the last B, and
    neither L nor the values are solved for anew at the end. The program finds L by a randomised SVD
    in every iteration; here it is a subspace iteration that goes on from the last L. In its runs of
    fixed rank the factors do not count as kept; here they do. Its transformer matching is
    ``--refine blocks`` with ``blocks.epochs=20 blocks.batch_windows=8 blocks.learning_rate=2e-5
    blocks.norms=true``.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    rank: int = -1
    group: str = "matrix"
    iterations: int = 2000
    subspace_steps: int = 1
    damping: float = 0.005
    own_damping: float = 0.005
    seed: int = 0
    name = "3basil"
    title = "3BASiL"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(10.5, 3.9)

    def __post_init__(self) -> None:
        for name in ("kept_fraction", "rank_share"):
            check_share(name, getattr(self, name))
        check_group(self.group)
        check_rank(self.rank)
        for name in ("iterations", "subspace_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.damping <= 0 or self.own_damping < 0:
            raise ValueError("damping must be positive and own_damping not negative")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Both blocks of S, then L on what B leaves, until the positions stay."""
        (m, _), (rank, nonzeros) = weight.shape, self.budget(*weight.shape)
        hessian = statistics.damped_hessian(self.damping)
        hessian.diagonal().mul_(1 + self.own_damping)
        unit = UnitHessian(hessian)
        search = SupportSearch(unit, nonzeros, self.group, pace=BASIL_PACE)
        generator = torch.Generator().manual_seed(self.seed)
        single = hessian.float()
        u = random_factor(m, rank, generator=generator, device=weight.device)
        v, product = weight.new_zeros(weight.shape[1], rank), search.product(weight)
        for _ in range(self.iterations):
            seen = (v * unit.root[:, None]).T @ unit.matrix
            search.advance(weight - u @ v.T, torch.addmm(product, u, seen, alpha=-1))
            if rank:
                u, v = whitened_low_rank(
                    weight - search.dense(), single, q=u, steps=self.subspace_steps
                )
            if search.converged:
                break
        mask = search.places()
        return CompressedProjection(mask, search.dense() * mask, u, v)

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection."""
        return shared_budget(
            m, n, kept_fraction=self.kept_fraction, rank_share=self.rank_share, rank=self.rank,
            group=self.group,
        )  # fmt: skip
