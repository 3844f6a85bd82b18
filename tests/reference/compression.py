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


def sslc_warm(
    scaled: Matrix, always: NDArray[np.bool_], v: Matrix, nonzeros: int, iterations: int
) -> tuple[Matrix, NDArray[np.bool_]]:
    """SSLC's warm-started alternation from a right factor; returns L and the places of S."""
    sparse = scaled * always
    for _ in range(iterations):
        residual = scaled - sparse
        q, _ = np.linalg.qr(residual @ v)
        v = residual.T @ q
        low = q @ v.T
        scores = np.where(always, np.inf, np.abs(scaled - low))
        kept = keep_top_rows(scores, row_budgets(nonzeros, len(scaled)))
        sparse = (scaled - low) * kept
    return low, kept


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


def godec_exact(weight: Matrix, rank: int, nonzeros: int, iterations: int) -> tuple[Matrix, Matrix]:
    """L and S by exact SVD and one threshold over the matrix, in turn, from S = 0."""
    sparse = np.zeros_like(weight)
    for _ in range(iterations):
        left, values, right = np.linalg.svd(weight - sparse, full_matrices=False)
        low = (left[:, :rank] * values[:rank]) @ right[:rank]
        scores = np.abs(weight - low).reshape(1, -1)
        places = keep_top_rows(scores, [nonzeros]).reshape(weight.shape)
        sparse = (weight - low) * places
    return low, sparse


def robust_pca(matrix: Matrix, iterations: int) -> tuple[Matrix, Matrix]:
    """min ‖L‖_* + ‖S‖₁/√max(m, n), L + S = W, by ADMM with a penalty that never changes."""
    weighting = 1 / np.sqrt(max(matrix.shape))
    penalty = matrix.size / (4 * np.abs(matrix).sum())
    sparse, dual = np.zeros_like(matrix), np.zeros_like(matrix)
    for _ in range(iterations):
        left, values, right = np.linalg.svd(matrix - sparse + dual / penalty, full_matrices=False)
        low = (left * np.maximum(values - 1 / penalty, 0)) @ right
        rest = matrix - low + dual / penalty
        sparse = np.sign(rest) * np.maximum(np.abs(rest) - weighting / penalty, 0)
        dual += penalty * (matrix - low - sparse)
    return low, sparse


def ria(weight: Matrix, norms: Matrix) -> Matrix:
    """RIA's score entry by entry."""
    size = np.abs(weight)
    scores = np.empty_like(size)
    for row, column in np.ndindex(*size.shape):
        relative = size[row, column] / size[:, column].sum() + size[row, column] / size[row].sum()
        scores[row, column] = relative * norms[column] ** 0.5
    return scores


def pruner_zero(weight: Matrix, gradient: Matrix) -> Matrix:
    """Pruner-Zero's score: |W·W| times the gradient mapped to [0, 1] over the matrix."""
    scores: Matrix = np.abs(weight * weight) * (gradient - gradient.min()) / np.ptp(gradient)
    return scores
