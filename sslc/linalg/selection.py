"""Exact selection of the largest scores: per output row, per matrix, or N of every M.

Ties go to the left. A comparison group is written ``row``, ``matrix``, or ``N:M`` such as ``2:4``.
"""

import torch

from sslc.linalg import selection_kernels as kernels
from workloads.masks.pattern import parse_pattern
from workloads.shapes.gemm import kept_nonzeros, row_budgets

_MOST_GATHERED = 1 << 16


def check_group(group: str) -> None:
    """Raise ValueError unless a text names a comparison group."""
    if group not in ("row", "matrix") and parse_pattern(group) is None:
        raise ValueError(f"group must be row, matrix or N:M such as 2:4, got {group!r}")


def sparse_nonzeros(m: int, n: int, *, kept_fraction: float, rank: int, group: str) -> int:
    """Nonzeros of S in a budget: what the factors leave, or what an N:M pattern fixes.

    Args:
        m: Rows of W.
        n: Columns of W.
        kept_fraction: Kept share of all parameters, factors included.
        rank: Rank of the low-rank part.
        group: Comparison group.

    Returns:
        ⌊p m n⌋ − r(m + n) for ``row`` and ``matrix`` (negative when the factors alone exceed the
        budget); m n N/M for a pattern.

    Raises:
        ValueError: The pattern does not divide the columns, or it keeps more than the budget, or
            leaves more than a rank's worth of it unused.
    """
    budget = kept_nonzeros(m, n, kept_fraction, rank)
    pattern = parse_pattern(group)
    if pattern is None:
        return budget
    keep, of = pattern
    if n % of:
        raise ValueError(f"{group} does not divide {n} columns")
    nonzeros = m * n * keep // of
    if not 0 <= budget - nonzeros < m + n:
        needed = (nonzeros + rank * (m + n)) / (m * n)
        raise ValueError(
            f"{group} and rank {rank} keep {needed:.4f} of {m}x{n}, "
            f"the kept fraction is {kept_fraction}"
        )
    return nonzeros


def keep_top(scores: torch.Tensor, nonzeros: int, *, group: str) -> torch.Tensor:
    """Positions of the largest scores inside each comparison group.

    Args:
        scores: Shape (m, n), free of NaN.
        nonzeros: How many positions to keep in the whole matrix; a pattern has its own.
        group: ``row``: ⌊nonzeros/m⌋ in each row and one more in the first rows; ``matrix``: one
            threshold for all; ``N:M``: the N largest of every M neighbours in a row.

    Returns:
        Booleans of shape (m, n) with exactly ``nonzeros`` true; equal scores at the threshold are
        kept from the left (row-major for ``matrix``).
    """
    m, n = scores.shape
    pattern = parse_pattern(group)
    if pattern is not None:
        return _top_of_neighbours(scores, *pattern)
    if group == "matrix":
        return _top_of_rows(scores.reshape(1, m * n), nonzeros, 0).reshape(m, n)
    return _top_of_rows(scores, *row_budgets(nonzeros, m))


def _top_of_neighbours(scores: torch.Tensor, keep: int, of: int) -> torch.Tensor:
    """Keep the scores that fewer than ``keep`` neighbours beat; an equal one to the left beats."""
    columns = scores.reshape(-1, of).unbind(dim=1)
    kept = []
    for column, score in enumerate(columns):
        beaten = torch.zeros_like(score, dtype=torch.int8)
        for other, rival in enumerate(columns):
            if other != column:
                beaten += rival >= score if other < column else rival > score
        kept.append(beaten < keep)
    return torch.stack(kept, dim=1).reshape(scores.shape)


def _top_of_rows(scores: torch.Tensor, base: int, extra: int) -> torch.Tensor:
    """The largest ``base`` of each row, one more in the first ``extra`` rows."""
    if scores.device.type == "cpu" and scores.dtype == torch.float32:
        mask = torch.empty(scores.shape, dtype=torch.bool)
        scratch = kernels.new_scratch(min(scores.shape[1], _MOST_GATHERED))
        kernels.mark_top_rows(scores.contiguous().numpy(), base, extra, scratch, mask.numpy())
        return mask
    if extra:
        return torch.cat(
            [_top_of_rows(scores[:extra], base + 1, 0), _top_of_rows(scores[extra:], base, 0)]
        )
    if base in (0, scores.shape[1]):
        return torch.full_like(scores, base > 0, dtype=torch.bool)
    smallest = scores.shape[1] - base + 1
    threshold = torch.kthvalue(scores, smallest, dim=1, keepdim=True).values
    above = scores > threshold
    tied = scores == threshold
    room = base - above.sum(dim=1, keepdim=True)
    return above | (tied & (tied.cumsum(dim=1) <= room))
