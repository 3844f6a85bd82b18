"""RIA: relative importance of a weight in its row and column, times the input norm."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import check_group, keep_top, sparse_nonzeros
from sslc.methods.base import CompressedProjection, check_share


def ria_scores(weight: torch.Tensor, statistics: InputStatistics, power: float) -> torch.Tensor:
    """(|W_ij| / Σ_i |W_ij| + |W_ij| / Σ_j |W_ij|) · d_j^power, shape (m, n).

    Rows and columns that are all zero score zero.

    Source: Zhang et al. 2024 (Plug-and-Play), relative importance and activations.
    """
    size = weight.abs()
    tiny = torch.finfo(size.dtype).tiny
    relative = size / size.sum(dim=0).clamp(min=tiny)
    relative += size / size.sum(dim=1, keepdim=True).clamp(min=tiny)
    return relative.mul_(statistics.scale() ** power)


@dataclass(frozen=True)
class Ria:
    """Pruning by relative importance and activations, one threshold per matrix by default.

    Source: Zhang et al. 2024; ``power`` is its a = 0.5.
    """

    kept_fraction: float = 0.5
    group: str = "matrix"
    power: float = 0.5
    needs_hessian = False
    needs_gradients = False

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest scores."""
        m, n = weight.shape
        nonzeros = sparse_nonzeros(m, n, kept_fraction=self.kept_fraction, rank=0, group=self.group)
        mask = keep_top(ria_scores(weight, statistics, self.power), nonzeros, group=self.group)
        return CompressedProjection.sparse_only(weight, mask)
