"""Whether a mask keeps at most N of each M consecutive columns of a row."""

import numpy as np
from numpy.typing import NDArray

from workloads.masks.memo import counted
from workloads.masks.packed import PackedMask
from workloads.support.compiled import compiled


def overfull_group(
    mask: PackedMask, dense_columns: NDArray[np.bool_], most: int, group: int
) -> tuple[int, int] | None:
    """The first group of columns of a row with too many nonzeros, if there is one.

    Kept while the mask lives: every tile that is tried asks for it.

    Args:
        mask: m×n mask.
        dense_columns: Shape (n,); columns whose nonzeros do not count.
        most: N.
        group: M; the last group of a row may be narrower.

    Returns:
        Its row and first column, both from 0; None when the mask is N:M.
    """

    def find() -> tuple[int, int] | None:
        groups = -(-mask.columns // group)
        number = _first_overfull(np.asarray(mask.bits), dense_columns, most, group, groups)
        return None if number < 0 else (number // groups, number % groups * group)

    return counted(mask, ("n of m", most, group, np.packbits(dense_columns).tobytes()), find)


@compiled
def _first_overfull(
    bits: NDArray[np.uint8], dense: NDArray[np.bool_], most: int, group: int, groups: int
) -> int:
    """Number of the first group with more than ``most`` nonzeros, row by row; -1: none."""
    for row in range(bits.shape[0]):
        for number in range(groups):
            nonzeros = 0
            for column in range(number * group, min((number + 1) * group, len(dense))):
                if not dense[column]:
                    nonzeros += (bits[row, column >> 3] >> (column & 7)) & 1
            if nonzeros > most:
                return row * groups + number
    return -1
