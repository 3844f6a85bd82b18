"""Wanda: keep the largest |W_ij|·‖X_j‖₂ per output row."""

from dataclasses import dataclass

import torch

from sslc.methods.base import CompressedProjection, check_choice, check_share
from sslc.selection import GROUPS, keep_top
from sslc.statistics import InputStatistics
from workloads.gemm import kept_nonzeros


@dataclass(frozen=True)
class Wanda:
    """Pruning by weight times input norm, one threshold per output row by default.

    Source: Sun et al. 2023, Eq. 1 (score) and Section 3 (comparison per output row).
    """

    kept_fraction: float = 0.5
    group: str = "row"
    needs_hessian = False

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_choice("group", self.group, GROUPS)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest |W_ij|·d_j."""
        m, n = weight.shape
        nonzeros = kept_nonzeros(m, n, self.kept_fraction, rank=0)
        scores = weight.abs() * statistics.scale()
        return CompressedProjection.sparse_only(weight, keep_top(scores, nonzeros, self.group))
