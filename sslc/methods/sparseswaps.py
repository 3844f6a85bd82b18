"""SparseSwaps: exchanges of pruned and kept weights that lower each row's output error."""

from dataclasses import dataclass

import numpy as np
import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import keep_top
from sslc.linalg.swaps import swap_rows
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_choice, check_share
from sslc.methods.pruning import pruned_budget
from sslc.methods.scores import SCORES
from workloads.masks.pattern import parse_pattern


@dataclass(frozen=True)
class SparseSwaps:
    """A mask by a score, then the best exchange in every row while one lowers the row's error.

    Attributes:
        kept_fraction: Kept share of the parameters.
        start: Score of the first mask: ``magnitude``, ``ria`` or ``wanda``.
        group: ``row``, or a pattern such as 2:4, whose exchanges stay inside its neighbours.
        swaps: At most so many exchanges in a row.

    Source: arXiv 2512.10922. Values are those of W; the published limit is about 100 exchanges.
    Decided here: no damping, which only dead channels get, and float64, in which any decrease
    counts.
    """

    kept_fraction: float = 0.5
    start: str = "wanda"
    group: str = "row"
    swaps: int = 100
    name = "sparseswaps"
    title = "SparseSwaps"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(3.0, 1.1)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_choice("start", self.start, ("magnitude", "ria", "wanda"))
        if self.group != "row" and parse_pattern(self.group) is None:
            raise ValueError(f"group must be row or N:M such as 2:4, got {self.group!r}")
        if self.swaps < 0:
            raise ValueError(f"swaps must not be negative, got {self.swaps}")

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Start from the score's mask and exchange."""
        nonzeros = self.budget(*weight.shape).nonzeros
        mask = keep_top(SCORES[self.start](statistics)(weight), nonzeros, group=self.group)
        pattern = parse_pattern(self.group)
        n = weight.shape[1]
        kept = mask.cpu().numpy().copy()
        swap_rows(
            weight.double().cpu().numpy(),
            statistics.damped_hessian(0.0).cpu().numpy(),
            kept,
            np.empty(n),
            self.swaps,
            n if pattern is None else pattern.columns,
        )
        return CompressedProjection.sparse_only(weight, torch.from_numpy(kept).to(weight.device))

    def budget(self, m: int, n: int) -> Budget:
        """All in S."""
        return pruned_budget(m, n, kept_fraction=self.kept_fraction, group=self.group)
