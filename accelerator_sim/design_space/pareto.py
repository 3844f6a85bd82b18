"""The exact Pareto front of a set of points. Pure."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
