"""Slow float64 references for the compression methods, written apart from the package."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def keep_top_rows(scores: Matrix, budgets: list[int]) -> NDArray[np.bool_]:
    """Largest scores of each row by a stable full sort; ties go to the left."""
    mask = np.zeros(scores.shape, dtype=np.bool_)
    for row, keep in enumerate(budgets):
        order = sorted(range(scores.shape[1]), key=lambda column: (-scores[row, column], column))
        mask[row, order[:keep]] = True
    return mask


def row_budgets(nonzeros: int, m: int) -> list[int]:
    """Entries per row: as even as possible, the remainder in the first rows."""
    return [nonzeros // m + (row < nonzeros % m) for row in range(m)]


def sslc_exact(
    weight: Matrix, norms: Matrix, rank: int, nonzeros: int, preserved: int, iterations: int
) -> tuple[Matrix, list[float]]:
    """SSLC with an exact SVD in every low-rank step; returns S + L and the loss per iteration."""
    scaled = weight * norms
    m = weight.shape[0]
    always = keep_top_rows(np.abs(scaled), row_budgets(preserved, m))
    sparse = scaled * always
    losses = []
    for _ in range(iterations):
        left, values, right = np.linalg.svd(scaled - sparse, full_matrices=False)
        low = (left[:, :rank] * values[:rank]) @ right[:rank]
        residual = scaled - low
        scores = np.where(always, np.inf, np.abs(residual))
        sparse = residual * keep_top_rows(scores, row_budgets(nonzeros, m))
        losses.append(float(np.linalg.norm(residual - sparse)))
    return (sparse + low) / norms, losses
