"""Exact selection of the largest scores: per output row or per matrix, ties to the left."""

import numpy as np
import torch

from workloads.gemm import row_budgets

GROUPS = ("row", "matrix")


def keep_top(scores: torch.Tensor, nonzeros: int, group: str) -> torch.Tensor:
    """Places of the largest scores inside each comparison group.

    Args:
        scores: Shape (m, n), free of NaN.
        nonzeros: How many places to keep in the whole matrix.
        group: ``row``: ⌊nonzeros/m⌋ in each row and one more in the first rows; ``matrix``: one
            threshold for all.

    Returns:
        Booleans of shape (m, n) with exactly ``nonzeros`` true; equal scores at the threshold are
        kept from the left (row-major for ``matrix``).
    """
    m, n = scores.shape
    if group == "matrix":
        return _top_of_rows(scores.reshape(1, m * n), nonzeros).reshape(m, n)
    base, extra = row_budgets(nonzeros, m)
    if extra == 0:
        return _top_of_rows(scores, base)
    return torch.cat([_top_of_rows(scores[:extra], base + 1), _top_of_rows(scores[extra:], base)])


def _top_of_rows(scores: torch.Tensor, keep: int) -> torch.Tensor:
    rows, columns = scores.shape
    if keep in (0, columns):
        return torch.full_like(scores, keep > 0, dtype=torch.bool)
    threshold = _kth_largest(scores, keep)
    mask = scores >= threshold
    if int(torch.count_nonzero(mask)) > rows * keep:
        above = scores > threshold
        tied = mask & ~above
        room = keep - above.sum(dim=1, keepdim=True)
        mask = above | (tied & (tied.cumsum(dim=1) <= room))
    return mask


def _kth_largest(scores: torch.Tensor, keep: int) -> torch.Tensor:
    """The keep-th largest of each row, shape (rows, 1); numpy's vectorised partition on the CPU."""
    place = scores.shape[1] - keep
    if scores.device.type == "cpu":
        part = np.partition(scores.numpy(), place, axis=1)[:, place : place + 1]
        return torch.from_numpy(np.ascontiguousarray(part))
    return torch.kthvalue(scores, place + 1, dim=1, keepdim=True).values
