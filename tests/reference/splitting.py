"""ALPS and 3BASiL as their authors' programs run them, in float64 with explicit inverses.

B, D and V are n×m as there. Written from the programs' steps, apart from the package.
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def top(matrix: Matrix, count: int) -> Matrix:
    """The entries that are largest in size stay, the others are zero."""
    order = np.argsort(-np.abs(matrix).ravel(), kind="stable")
    kept = np.zeros(matrix.size)
    kept[order[:count]] = matrix.ravel()[order[:count]]
    return kept.reshape(matrix.shape)


def damped(inputs: Matrix, share: float, own: float = 0.0) -> Matrix:
    """X Xᵀ with a share of its mean diagonal added, and then a share of each entry's own."""
    hessian = inputs @ inputs.T
    hessian += share * np.mean(np.diag(hessian)) * np.eye(len(hessian))
    return hessian + own * np.diag(np.diag(hessian))


def best_low_rank(residual: Matrix, hessian: Matrix, rank: int) -> Matrix:
    """The L of a rank that is nearest in the norm of H, by a root of H and a full SVD."""
    values, basis = np.linalg.eigh(hessian)
    root = basis * np.sqrt(values)
    left, sizes, right = np.linalg.svd(residual @ root, full_matrices=False)
    low: Matrix = (left[:, :rank] * sizes[:rank]) @ right[:rank] @ np.linalg.inv(root)
    return low


def splitting(
    weight: Matrix,
    hessian: Matrix,
    count: int,
    *,
    every: int,
    growth: tuple[float, float, float],
    least: int,
    most: int,
    penalty: float = 0.1,
    basis: Matrix | None = None,
    turns: int = 0,
) -> tuple[Matrix, Matrix, int]:
    """The last B in the space of W (m×n, dense), L, and the number of iterations.

    L is there with a first basis of its columns, and so many turns of the basis an iteration.
    """
    norms = np.sqrt(np.diag(hessian))
    unit = hessian / np.outer(norms, norms)
    first = top((weight * norms).T, count)
    sparse, dual, low = first.copy(), np.zeros_like(first), np.zeros_like(weight)
    seen, grown = first != 0, False
    for iteration in range(1, most + 1):
        right = unit @ ((weight - low) * norms).T - dual + penalty * sparse
        dense = np.linalg.inv(unit + penalty * np.eye(len(unit))) @ right
        sparse = top(dense + dual / penalty, count)
        dual = dual + penalty * (dense - sparse)
        if basis is not None:
            basis, low = _turned(weight - dense.T / norms, hessian, basis, turns)
        if iteration % every:
            continue
        changed = int(((sparse != 0) ^ seen).sum())
        seen = sparse != 0
        if changed / count > 0.1:
            penalty, grown = penalty * growth[0], True
        elif changed / count > 0.005:
            penalty, grown = penalty * growth[1], True
        elif changed and grown:
            penalty *= growth[2]
        elif changed:
            penalty, sparse, dual = penalty / 5, first.copy(), np.zeros_like(first)
        elif grown:
            break
        else:
            penalty /= 5
        if iteration > least and changed / count < 3e-4:
            break
    return dense.T / norms, low, iteration


def conjugate_gradients(weight: Matrix, start: Matrix, hessian: Matrix, steps: int) -> Matrix:
    """Values at the nonzeros of ``start``, in the space of a unit diagonal, row by row."""
    norms = np.sqrt(np.diag(hessian))
    unit = hessian / np.outer(norms, norms)
    solved = np.zeros_like(weight)
    for row, (wanted, given) in enumerate(zip(weight * norms, start * norms, strict=True)):
        places = given != 0
        residual = (unit @ (wanted - given)) * places
        direction = residual.copy()
        for _ in range(steps):
            image = unit @ direction
            step = residual @ residual / max(direction @ image, 1e-300)
            given = given + step * direction
            after = (residual - step * image) * places
            direction = after + (after @ after) / max(residual @ residual, 1e-300) * direction
            residual = after
        solved[row] = given / norms
    return solved


def best_swaps(weight: Matrix, hessian: Matrix, kept: list[int], most: int) -> set[int]:
    """Exchanges in one row, each loss computed whole from the definition."""
    columns = set(range(len(weight)))

    def loss(now: set[int]) -> float:
        lost = np.where([column in now for column in range(len(weight))], 0.0, weight)
        return float(lost @ hessian @ lost)

    now = set(kept)
    for _ in range(most):
        tried = [(loss(now - {u} | {p}), u, p) for u in now for p in columns - now]
        least, pruned, grown = min(tried)
        if least >= loss(now):
            break
        now = now - {pruned} | {grown}
    return now


def joint_search(
    weight: Matrix,
    hessian: Matrix,
    count: int,
    start: Matrix,
    *,
    penalties: list[float],
    rounds: int,
    steps: int,
) -> tuple[Matrix, Matrix]:
    """S and L of SSLC-D from a first basis, a penalty for every iteration, the dual unscaled."""
    norms = np.sqrt(np.diag(hessian))
    unit, scaled = hessian / np.outer(norms, norms), weight * norms
    sparse, dual, low = top(scaled, count), np.zeros_like(scaled), np.zeros_like(scaled)
    basis = start
    for penalty in penalties:
        right = (scaled - low) @ unit - dual + penalty * sparse
        dense = np.linalg.solve(unit + penalty * np.eye(len(unit)), right.T).T
        basis, low = _turned(scaled - dense, unit, basis, 1)
        sparse = top(dense + dual / penalty, count)
        dual = dual + penalty * (dense - sparse)
    values = np.where(sparse != 0, dense, 0)
    for _ in range(rounds):
        basis, low = _turned(scaled - values, unit, basis, 2)
        values = conjugate_gradients(scaled - low, values, unit, steps)
    return values / norms, low / norms


def _turned(residual: Matrix, hessian: Matrix, basis: Matrix, steps: int) -> tuple[Matrix, Matrix]:
    """A basis turned towards the top eigenvectors of R H Rᵀ, and R projected on it."""
    for _ in range(steps):
        basis, _ = np.linalg.qr(residual @ hessian @ residual.T @ basis)
    return basis, basis @ basis.T @ residual
