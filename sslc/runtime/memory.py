"""Buffers in huge pages, where a stream of weights need not wait for address translation."""

import mmap
from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

_ADVICE = getattr(mmap, "MADV_HUGEPAGE", None)
_SMALL = 1 << 21
"""Bytes of a huge page: less is left to numpy."""


def huge_zeros(count: int, dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros, in huge pages where the system gives them.

    Args:
        count: How many elements.
        dtype: Of an element.

    Returns:
        Shape (count,); it starts at a page when it fills a huge one.
    """
    size = count * np.dtype(dtype).itemsize
    if size < _SMALL:
        return np.zeros(count, dtype)
    buffer = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if _ADVICE is not None:
        buffer.madvise(_ADVICE)
    return np.frombuffer(buffer, dtype, count)


def as_tensor(array: NDArray[Any]) -> torch.Tensor:
    """The same memory as a tensor; torch does not know numpy's bf16."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
