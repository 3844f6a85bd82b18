"""The exact Pareto front of a set of points, a thinner one, and its knee. Pure."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LEAST_FOR_A_KNEE = 3


def pareto_front(values: ArrayLike) -> NDArray[np.int64]:
    """Points that no other point beats: none is as good in every objective and better in one.

    Points that are equal in every objective stand or fall together.

    Args:
        values: Shape (points, objectives); less is better in each.

    Returns:
        Indices of the points on the front, ascending.

    Raises:
        ValueError: The array is not two-dimensional, or holds a value that is not a number.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"values must have shape (points, objectives), got {table.shape}")
    if np.isnan(table).any():
        raise ValueError("values must be numbers; a point without one has no place on a front")
    left = np.lexsort(table.T[::-1])
    front: list[NDArray[np.int64]] = []
    while len(left):
        best = table[left[0]]
        same = (table[left] == best).all(axis=1)
        front.append(left[same])
        left = left[~(table[left] >= best).all(axis=1)]
    return np.sort(np.concatenate(front)) if front else np.zeros(0, dtype=np.int64)


def within_tolerance(front: ArrayLike, tolerance: float) -> NDArray[np.int64]:
    """Points that stand for a whole front: no other one is better than all of them by more.

    Taken in order: a point stays unless one that stayed is at most a share worse than it in every
    objective.

    Args:
        front: Shape (points, objectives); less is better in each.
        tolerance: Share of a value, at least 0.

    Returns:
        Indices of those that stay, ascending; all distinct ones for 0.
    """
    table = np.asarray(front, dtype=np.float64)
    stay: list[int] = []
    for index, point in enumerate(table):
        limit = point + tolerance * np.abs(point)
        if not stay or not (table[stay] <= limit).all(axis=1).any():
            stay.append(index)
    return np.array(stay, dtype=np.int64)


def knee(front: ArrayLike) -> int | None:
    """The point farthest from the plane through the ends of a front, towards the good side.

    Values are compared by their logarithms where all of an objective have one sign, so that a
    front over decades has its knee where a small loss in one objective buys much of another; then
    every objective is scaled to [0, 1] over the front. There the plane is where the sum is 1.

    Args:
        front: Shape (points, objectives); less is better in each.

    Returns:
        Its index, the first of equals; None for fewer than three points or one objective.

    Source: Das 1999, On characterizing the "knee" of the Pareto curve based on normal-boundary
    intersection; the logarithms are ours.
    """
    table = np.array(front, dtype=np.float64)
    if len(table) < _LEAST_FOR_A_KNEE or table.shape[1] == 1:
        return None
    for column in table.T:
        if (column > 0).all() or (column < 0).all():
            column[:] = np.log(np.abs(column)) * np.sign(column)
    low, extent = table.min(axis=0), np.ptp(table, axis=0)
    scaled = (table - low) / np.where(extent > 0, extent, 1.0)
    return int(scaled.sum(axis=1).argmin())
