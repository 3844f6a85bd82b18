"""int8 in groups of 128 columns, for weights once and for x before each product.

A group's scale is its largest magnitude / 127: bf16 for weights, as they are stored, fp32 for x.
"""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from sslc.runtime.bitmap import SCALE_COLUMNS, SparseRows, padded

_LARGEST = 127


@dataclass(frozen=True, eq=False)
class QuantizedX:
    """x ≈ numbers · scale of the group.

    Attributes:
        numbers: Shape (tokens, ⌈n/128⌉·128), int8.
        scales: Shape (tokens, ⌈n/128⌉), fp32.
    """

    numbers: NDArray[np.int8]
    scales: NDArray[np.float32]


def quantize_x(x: NDArray[np.float32]) -> QuantizedX:
    """Round x (tokens×n) to int8, with a scale for each token and 128 columns."""
    full = np.zeros((len(x), padded(x.shape[1], SCALE_COLUMNS)), np.float32)
    full[:, : x.shape[1]] = x
    groups = full.reshape(len(x), -1, SCALE_COLUMNS)
    scales = np.abs(groups).max(axis=2) / np.float32(_LARGEST)
    numbers = np.rint(groups / np.where(scales > 0, scales, 1)[:, :, None])
    return QuantizedX(numbers.astype(np.int8).reshape(full.shape), scales)


def quantize_rows(sparse: SparseRows) -> SparseRows:
    """Round S to int8 with one bf16 scale for each 128 columns of a row.

    Args:
        sparse: S with values of any floating-point type.
    """
    bits = np.unpackbits(sparse.mask, axis=1, count=sparse.columns, bitorder="little")
    rows, columns = np.divmod(np.flatnonzero(bits), sparse.columns)
    group = rows, columns // SCALE_COLUMNS
    values = np.asarray(sparse.values, np.float32)
    largest = np.zeros((len(bits), -(-sparse.columns // SCALE_COLUMNS)), np.float32)
    np.maximum.at(largest, group, np.abs(values))
    scales: NDArray[Any] = (largest / _LARGEST).astype(ml_dtypes.bfloat16)
    divisors = scales.astype(np.float32)[group]
    numbers = np.rint(values / np.where(divisors > 0, divisors, 1))
    numbers = np.clip(numbers, -_LARGEST, _LARGEST).astype(np.int8)
    return SparseRows(sparse.mask, numbers, sparse.columns, scales)
