"""Pruner-Zero: keep the largest |W·W|·minmax(G), G from gradients of the model's loss."""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import check_group, keep_top, sparse_nonzeros
from sslc.methods.base import CompressedProjection, check_share


def pruner_zero_scores(weight: torch.Tensor, relative_gradient: torch.Tensor) -> torch.Tensor:
    """|W_ij · W_ij| · minmax(G)_ij, shape (m, n).

    Args:
        weight: W, m×n, or what stands in its place.
        relative_gradient: From ``InputStatistics.relative_gradient``, m×n.

    Source: Dong et al. 2024 (Pruner-Zero), the symbolic metric found by its search.
    """
    return weight.square() * relative_gradient


@dataclass(frozen=True)
class PrunerZero:
    """Pruning by the symbolic metric |W·W|·minmax(G), one threshold per output row by default.

    Attributes:
        kept_fraction: Kept share of the parameters.
        group: Comparison group; the published one is the row.

    Source: Dong et al. 2024. G is the root of the sum over calibration windows of squared gradients
    of the mean token cross-entropy of the dense model; minmax is over the matrix. The published
    gradients come from WikiText-2's training split; here from the calibration text.
    """

    kept_fraction: float = 0.5
    group: str = "row"
    needs_hessian = False
    needs_gradients = True

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest scores."""
        m, n = weight.shape
        nonzeros = sparse_nonzeros(m, n, kept_fraction=self.kept_fraction, rank=0, group=self.group)
        scores = pruner_zero_scores(weight, statistics.relative_gradient())
        return CompressedProjection.sparse_only(
            weight, keep_top(scores, nonzeros, group=self.group)
        )
