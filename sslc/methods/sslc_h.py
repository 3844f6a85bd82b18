"""SSLC-H: SSLC, then both parts refined against the full Hessian of the inputs. Ours."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.full_hessian import solve_on_support, thresholded_support, whitened_low_rank
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share
from sslc.methods.sslc import Sslc


@dataclass(frozen=True)
class SslcH:
    """SSLC refined in the whitened space: same budget, better positions and values.

    Attributes:
        kept_fraction: As in SSLC.
        rank_share: As in SSLC.
        iterations: Of SSLC, before the refinement.
        rounds: Alternations of the refined steps. In every round but the last the positions are
            chosen again.
        solver_steps: Conjugate-gradient steps on S's values per round.
        subspace_steps: Subspace iterations of the low-rank step per round.
        damping: Share of the mean diagonal added to the Hessian.
        shrinkage: How far the Hessian's off-diagonal is shrunk towards zero, in [0, 1]: few
            calibration tokens of one kind overfit it. At 1 only SSLC's input norms are left.
        seed: As in SSLC.

    Source: ours. Sub-problems as in ``full_hessian``; kin of HASSLE-free (Makni et al. 2024). New
    positions are those of one step of iterative hard thresholding (Blumensath & Davies 2009) with
    the Hessian's diagonal as the metric: the step sees through H what the other entries make up
    for, which |W − L|·d does not.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    iterations: int = 40
    rounds: int = 8
    solver_steps: int = 4
    subspace_steps: int = 2
    damping: float = 0.01
    shrinkage: float = 0.5
    seed: int = 0
    name = "sslc-h"
    title = "SSLC-H"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(16.0, 1.0)

    def __post_init__(self) -> None:
        self._sslc()
        for name in ("rounds", "solver_steps", "subspace_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        check_share("shrinkage", self.shrinkage)
        if self.damping <= 0:
            raise ValueError(f"damping must be positive, got {self.damping}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """SSLC for the positions, then rounds of low rank and values."""
        first = self._sslc().compress(weight, statistics)
        hessian = self._shrunk(statistics.damped_hessian(self.damping)).float()
        mask, sparse, u, v = first.mask, first.sparse, first.u, first.v
        nonzeros = int(torch.count_nonzero(mask))
        for left in reversed(range(self.rounds)):
            if u.shape[1]:
                u, v = whitened_low_rank(weight - sparse, hessian, q=u, steps=self.subspace_steps)
            target = weight - u @ v.T
            if left:
                mask = thresholded_support(target, sparse, hessian=hessian, nonzeros=nonzeros)
                sparse = sparse * mask
            sparse = solve_on_support(
                target, sparse, mask=mask, hessian=hessian, steps=self.solver_steps
            )
        return CompressedProjection(mask, sparse, u, v)

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection, as in SSLC."""
        return self._sslc().budget(m, n)

    def _shrunk(self, hessian: torch.Tensor) -> torch.Tensor:
        diagonal = hessian.diagonal().clone()
        hessian *= 1 - self.shrinkage
        hessian.diagonal().copy_(diagonal)
        return hessian

    def _sslc(self) -> Sslc:
        return Sslc(
            kept_fraction=self.kept_fraction,
            rank_share=self.rank_share,
            iterations=self.iterations,
            seed=self.seed,
        )
