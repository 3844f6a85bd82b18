"""Random projections for the GPU kernels' tests, and the exact product in float64."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sslc.runtime.delta4 import encode_delta4
from sslc.runtime.gpu_operands import GpuOperands, place_operands


@dataclass(frozen=True)
class Projection:
    """S, U, V and a bias, as dense tensors and as the kernels' operands."""

    sparse: Tensor
    u: Tensor
    v: Tensor
    bias: Tensor | None
    operands: GpuOperands

    def relative_error(self, y: Tensor, x: Tensor) -> float:
        """max |y − y64| / (|W| |x|), float64 of the stored operands."""
        s, u, v, x = (t.double() for t in (self.sparse, self.u, self.v, x))
        exact = x @ (s + u @ v.T).T
        size = x.abs() @ (s.abs() + u.abs() @ v.abs().T).T
        if self.bias is not None:
            exact, size = exact + self.bias.double(), size + self.bias.double().abs()
        return float(((y.double() - exact).abs() / size.clamp(min=1e-300)).max())


def projection(
    m: int, n: int, density: float, rank: int, *, dtype: torch.dtype, bias: bool, seed: int = 0
) -> Projection:
    """A projection whose middle row keeps nothing."""
    torch.manual_seed(seed)
    mask = torch.rand(m, n) < density
    mask[m // 2] = False
    sparse = (torch.randn(m, n) * mask).to(dtype)
    packed = np.packbits(mask.numpy(), axis=1, bitorder="little")
    values = sparse[mask].view(torch.int16).numpy().view(np.uint16)
    matrix = encode_delta4(packed, values, columns=n)
    u, v = torch.randn(m, rank).to(dtype), torch.randn(n, rank).to(dtype)
    shift = torch.randn(m) if bias else None
    operands = place_operands(matrix, u, v, bias=shift, device=torch.device("cpu"))
    return Projection(sparse, u, v, shift, operands)
