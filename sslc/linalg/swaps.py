"""The best exchange of a pruned and a kept weight of a row, again and again, compiled."""

import numpy as np
from numpy.typing import NDArray

from workloads.support.compiled import compiled

Doubles = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@compiled
def swap_rows(
    weights: Doubles, hessian: Doubles, mask: Booleans, lost: Doubles, most: int, of: int
) -> None:
    """Lower ‖(w − m∘w)X‖² of every row by exchanges, the best one first, while one lowers it.

    With r the pruned weights of a row and c = H r, growing p and pruning u changes the loss by
    −2 w_p c_p + w_p² H_pp + 2 w_u c_u + w_u² H_uu − 2 w_p w_u H_pu.

    Args:
        weights: W, m×n.
        hessian: H, n×n.
        mask: Kept positions, m×n; overwritten. Every row keeps as many as it had.
        lost: Scratch, shape (n,).
        most: At most so many exchanges in a row.
        of: Exchanges stay inside so many neighbouring columns; n for none.
    """
    for row in range(len(weights)):
        _residual_product(weights[row], hessian, mask[row], lost)
        for _ in range(most):
            if not _swap_best(weights[row], hessian, mask[row], lost, of):
                break


@compiled
def _residual_product(weights: Doubles, hessian: Doubles, mask: Booleans, lost: Doubles) -> None:
    """c = H r of a row, r its pruned weights."""
    lost[:] = 0.0
    for column in range(len(weights)):
        if not mask[column]:
            for other in range(len(weights)):
                lost[other] += weights[column] * hessian[column, other]


@compiled
def _swap_best(weights: Doubles, hessian: Doubles, mask: Booleans, lost: Doubles, of: int) -> bool:
    """Make the exchange that lowers the loss most; False when none does."""
    best, grown, pruned = 0.0, -1, -1
    for start in range(0, len(weights), of):
        stop = min(start + of, len(weights))
        for p in range(start, stop):
            if mask[p]:
                continue
            gain = weights[p] * (weights[p] * hessian[p, p] - 2.0 * lost[p])
            for u in range(start, stop):
                if mask[u]:
                    change = weights[u] * (
                        weights[u] * hessian[u, u]
                        + 2.0 * lost[u]
                        - 2.0 * weights[p] * hessian[p, u]
                    )
                    if gain + change < best:
                        best, grown, pruned = gain + change, p, u
    if grown < 0:
        return False
    mask[grown], mask[pruned] = True, False
    for column in range(len(weights)):
        lost[column] += (
            weights[pruned] * hessian[pruned, column] - weights[grown] * hessian[grown, column]
        )
    return True
