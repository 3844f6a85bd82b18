"""ALPS: the positions by ADMM on the layer's output error, the values by conjugate gradients."""

import math
from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.full_hessian import solve_on_support
from sslc.linalg.selection import check_group, keep_top
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share
from sslc.methods.pruning import pruned_budget

_FIRST_PENALTY = 0.1
_UPDATE_EVERY = 3
_LEAST_ITERATIONS = 30
_STOP_BELOW = 3e-4


@dataclass(frozen=True)
class Alps:
    """One-shot pruning by operator splitting.

    Attributes:
        kept_fraction: Kept share of the parameters.
        group: Comparison group of the top-k step; the published one is the matrix.
        iterations: At most so many ADMM iterations.
        solver_steps: Conjugate-gradient steps on the final positions.
        damping: Share of the mean diagonal added to the Hessian.

    Source: Meng et al. 2024, Algorithms 1 and 2; the penalty's schedule is that of its program.
    "Share of the support that changed" is read as new positions over all positions.
    """

    kept_fraction: float = 0.5
    group: str = "matrix"
    iterations: int = 300
    solver_steps: int = 10
    damping: float = 0.01
    name = "alps"
    title = "ALPS"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(23.5, 2.4)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if self.damping <= 0:
            raise ValueError(f"damping must be positive, got {self.damping}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """ADMM in the space where the Hessian has a unit diagonal, then the values."""
        nonzeros = self.budget(*weight.shape).nonzeros
        search = SupportSearch(statistics.damped_hessian(self.damping), nonzeros, self.group)
        for iteration in range(1, self.iterations + 1):
            changed_share = search.advance(weight)
            if iteration > _LEAST_ITERATIONS and changed_share < _STOP_BELOW:
                break
        values = search.solve(weight, search.mask, self.solver_steps)
        return CompressedProjection.sparse_only(values, search.mask)

    def budget(self, m: int, n: int) -> Budget:
        """All in S."""
        return pruned_budget(m, n, kept_fraction=self.kept_fraction, group=self.group)


class SupportSearch:
    """The operator splitting of ALPS, its state kept between steps: B dense, D sparse, dual V.

    Args:
        hessian: H, n×n, float64, positive definite.
        nonzeros: Positions to find.
        group: Comparison group.
        forced: Added to what the top-k step compares, m×n; infinite at positions that must stay.

    Source: Meng et al. 2024, Algorithm 1, in the space where H has a unit diagonal.
    """

    def __init__(
        self, hessian: torch.Tensor, nonzeros: int, group: str, forced: torch.Tensor | None = None
    ) -> None:
        root = hessian.diagonal().sqrt()
        unit = hessian / torch.outer(root, root)
        self._eigenvalues, self._basis = (part.float() for part in torch.linalg.eigh(unit))
        self._unit, self._root = unit.float(), root.float()
        self._nonzeros, self._group, self._forced = nonzeros, group, forced
        self._penalty, self._new_positions, self._iteration = _FIRST_PENALTY, 0, 0
        self.mask = self._kept = self._dual = torch.empty(0)

    def advance(self, target: torch.Tensor) -> float:
        """One iteration towards a target W, m×n.

        Returns:
            The share of the positions that changed since the penalty's last update, after an
            update; infinite between updates.
        """
        scaled = target * self._root
        if self._iteration == 0:
            self.mask = self._select(scaled)
            self._kept, self._dual = scaled * self.mask, torch.zeros_like(scaled)
        self._iteration += 1
        right = scaled @ self._unit - self._dual + self._penalty * self._kept
        dense = ((right @ self._basis) / (self._eigenvalues + self._penalty)) @ self._basis.T
        candidate = dense + self._dual / self._penalty
        chosen = self._select(candidate)
        self._new_positions += int((chosen & ~self.mask).sum())
        self.mask, self._kept = chosen, candidate * chosen
        self._dual += self._penalty * (dense - self._kept)
        if self._iteration % _UPDATE_EVERY:
            return math.inf
        share = self._new_positions / max(1, self._nonzeros)
        self._penalty *= _growth(share)
        self._new_positions = 0
        return share

    def values(self) -> torch.Tensor:
        """D in the space of W, m×n."""
        return self._kept / self._root

    def solve(self, target: torch.Tensor, mask: torch.Tensor, steps: int) -> torch.Tensor:
        """Values at the positions by conjugate gradients, m×n (Algorithm 2)."""
        scaled = target * self._root
        return (
            solve_on_support(scaled, scaled * mask, mask=mask, hessian=self._unit, steps=steps)
            / self._root
        )

    def _select(self, candidate: torch.Tensor) -> torch.Tensor:
        scores = candidate.abs()
        if self._forced is not None:
            scores.add_(self._forced)
        return keep_top(scores, self._nonzeros, group=self._group)


def _growth(changed_share: float) -> float:
    """Factor of the penalty by how much of the support changed since the last update."""
    if changed_share > 0.1:
        return 1.3
    if changed_share > 0.005:
        return 1.2
    return 1.1 if changed_share > 0 else 1.0
