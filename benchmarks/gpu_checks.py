"""Are the kernels right on this device: ragged shapes against float64 of the stored operands.

A part of benchmarks.gpu, which runs it.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_masks import pack_mask
from sslc.runtime.cuda_kernels import prepare_product
from sslc.runtime.delta4 import encode_delta4
from sslc.runtime.gpu_operands import GpuOperands, place_operands
from sslc.runtime.triton_kernels import triton_product

LIMIT = 1e-5
# rows, columns, kept fraction, rank
CASES = (
    (3, 5, 0.5, 0), (40, 1000, 0.5, 3), (17, 130, 0.01, 1), (9, 640, 1.0, 8), (33, 777, 0.0, 5),
    (257, 4096, 0.5, 128), (64, 11008, 0.3, 17), (100, 18944, 0.4, 300), (4096, 4096, 0.5, 0),
)  # fmt: skip


def correctness() -> dict[str, Any]:
    """Largest |y − y64| / (|W||x|) of every kernel, its output in fp32."""
    worst: dict[str, float] = {}
    rows = []
    for number, (m, n, kept, rank) in enumerate(CASES):
        dtype = torch.float16 if number % 3 == 1 else torch.bfloat16
        case = RaggedCase(m, n, kept, rank, dtype, seed=number)
        for tokens in (1, 2, 3, 4, 7, 8, 16):
            x = torch.randn(tokens, n, device="cuda").to(dtype)
            for name, y in products(case.operands, x).items():
                error = case.relative_error(y, x)
                worst[name] = max(worst.get(name, 0.0), error)
                shape = {"rows": m, "columns": n, "kept_fraction": kept, "rank": rank}
                kind = {"dtype": str(dtype), "tokens": tokens, "kernel": name}
                rows.append({**shape, **kind, "error": error})
    return {"worst": worst, "limit": LIMIT, "correct": max(worst.values()) <= LIMIT, "cases": rows}


class RaggedCase:
    """A random projection on the device, dense and as operands; its middle row keeps nothing."""

    def __init__(self, m: int, n: int, kept: float, rank: int, dtype: torch.dtype, *, seed: int):
        torch.manual_seed(seed)
        mask = torch.rand(m, n, device="cuda") < kept
        mask[m // 2] = False
        self.sparse = (torch.randn(m, n, device="cuda") * mask).to(dtype)
        bits = self.sparse[mask].view(torch.int16).cpu().numpy().view(np.uint16)
        matrix = encode_delta4(pack_mask(mask).cpu().numpy(), bits, columns=n)
        self.u, self.v = (torch.randn(size, rank, device="cuda").to(dtype) for size in (m, n))
        self.bias = torch.randn(m, device="cuda") if seed % 2 else None
        device = torch.device("cuda")
        self.operands = place_operands(matrix, self.u, self.v, bias=self.bias, device=device)

    def relative_error(self, y: Tensor, x: Tensor) -> float:
        """max |y − y64| / (|W||x|); infinite where an output was not written."""
        s, u, v, x = (tensor.double() for tensor in (self.sparse, self.u, self.v, x))
        exact = x @ (s + u @ v.T).T
        size = x.abs() @ (s.abs() + u.abs() @ v.abs().T).T
        if self.bias is not None:
            exact, size = exact + self.bias.double(), size + self.bias.double().abs()
        error = (y.double() - exact).abs() / size.clamp(min=1e-300)
        return float("inf") if error.isnan().any() else float(error.max())


def products(operands: GpuOperands, x: Tensor) -> dict[str, Tensor]:
    """The product by every kernel; by CUDA twice in a row, so that its counters are used again."""
    product = prepare_product(operands, x.shape[0])
    results = {"triton": triton_product(operands, x, output=torch.float32)}
    for name, overlap in (("cuda", False), ("cuda_overlapped", True)):
        for _ in range(2):
            y = torch.full((x.shape[0], operands.rows), torch.nan, device="cuda")
            product.multiply(x, y=y, overlap=overlap)
        results[name] = y
    return results
