"""SSLC-D: the layer-wise part of a recipe of mixed text, refined rounds and distillation. Ours."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies
from sslc.methods.sslc_h import SslcH


@dataclass(frozen=True)
class SslcD:
    """SSLC-H's rounds from a shorter start; its own text is mixed, and distillation follows it.

    A run that names no text calibrates on ``embedded:8,self:8``, and one that names no refinement
    takes ``logits`` (``registry.run_defaults``); ``--refine none`` leaves the layer-wise part.

    Attributes:
        kept_fraction: As in SSLC.
        rank_share: As in SSLC.
        iterations: Of SSLC, before the rounds.
        rounds: As in SSLC-H.
        solver_steps: As in SSLC-H.
        subspace_steps: As in SSLC-H.
        damping: As in SSLC-H.
        shrinkage: As in SSLC-H.
        seed: As in SSLC.

    Source: ours. The steps are those of SSLC-H; what differs is the text and what follows.
    """

    kept_fraction: float = 0.5
    rank_share: float = 0.0625
    iterations: int = 10
    rounds: int = 8
    solver_steps: int = 4
    subspace_steps: int = 2
    damping: float = 0.01
    shrinkage: float = 0.5
    seed: int = 0
    name = "sslc-d"
    title = "SSLC-D"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(16.0, 1.0)

    def __post_init__(self) -> None:
        self._rounds()  # which checks the values

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """SSLC-H with these settings."""
        return self._rounds().compress(weight, statistics)

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S for an m×n projection, as in SSLC."""
        return self._rounds().budget(m, n)

    def _rounds(self) -> SslcH:
        return SslcH(
            kept_fraction=self.kept_fraction,
            rank_share=self.rank_share,
            iterations=self.iterations,
            rounds=self.rounds,
            solver_steps=self.solver_steps,
            subspace_steps=self.subspace_steps,
            damping=self.damping,
            shrinkage=self.shrinkage,
            seed=self.seed,
        )
