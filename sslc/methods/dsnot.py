"""DSnoT: swap pruned for kept weights until each row's expected output error is small."""

import math
from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_choice, check_share
from sslc.methods.pruning import Wanda, pruned_budget


@dataclass(frozen=True)
class DsNot:
    """Dynamic sparse no training: refine Wanda's mask, one swap per row and cycle.

    Attributes:
        kept_fraction: Kept share of the parameters.
        cycles: At most so many swaps per row.
        threshold: Rows whose expected error is at most this are left alone.
        modules: ``all``, or ``attention``: refine the attention projections only and leave the
            others with Wanda's mask, as the published runs do.

    Source: Zhang et al. 2024 (Dynamic Sparse No Training), Algorithm 1. A row also stops when a
    swap would not bring its error closer to zero, which the paper leaves open.
    """

    kept_fraction: float = 0.5
    cycles: int = 50
    threshold: float = 0.1
    modules: str = "all"
    name = "dsnot"
    title = "DSnoT"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(8.5)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_choice("modules", self.modules, ("all", "attention"))
        if self.cycles < 0:
            raise ValueError(f"cycles must not be negative, got {self.cycles}")
        if self.threshold < 0:
            raise ValueError(f"threshold must not be negative, got {self.threshold}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Start from Wanda's mask and swap.

        Raises:
            ValueError: Only attention is to be refined and the projection's place is not known.
        """
        mask = Wanda(self.kept_fraction).compress(weight, statistics).mask.clone()
        if self.modules == "attention":
            if not statistics.module:
                raise ValueError("modules=attention needs to know where the projection stands")
            if statistics.module != "MHA":
                return CompressedProjection.sparse_only(weight, mask)
        for _ in range(self.cycles):
            if not self._swap(weight, statistics, mask):
                break
        return CompressedProjection.sparse_only(weight, mask)

    def budget(self, m: int, n: int) -> Budget:
        """All in S, as Wanda."""
        return pruned_budget(m, n, kept_fraction=self.kept_fraction, group="row")

    def _swap(self, weight: torch.Tensor, statistics: InputStatistics, mask: torch.Tensor) -> bool:
        """One swap in every row that gains by it, in place; False when none does.

        A pruned weight adds its W·μ to the row's error e. Growing takes the pruned weight with the
        largest W·μ / var on e's side; pruning takes the kept one of least Wanda score on the other.
        """
        expected = weight * statistics.means
        error = (expected * ~mask).sum(dim=1, keepdim=True)
        same_side = expected * error.sign() > 0
        variances = statistics.variances.clamp(min=torch.finfo(weight.dtype).tiny)
        gain = (expected.abs() / variances).masked_fill(mask | ~same_side, -math.inf)
        loss = (weight.abs() * statistics.scale()).masked_fill(~mask | same_side, math.inf)
        grown, pruned = gain.argmax(dim=1, keepdim=True), loss.argmin(dim=1, keepdim=True)
        after = error - expected.gather(1, grown) + expected.gather(1, pruned)
        possible = gain.gather(1, grown).isfinite() & loss.gather(1, pruned).isfinite()
        useful = possible & (error.abs() > self.threshold) & (after.abs() < error.abs())
        rows = useful.squeeze(1)
        mask[rows] = mask[rows].scatter(1, grown[rows], True).scatter(1, pruned[rows], False)
        return bool(rows.any())
