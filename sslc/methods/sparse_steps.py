"""The sparse step of SSLC: from the residual W̃ − L̃ to the positions and values of S̃.

A step is made once per projection. It is called in every iteration with the residual in the scaled
space and writes S̃; ``values`` gives S for the final residual in the space of W.
"""

from typing import Protocol

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import keep_top
from sslc.linalg.support_search import SupportSearch, UnitHessian
from sslc.methods.scores import Scores


class SparseStep(Protocol):
    """Chooses S for a residual."""

    def __call__(self, residual: torch.Tensor, sparse: torch.Tensor) -> torch.Tensor:
        """Write S̃ for a residual (m×n, both in the scaled space); returns its positions."""
        ...

    def values(self, residual: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """S for the last residual W − L and its positions."""
        ...


class ThresholdStep:
    """The largest scores of the residual stay, with the residual's values.

    Args:
        scores: Positive scores of a residual in the scaled space, in a new tensor.
        forced: Infinite at positions that always belong to S, else zero, m×n.
        removed: Whether those positions are left out of S̃ until the end.
        nonzeros: Positions of S.
        group: Comparison group.
    """

    def __init__(
        self, scores: Scores, forced: torch.Tensor, *, removed: bool, nonzeros: int, group: str
    ) -> None:
        self._scores, self._forced, self._removed = scores, forced, removed
        self._nonzeros, self._group = nonzeros, group

    def __call__(self, residual: torch.Tensor, sparse: torch.Tensor) -> torch.Tensor:
        """Select and copy."""
        mask = keep_top(
            self._scores(residual).add_(self._forced), self._nonzeros, group=self._group
        )
        sparse.copy_(mask).mul_(residual)
        if self._removed:
            sparse.masked_fill_(self._forced > 0, 0)
        return mask

    def values(self, residual: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The residual at the positions."""
        return residual * mask


class AdmmStep:
    """ALPS in place of a score: warm-started ADMM steps on the residual's output error.

    Args:
        statistics: With the Hessian.
        forced: As in ``ThresholdStep``.
        nonzeros: Positions of S.
        group: Comparison group.

    Source: SSLC Table 9 names the combination only. Ten steps per iteration with dual variable and
    penalty kept from one iteration to the next, and conjugate gradients at the end, are ours. The
    loss may rise from one iteration to the next.
    """

    _STEPS, _SOLVER_STEPS, _DAMPING = 10, 10, 0.01

    def __init__(
        self, statistics: InputStatistics, forced: torch.Tensor, nonzeros: int, group: str
    ) -> None:
        unit = UnitHessian(statistics.damped_hessian(self._DAMPING))
        self._search = SupportSearch(unit, nonzeros, group, forced=forced)
        self._scale = statistics.scale()

    def __call__(self, residual: torch.Tensor, sparse: torch.Tensor) -> torch.Tensor:
        """Go on from the last iteration's state towards the new residual."""
        target = residual / self._scale
        for _ in range(self._STEPS):
            self._search.advance(target)
        torch.mul(self._search.values(), self._scale, out=sparse)
        return self._search.mask

    def values(self, residual: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Conjugate gradients on the positions."""
        return self._search.solve(residual, mask, self._SOLVER_STEPS)
