"""Between numbers and the bytes that hold them: whole numbers of few bits, and their scales.

In memory S, U and V are floating point; what was rounded is a whole number (or one of float8) times
a bf16 scale, which float32 holds exactly, so that the number comes back from the value. Below
``record``.
"""

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from workloads.artifact.storage import INTEGER_BITS
from workloads.masks.packed import PackedMask

Floats = NDArray[np.float32]
LARGEST_FLOAT8 = 448.0
FLOAT8 = ml_dtypes.float8_e4m3fn


def pack_integers(numbers: NDArray[np.int8], bits: int) -> NDArray[np.uint8]:
    """Whole numbers of 6 or 4 bits as a stream of bits, lowest first.

    Args:
        numbers: Shape (k,), each within [−2^(bits − 1), 2^(bits − 1) − 1].
        bits: Of each.

    Returns:
        Shape (⌈k·bits / 8⌉,).
    """
    single = np.unpackbits(numbers.view(np.uint8)[:, None], axis=1, bitorder="little")
    return np.packbits(single[:, :bits], bitorder="little")


def unpack_integers(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.int8]:
    """The inverse of ``pack_integers``, for so many numbers.

    Raises:
        ValueError: Bits behind the last number are set.
    """
    single = np.unpackbits(packed, bitorder="little")
    if single[count * bits :].any():
        raise ValueError("has bits set behind the last number")
    whole = np.packbits(single[: count * bits].reshape(count, bits), axis=1, bitorder="little")
    sign = np.uint8(1 << (bits - 1))
    return ((whole[:, 0] ^ sign) - sign).view(np.int8)


def value_scales(mask: PackedMask, scales: NDArray[Any], scale_columns: int) -> Floats:
    """The scale of each value of S in row-major order.

    Args:
        mask: Places of S, m×n.
        scales: One for each group of columns of a row, shape (m, ⌈n / scale_columns⌉).
        scale_columns: A multiple of 8.
    """
    width = scale_columns // 8
    padded = np.pad(mask.bits, ((0, 0), (0, -mask.bits.shape[1] % width)))
    groups = padded.reshape(mask.rows, -1, width)
    counts = np.bitwise_count(groups).sum(axis=2, dtype=np.int64)
    return np.repeat(scales.astype(np.float32).ravel(), counts.ravel())


def number_values(values: NDArray[Any], scales: Floats) -> NDArray[np.int8]:
    """The whole numbers whose products with their scales are some values.

    Args:
        values: Shape (k,).
        scales: Shape (k,); values whose scale is 0 are 0.
    """
    divisors = np.where(scales > 0, scales, 1)
    return np.rint(values.astype(np.float32) / divisors).astype(np.int8)


def number_factor(factor: NDArray[Any], scales: NDArray[Any], kind: str) -> NDArray[Any]:
    """The numbers of a factor, as they are stored.

    Args:
        factor: U or V, k×r.
        scales: Of its columns, shape (r,).
        kind: ``I8`` or ``F8_E4M3``.
    """
    divisors = scales.astype(np.float32)
    quotients = factor.astype(np.float32) / np.where(divisors > 0, divisors, 1)
    if kind == "I8":
        return np.rint(quotients).astype(np.int8)
    return quotients.astype(FLOAT8)


def largest_number(kind: str) -> float:
    """The largest magnitude of a number of a format with scales, alike on both sides of 0."""
    if kind in INTEGER_BITS:
        return float(2 ** (INTEGER_BITS[kind] - 1) - 1)
    return LARGEST_FLOAT8
