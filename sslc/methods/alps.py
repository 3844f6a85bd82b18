"""ALPS: the positions by ADMM on the layer's output error, the values by conjugate gradients."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import check_group
from sslc.linalg.support_search import SupportSearch, UnitHessian
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share
from sslc.methods.pruning import pruned_budget


@dataclass(frozen=True)
class Alps:
    """One-shot pruning by operator splitting.

    Attributes:
        kept_fraction: Kept share of the parameters.
        group: Comparison group of the top-k step; the published one is the matrix.
        iterations: At most so many ADMM iterations.
        solver_steps: Conjugate-gradient steps on the final positions.
        damping: Share of the mean diagonal added to the Hessian.

    Source: Meng et al. 2024, Algorithms 1 and 2; schedule, restart, stopping rule, final positions
    (the largest entries of the dense part) and start of the conjugate gradients are those of the
    authors' program (``linalg.support_search``).
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
    working_copies = WorkingCopies(12.0, 3.7)

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
        unit = UnitHessian(statistics.damped_hessian(self.damping))
        mask, values = best_support(
            SupportSearch(unit, nonzeros, self.group),
            weight,
            iterations=self.iterations,
            solver_steps=self.solver_steps,
        )
        return CompressedProjection.sparse_only(values, mask)

    def budget(self, m: int, n: int) -> Budget:
        """All in S."""
        return pruned_budget(m, n, kept_fraction=self.kept_fraction, group=self.group)


def best_support(
    search: SupportSearch, target: torch.Tensor, *, iterations: int, solver_steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run a search to its end, and solve for the values.

    Args:
        search: That has not begun.
        target: Of S, m×n.
        iterations: At most.
        solver_steps: Conjugate-gradient steps.

    Returns:
        Positions of S and S, both m×n.
    """
    product = search.product(target)
    for _ in range(iterations):
        search.advance(target, product)
        if search.converged:
            break
    mask = search.places()
    return mask, search.solve(target, mask, solver_steps)
