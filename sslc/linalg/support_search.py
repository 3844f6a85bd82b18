"""Places of S by operator splitting on the layer's output error: what ALPS and its kin alternate.

B is dense, D sparse, V dual, all m×n in the space where H has a unit diagonal. One step minimises
‖(T − B) H^½‖² + ρ‖B − D + V/ρ‖² over B, takes D as the largest entries of B + V/ρ, and moves V.
"""

from dataclasses import dataclass

import torch

from sslc.linalg.full_hessian import solve_on_support
from sslc.linalg.selection import keep_top

_LARGEST_PENALTY = 1e6
_MANY, _SOME = 0.1, 0.005
_FEW = 3e-4


@dataclass(frozen=True)
class Pace:
    """How the penalty ρ grows and when the search ends.

    Attributes:
        every: Steps from one look at the places to the next.
        many: Growth when more than a tenth of the places changed.
        some: When more than 0.5% did.
        any: When any did.
        least: The search goes on for so many steps, and ends at the first look behind them at which
            less than 0.03% of the places changed.
    """

    every: int
    many: float
    some: float
    any: float
    least: int


ALPS_PACE = Pace(every=3, many=1.3, some=1.2, any=1.1, least=30)
BASIL_PACE = Pace(every=10, many=1.1, some=1.05, any=1.02, least=100)


class UnitHessian:
    """H scaled to a unit diagonal, with its eigendecomposition; searches share it.

    Args:
        hessian: H, n×n, float64, positive definite.
    """

    def __init__(self, hessian: torch.Tensor) -> None:
        root = hessian.diagonal().sqrt()
        unit = hessian / torch.outer(root, root)
        self.eigenvalues, self.basis = (part.float() for part in torch.linalg.eigh(unit))
        self.matrix, self.root = unit.float(), root.float()
        self._penalty, self._inverse = 0.0, torch.empty(0)

    def solve(self, right: torch.Tensor, penalty: float) -> torch.Tensor:
        """``right`` (m×n) times (H + ρI)⁻¹, which is kept until another ρ comes."""
        if penalty != self._penalty:
            self._inverse = (self.basis / (self.eigenvalues + penalty)) @ self.basis.T
            self._penalty = penalty
        return right @ self._inverse


class SupportSearch:
    """The operator splitting, its state kept between steps.

    Args:
        unit: H.
        nonzeros: Places to find.
        group: Comparison group.
        forced: Added to what the top-k step compares, m×n; infinite at places that must stay.
        penalty: ρ at first.
        pace: Of the penalty.

    Attributes:
        mask: Places of D.
        converged: Whether the authors' program would end here.

    Source: Meng et al. 2024 (ALPS), Algorithm 1. What the paper leaves open is as in the authors'
    program (alps.py of mazumder-lab/ALPS): the change is the symmetric difference of the places at
    two looks over the number of places; while the penalty has not grown once, a small change cuts
    it to a fifth and starts again from the largest weights, and no change cuts it to a fifth.
    """

    def __init__(
        self,
        unit: UnitHessian,
        nonzeros: int,
        group: str,
        *,
        forced: torch.Tensor | None = None,
        penalty: float = 0.1,
        pace: Pace = ALPS_PACE,
    ) -> None:
        self._unit, self._pace = unit, pace
        self._nonzeros, self._group, self._forced = nonzeros, group, forced
        self._penalty, self._iteration, self._grown = penalty, 0, False
        self.mask = self._seen = self._dense = self._kept = self._dual = torch.empty(0)
        self.converged = False

    def product(self, target: torch.Tensor) -> torch.Tensor:
        """A target (m×n in the space of W) times H, in the space of a unit diagonal."""
        product: torch.Tensor = (target * self._unit.root) @ self._unit.matrix
        return product

    def advance(self, target: torch.Tensor, product: torch.Tensor | None = None) -> None:
        """One step towards a target.

        Args:
            target: m×n in the space of W.
            product: Of the target, where the caller has it.
        """
        scaled = target * self._unit.root
        if self._iteration == 0:
            self._begin(scaled)
            self._seen = self.mask
        self._iteration += 1
        product = self.product(target) if product is None else product
        right = product - self._dual + self._penalty * self._kept
        self._dense = self._unit.solve(right, self._penalty)
        candidate = self._dense + self._dual / self._penalty
        self.mask = self._select(candidate)
        self._kept = candidate * self.mask
        self._dual += self._penalty * (self._dense - self._kept)
        if self._iteration % self._pace.every == 0:
            self._look(scaled)

    def dense(self) -> torch.Tensor:
        """B in the space of W, m×n."""
        return self._dense / self._unit.root

    def values(self) -> torch.Tensor:
        """D in the space of W, m×n."""
        return self._kept / self._unit.root

    def places(self) -> torch.Tensor:
        """The largest entries of B: the places that the search gives in the end, m×n booleans."""
        return self._select(self._dense)

    def solve(self, target: torch.Tensor, mask: torch.Tensor, steps: int) -> torch.Tensor:
        """Values at some places by conjugate gradients from B, m×n in the space of W.

        Source: Meng et al. 2024, Algorithm 2; all steps are taken, the program stops at a residual
        of 1e-4 too.
        """
        scaled, unit = target * self._unit.root, self._unit
        return (
            solve_on_support(
                scaled, self._dense * mask, mask=mask, hessian=unit.matrix, steps=steps
            )
            / unit.root
        )

    def _begin(self, scaled: torch.Tensor) -> None:
        self.mask = self._select(scaled)
        self._kept, self._dual = scaled * self.mask, torch.zeros_like(scaled)

    def _look(self, scaled: torch.Tensor) -> None:
        """Compare the places with those of the last look, and set the penalty."""
        pace, changed = self._pace, int((self.mask ^ self._seen).sum())
        share = changed / max(1, self._nonzeros)
        self._seen = self.mask
        if share > _SOME:
            self._penalty *= pace.many if share > _MANY else pace.some
            self._grown = True
        elif self._grown:
            self._penalty *= pace.any if changed else 1.0
            self.converged |= not changed
        else:
            self._penalty /= 5
            if changed:
                self._begin(scaled)
        self._penalty = min(self._penalty, _LARGEST_PENALTY)
        self.converged |= self._iteration > pace.least and share < _FEW

    def _select(self, candidate: torch.Tensor) -> torch.Tensor:
        scores = candidate.abs()
        if self._forced is not None:
            scores.add_(self._forced)
        return keep_top(scores, self._nonzeros, group=self._group)
