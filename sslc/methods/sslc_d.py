"""SSLC-D: the layer-wise part of a recipe of mixed text, a joint search and distillation. Ours."""

import math
from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.full_hessian import solve_on_support, whitened_low_rank
from sslc.linalg.low_rank import random_factor
from sslc.linalg.selection import check_group, keep_top
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share
from sslc.methods.split import shared_budget

_FIRST_PENALTY, _LAST_PENALTY = 0.2, 0.6
_LEVELS = 8
_SUBSPACE_STEPS = 2


@dataclass(frozen=True)
class SslcD:
    """Places of S and factors found together under a shrunk Hessian, then both solved again.

    A run that names no text calibrates on ``embedded:16,self:16``, and one that names no refinement
    takes ``logits`` (``registry.run_defaults``); ``--refine none`` leaves the layer-wise part.

    Attributes:
        kept_fraction: Kept share of all parameters, factors included.
        rank_share: Share of all parameters that the factors take.
        group: Comparison group of S.
        iterations: Of the search.
        rounds: Of solving for the values and the factors once the places stand.
        solver_steps: Conjugate-gradient steps on S's values per round.
        damping: Share of the mean diagonal added to the Hessian.
        shrinkage: How far the Hessian's off-diagonal is shrunk towards zero, in [0, 1]: few
            calibration tokens of few kinds overfit it.
        seed: Of the starting factor.

    Source: ours, kin of 3BASiL (Makni et al. 2026): as there one operator splitting has a dense
    copy B of S, S itself and L, and L is fitted to W − B. Ours: the Hessian is shrunk; the penalty
    rises by eight steps from 0.2 to 0.6 over a number of iterations that is given, so that a run's
    time is known, and each step costs one inverse; at the end, on fixed places, the values of S and
    the factors are solved for in turn.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    group: str = "matrix"
    iterations: int = 100
    rounds: int = 3
    solver_steps: int = 4
    damping: float = 0.01
    shrinkage: float = 0.2
    seed: int = 0
    name = "sslc-d"
    title = "SSLC-D"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(16.0, 1.75)

    def __post_init__(self) -> None:
        for name in ("kept_fraction", "rank_share", "shrinkage"):
            check_share(name, getattr(self, name))
        check_group(self.group)
        for name in ("iterations", "rounds", "solver_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.damping <= 0:
            raise ValueError(f"damping must be positive, got {self.damping}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Search in the space where the Hessian has a unit diagonal, then solve there."""
        unit, root = self._unit_hessian(statistics)
        scaled = weight * root
        sparse, mask, u = self._search(scaled, unit)
        v = scaled.new_zeros(scaled.shape[1], u.shape[1])
        for _ in range(self.rounds):
            if u.shape[1]:
                u, v = whitened_low_rank(scaled - sparse, unit, q=u, steps=_SUBSPACE_STEPS)
            sparse = solve_on_support(
                scaled - u @ v.T, sparse, mask=mask, hessian=unit, steps=self.solver_steps
            )
        return CompressedProjection(mask, sparse / root, u, v / root[:, None])

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection."""
        return shared_budget(
            m, n, kept_fraction=self.kept_fraction, rank_share=self.rank_share, rank=-1,
            group=self.group,
        )  # fmt: skip

    def _unit_hessian(self, statistics: InputStatistics) -> tuple[torch.Tensor, torch.Tensor]:
        """The shrunk Hessian scaled to a unit diagonal, n×n, and the roots of its diagonal."""
        hessian = statistics.damped_hessian(self.damping)
        root = hessian.diagonal().sqrt()
        hessian.div_(root).div_(root[:, None]).mul_(1 - self.shrinkage).fill_diagonal_(1)
        return hessian.float(), root.float()

    def _search(
        self, scaled: torch.Tensor, unit: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The operator splitting.

        Args:
            scaled: T = W diag(H)^½, m×n.
            unit: H with a unit diagonal, n×n.

        Returns:
            The dense copy of S at the places of S; those places; a basis of L's columns, m×r.
        """
        (m, n), (rank, nonzeros) = scaled.shape, self.budget(*scaled.shape)
        generator = torch.Generator().manual_seed(self.seed)
        u = random_factor(m, rank, generator=generator, device=scaled.device)
        v, product = scaled.new_zeros(n, rank), scaled @ unit
        mask = keep_top(scaled.abs(), nonzeros, group=self.group)
        kept, dual, penalty = scaled * mask, torch.zeros_like(scaled), _FIRST_PENALTY
        dense, left = torch.empty_like(scaled), torch.empty_like(scaled)
        every = math.ceil(self.iterations / _LEVELS)
        for iteration in range(self.iterations):
            if iteration % every == 0:
                inverse, ratio = _inverse(unit, iteration / self.iterations, penalty)
                dual *= ratio
                penalty /= ratio
            torch.addmm(product, u, v.T @ unit, alpha=-1, out=left)
            torch.mm(left.add_(kept, alpha=penalty).sub_(dual, alpha=penalty), inverse, out=dense)
            if rank:
                u, v = whitened_low_rank(torch.sub(scaled, dense, out=left), unit, q=u, steps=1)
            dual += dense
            mask = keep_top(torch.abs(dual, out=left), nonzeros, group=self.group)
            torch.mul(dual, mask, out=kept)
            dual -= kept
        return dense * mask, mask, u


def _inverse(unit: torch.Tensor, way: float, penalty: float) -> tuple[torch.Tensor, float]:
    """(H + ρI)⁻¹ for the penalty at a share of the way, and the last penalty over it."""
    new = _FIRST_PENALTY * (_LAST_PENALTY / _FIRST_PENALTY) ** way
    shifted = unit.clone()
    shifted.diagonal().add_(new)
    return torch.cholesky_inverse(torch.linalg.cholesky(shifted)), penalty / new
