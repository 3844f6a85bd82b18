"""ALPS: the places by ADMM on the layer's output error, the values by conjugate gradients."""

from dataclasses import dataclass

import torch

from sslc.full_hessian import solve_on_support
from sslc.methods.base import CompressedProjection, check_share
from sslc.selection import check_group, keep_top, sparse_nonzeros
from sslc.statistics import InputStatistics

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
        solver_steps: Conjugate-gradient steps on the final places.
        damping: Share of the mean diagonal added to the Hessian.

    Source: Meng et al. 2024, Algorithms 1 and 2; the penalty's schedule is that of its program.
    "Share of the support that changed" is read as new places over all places.
    """

    kept_fraction: float = 0.5
    group: str = "matrix"
    iterations: int = 300
    solver_steps: int = 10
    damping: float = 0.01
    needs_hessian = True
    needs_gradients = False

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if self.damping <= 0:
            raise ValueError(f"damping must be positive, got {self.damping}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """ADMM in the space where the Hessian has a unit diagonal, then the values."""
        m, n = weight.shape
        nonzeros = sparse_nonzeros(m, n, self.kept_fraction, 0, self.group)
        hessian = statistics.damped_hessian(self.damping)
        root = hessian.diagonal().sqrt()
        unit = hessian / torch.outer(root, root)
        scaled = weight * root.float()
        mask = self._places(scaled, unit, nonzeros)
        values = solve_on_support(scaled, scaled * mask, mask, unit.float(), self.solver_steps)
        return CompressedProjection.sparse_only(values / root.float(), mask)

    def _places(self, scaled: torch.Tensor, unit: torch.Tensor, nonzeros: int) -> torch.Tensor:
        eigenvalues, basis = (part.float() for part in torch.linalg.eigh(unit))
        image = scaled @ unit.float()
        mask = keep_top(scaled.abs(), nonzeros, self.group)
        kept, dual = scaled * mask, torch.zeros_like(scaled)
        penalty, new_places = _FIRST_PENALTY, 0
        for iteration in range(1, self.iterations + 1):
            right = image - dual + penalty * kept
            dense = ((right @ basis) / (eigenvalues + penalty)) @ basis.T
            candidate = dense + dual / penalty
            chosen = keep_top(candidate.abs(), nonzeros, self.group)
            new_places += int((chosen & ~mask).sum())
            mask, kept = chosen, candidate * chosen
            dual += penalty * (dense - kept)
            if iteration % _UPDATE_EVERY == 0:
                share = new_places / max(1, nonzeros)
                if iteration > _LEAST_ITERATIONS and share < _STOP_BELOW:
                    break
                penalty *= _growth(share)
                new_places = 0
        return mask


def _growth(changed_share: float) -> float:
    """Factor of the penalty by how much of the support changed since the last update."""
    if changed_share > 0.1:
        return 1.3
    if changed_share > 0.005:
        return 1.2
    return 1.1 if changed_share > 0 else 1.0
