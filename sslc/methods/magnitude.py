"""Magnitude pruning: keep the largest |W|."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import check_group, keep_top, sparse_nonzeros
from sslc.methods.base import CompressedProjection, check_share


@dataclass(frozen=True)
class Magnitude:
    """Magnitude pruning, one threshold per matrix by default (as the published baseline)."""

    kept_fraction: float = 0.5
    group: str = "matrix"
    needs_hessian = False
    needs_gradients = False

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest |W_ij|; the statistics are not looked at."""
        del statistics
        m, n = weight.shape
        nonzeros = sparse_nonzeros(m, n, kept_fraction=self.kept_fraction, rank=0, group=self.group)
        return CompressedProjection.sparse_only(
            weight, keep_top(weight.abs(), nonzeros, group=self.group)
        )
