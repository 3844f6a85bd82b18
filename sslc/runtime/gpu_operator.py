"""The GPU backends: delta-4 kernels up to 16 tokens, above them row panels and a GEMM.

``cuda`` compiles CUDA C++ for the device at hand (compute capability 9.0 and later) and is the
faster one; ``triton`` needs only Triton.
"""

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslc.runtime.backends import Backend, Projection
from sslc.runtime.cuda_driver import has_compiler
from sslc.runtime.cuda_kernels import CudaProduct, prepare_product
from sslc.runtime.delta4 import encode_delta4
from sslc.runtime.features import Availability
from sslc.runtime.gpu_expand import expand_rows, new_panel
from sslc.runtime.gpu_operands import (
    LARGEST_TOKENS,
    GpuOperands,
    check_tokens,
    place_operands,
)
from workloads.support.errors import InputError
from workloads.support.extras import how_to_install

PANEL_BYTES = 8 << 20
"""Of the rows of S that are written out at a time; writing them takes about 20 times as much."""

_EXPANSION = 20


@dataclass(frozen=True, eq=False)
class GpuOperator:
    """A projection in delta-4 on a device.

    Attributes:
        operands: The projection.
        multiply: The kernels of a backend: operands and x of 1 to 16 tokens give y.
    """

    operands: GpuOperands
    multiply: Callable[[GpuOperands, Tensor], Tensor]

    @property
    def weight_bytes(self) -> int:
        """S in delta-4, Vᵀ, U and bias."""
        bias = self.operands.bias
        return self.operands.bytes + (0 if bias is None else 4 * bias.numel())

    @property
    def extra_bytes(self) -> int:
        """The panel and what writing it takes."""
        return (1 + _EXPANSION) * 2 * self._panel_rows * self.operands.padded_columns

    @property
    def _panel_rows(self) -> int:
        return max(1, min(self.operands.rows, PANEL_BYTES // (2 * self.operands.padded_columns)))

    def __call__(self, x: Tensor) -> Tensor:
        """The product for x of shape (tokens, n), in the dtype of x."""
        own = x.detach().to(self.operands.dtype).contiguous()
        if len(x) <= LARGEST_TOKENS:
            return self.multiply(self.operands, own).to(x.dtype)
        return self._by_panels(own).to(x.dtype)

    def _by_panels(self, x: Tensor) -> Tensor:
        o = self.operands
        y = torch.empty(len(x), o.rows, dtype=x.dtype, device=x.device)
        inner = x @ o.v[: o.rank, : o.columns].T
        panel = new_panel(o, self._panel_rows)
        for first in range(0, o.rows, self._panel_rows):
            rows = slice(first, min(o.rows, first + self._panel_rows))
            part = (x @ expand_rows(o, first, panel).T).float()
            part += (inner @ o.u[rows, : o.rank].T).float()
            y[:, rows] = part if o.bias is None else part + o.bias[rows]
        return y


def gpu_operands(projection: Projection, device: torch.device) -> GpuOperands:
    """A projection as an artifact stores it, as GPU operands.

    Args:
        projection: bf16 or fp16.
        device: Where to put it.

    Returns:
        The operands.

    Raises:
        InputError: Its values have another dtype.
    """
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(projection.values.dtype.name)
    if dtype is None:
        kind = projection.values.dtype.name
        raise InputError(f"values are {kind}: the GPU backends take bfloat16 or float16")
    rows = len(projection.mask)
    bits = projection.values.view(np.uint16)
    matrix = encode_delta4(projection.mask, bits, columns=projection.columns)
    u = _factor(projection.u, rows, dtype)
    v = _factor(projection.v, projection.columns, dtype)
    bias = projection.bias
    shift = None if bias is None else torch.from_numpy(bias.astype(np.float32))
    return place_operands(matrix, u, v, bias=shift, device=device)


def _factor(array: NDArray[Any] | None, length: int, dtype: torch.dtype) -> Tensor:
    """A factor as a tensor; torch does not know numpy's bf16."""
    if array is None:
        return torch.zeros(length, 0, dtype=dtype)
    return torch.from_numpy(array.astype(np.float32)).to(dtype)


def prepare_cuda(projection: Projection) -> GpuOperator:
    """Put a projection on the current CUDA device for the CUDA kernel."""
    products: dict[int, CudaProduct] = {}
    multiply = functools.partial(_cuda_product, products)
    return GpuOperator(gpu_operands(projection, torch.device("cuda")), multiply)


def _cuda_product(products: dict[int, CudaProduct], operands: GpuOperands, x: Tensor) -> Tensor:
    """The CUDA kernel's product; kernels are compiled when their token count first comes."""
    tokens = check_tokens(operands, x)
    if tokens not in products:
        products[tokens] = prepare_product(operands, tokens)
    return products[tokens].multiply(x, overlap=True)


def prepare_triton(projection: Projection) -> GpuOperator:
    """Put a projection on the current CUDA device for the Triton kernels."""
    from sslc.runtime.triton_kernels import triton_product

    return GpuOperator(gpu_operands(projection, torch.device("cuda")), triton_product)


def cuda_availability() -> Availability:
    """Whether the CUDA kernel can run here."""
    if not torch.cuda.is_available():
        return Availability(False, "needs a CUDA device")
    major, minor = torch.cuda.get_device_capability()
    if major < 9:
        return Availability(False, f"needs compute capability 9.0, the device has {major}.{minor}")
    if not has_compiler():
        return Availability(False, "needs NVRTC, which torch for CUDA brings, or nvcc on PATH")
    return Availability(True)


def triton_availability() -> Availability:
    """Whether the Triton kernels can run here."""
    if not torch.cuda.is_available():
        return Availability(False, "needs a CUDA device")
    if importlib.util.find_spec("triton") is None:
        return Availability(False, f"needs Triton: {how_to_install('gpu')}")
    return Availability(True)


CUDA = Backend("cuda", "cuda", cuda_availability, prepare_cuda)
TRITON = Backend("triton", "cuda", triton_availability, prepare_triton)
