"""Wanda: keep the largest |W_ij|·‖X_j‖₂ per output row."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import check_group, keep_top, sparse_nonzeros
from sslc.methods.base import CompressedProjection, check_share


@dataclass(frozen=True)
class Wanda:
    """Pruning by weight times input norm, one threshold per output row by default.

    Source: Sun et al. 2023, Eq. 1 (score) and Section 3 (comparison per output row).
    """

    kept_fraction: float = 0.5
    group: str = "row"
    needs_hessian = False
    needs_gradients = False

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest |W_ij|·d_j."""
        m, n = weight.shape
        nonzeros = sparse_nonzeros(m, n, kept_fraction=self.kept_fraction, rank=0, group=self.group)
        mask = keep_top(weight.abs().mul_(statistics.scale()), nonzeros, group=self.group)
        return CompressedProjection.sparse_only(weight, mask)
