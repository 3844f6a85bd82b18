"""Salience: how much each weight moves its projection's output, and how it is spread.

The salience of an entry is |W_ij| d_j with d_j = ‖X_j‖₂: |W̃|, the score of Wanda and the space in
which SSLC alternates.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sslc.calibration.statistics import InputStatistics
from workloads.results.salience import Needed, Spread

SALIENCE_KEPT = 0.8
TOP_SHARE = 0.01
_ROUNDING = 1e-9


def salience(weight: torch.Tensor, statistics: InputStatistics) -> torch.Tensor:
    """|W| diag(d).

    Args:
        weight: W, or W − L for what is left once a low-rank part has been taken out; m×n.
        statistics: Of its inputs; dead channels as ``InputStatistics.scale`` lifts them.

    Returns:
        Shape (m, n), not negative.

    Source: Sun et al. 2023 (Wanda); SSLC Section 4.
    """
    return (weight * statistics.scale()).abs_()


def spread(matrix: torch.Tensor) -> Spread:
    """How salience, shape (m, n), is spread over entries and columns; zeros when all is zero."""
    values = ascending(matrix).astype(np.float64)
    total, columns = float(values.sum()), matrix.sum(dim=0, dtype=torch.float64)
    if total == 0:
        return Spread(0.0, 0.0, 0.0)
    top = max(1, int(TOP_SHARE * len(values) + _ROUNDING))
    variation = columns.std(correction=0) / columns.mean()
    return Spread(total, float(values[-top:].sum()) / total, float(variation))


def pooled(matrix: torch.Tensor, max_cells: int) -> torch.Tensor:
    """Means over equal cells, so many that no side has more than ``max_cells``.

    Args:
        matrix: Shape (m, n).
        max_cells: Cells along a side.

    Returns:
        Shape (⌈m/a⌉, ⌈n/b⌉) for cells of a = ⌈m/max_cells⌉ by b = ⌈n/max_cells⌉ entries; cells at
        the lower and the right edge may be smaller.
    """
    cell = tuple(-(-side // max_cells) for side in matrix.shape)
    means: torch.Tensor = torch.nn.functional.avg_pool2d(matrix[None], cell, ceil_mode=True)[0]
    return means


def ascending(matrix: torch.Tensor) -> NDArray[np.float32]:
    """All entries in rising order, on the CPU."""
    values: NDArray[np.float32] = np.sort(matrix.cpu().numpy(), axis=None)
    return values


def needed(
    before: torch.Tensor, after: torch.Tensor, *, low_rank: float, powers: Sequence[int]
) -> list[Needed]:
    """Parameters needed to keep 80% of the salience, with and without a low-rank part.

    Args:
        before: |W̃|, shape (m, n).
        after: |W̃ − L̃|, same shape.
        low_rank: Share of the parameters that L takes.
        powers: Readings: 1 sums salience, 2 sums its squares.

    Returns:
        For each power, the smallest shares with which what is lost, Σ|W̃ − L̃ − S̃|, is at most 20%
        of Σ|W̃|; S̃ holds the largest entries of the matrix. For pruning only (L̃ = 0) that is the
        smallest share whose salience sums to at least 80%.

    Source: SSLC Figure 4 asks for the parameters that keep 80% of the salience and leaves open what
    that means once a low-rank part carries some of it; the definition is ours.
    """
    first, second = ascending(before), ascending(after)
    shares = []
    for power in powers:
        whole, rest = (values.astype(np.float64) ** power for values in (first, second))
        max_lost = float(whole.sum()) * (1 - SALIENCE_KEPT)
        pruning, sparse = (entries_needed(values, max_lost) for values in (whole, rest))
        shares.append(Needed(pruning / whole.size, sparse / rest.size, low_rank))
    return shares


def entries_needed(values: NDArray[np.float64], max_lost: float) -> int:
    """How many of the largest values must be kept for the others to sum to at most a bound.

    Args:
        values: In rising order, not negative.
        max_lost: The bound; met up to 1e-9 of it, so that decimal fractions do not miss it by
            binary rounding.
    """
    lost = np.cumsum(values)
    dropped = int(np.searchsorted(lost, max_lost * (1 + _ROUNDING), side="right"))
    return len(values) - dropped
