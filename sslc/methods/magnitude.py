"""Magnitude pruning: keep the largest |W|."""

from dataclasses import dataclass

import torch

from sslc.methods.base import CompressedProjection, check_choice, check_share
from sslc.selection import GROUPS, keep_top
from sslc.statistics import InputStatistics
from workloads.gemm import kept_nonzeros


@dataclass(frozen=True)
class Magnitude:
    """Magnitude pruning, one threshold per matrix by default (as the published baseline)."""

    kept_fraction: float = 0.5
    group: str = "matrix"
    needs_hessian = False

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_choice("group", self.group, GROUPS)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest |W_ij|; the statistics are not looked at."""
        del statistics
        m, n = weight.shape
        nonzeros = kept_nonzeros(m, n, self.kept_fraction, rank=0)
        return CompressedProjection.sparse_only(
            weight, keep_top(weight.abs(), nonzeros, self.group)
        )
