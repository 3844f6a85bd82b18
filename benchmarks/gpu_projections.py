"""Compressed projections of random weights on the device, and every way to multiply with them.

A part of benchmarks.gpu, which runs it.
"""

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu_masks import pack_mask, random_row_mask
from reports.measuring.cuda_clock import ROTATION_BYTES, Call, Timing, time_calls
from reports.measuring.gpu_backends import two_of_four
from reports.measuring.memory import copies_needed
from sslc.runtime.cuda_kernels import CudaProduct, LaunchShape, prepare_product
from sslc.runtime.delta4 import encode_delta4
from sslc.runtime.gpu_operands import GpuOperands, place_operands
from sslc.runtime.triton_dense import dense_product
from sslc.runtime.triton_kernels import triton_product

RANK_SHARE = 0.0625
TOKENS = (1, 2, 4, 8, 16)
SPARSITIES = (0.5, 0.6, 0.7)


@dataclass(frozen=True)
class Shape:
    """A projection: m × n of a model, as often as a block has it."""

    model: str
    name: str
    rows: int
    columns: int
    count: int = 1

    @property
    def rank(self) -> int:
        """Rank at the rank share."""
        return int(RANK_SHARE * self.rows * self.columns / (self.rows + self.columns))


SHAPES = (
    Shape("LLaMA2-7B", "q_k_v_o", 4096, 4096, 4),
    Shape("LLaMA2-7B", "gate_up", 11008, 4096, 2),
    Shape("LLaMA2-7B", "down", 4096, 11008),
    Shape("Qwen2.5-7B", "q_o", 3584, 3584, 2),
    Shape("Qwen2.5-7B", "k_v", 512, 3584, 2),
    Shape("Qwen2.5-7B", "gate_up", 18944, 3584, 2),
    Shape("Qwen2.5-7B", "down", 3584, 18944),
)


def random_operands(
    shape: Shape, sparsity: float, rank: int, generator: torch.Generator
) -> GpuOperands:
    """A projection that keeps 1 − sparsity of its parameters, U and V among them."""
    kept = round((1 - sparsity) * shape.columns - rank * (1 + shape.columns / shape.rows))
    mask = random_row_mask(shape.rows, shape.columns, kept, generator)
    options: dict[str, Any] = {"device": "cuda", "generator": generator}
    values = torch.randn(shape.rows * kept, **options).to(torch.bfloat16)
    bits = values.view(torch.int16).cpu().numpy().view(np.uint16)
    matrix = encode_delta4(pack_mask(mask).cpu().numpy(), bits, columns=shape.columns)
    u = torch.randn(shape.rows, rank, **options).to(torch.bfloat16)
    v = torch.randn(shape.columns, rank, **options).to(torch.bfloat16)
    return place_operands(matrix, u, v, bias=None, device=torch.device("cuda"))


def clone_operands(operands: GpuOperands) -> GpuOperands:
    """The same projection in other memory."""
    names = ("values", "codes", "starts", "row_chunks", "v", "u")
    return dataclasses.replace(
        operands, **{name: getattr(operands, name).clone() for name in names}
    )


def rotation(operands: GpuOperands) -> list[GpuOperands]:
    """Copies that L2 cannot hold together."""
    return [clone_operands(operands) for _ in range(copies_needed(operands.bytes, ROTATION_BYTES))]


def cuda_calls(
    copies: list[GpuOperands], x: Tensor, shape: LaunchShape, *, overlap: bool
) -> list[Call]:
    """Our CUDA kernel on each copy."""
    first = prepare_product(copies[0], x.shape[0], shape=shape)
    products = [dataclasses.replace(first, operands=copy) for copy in copies]
    y = torch.empty(x.shape[0], copies[0].rows, dtype=x.dtype, device="cuda")

    def call(product: CudaProduct) -> Call:
        return lambda: product.multiply(x, y=y, overlap=overlap)

    return [call(product) for product in products]


def triton_calls(copies: list[GpuOperands], x: Tensor, unroll: int) -> list[Call]:
    """Our Triton kernels on each copy."""

    def call(copy: GpuOperands) -> Call:
        return lambda: triton_product(copy, x, unroll=unroll)

    return [call(copy) for copy in copies]


def dense_calls(weights: list[Tensor], x: Tensor) -> dict[str, list[Call]]:
    """Dense products on each copy: cuBLAS by linear and by mv, and our own for one token."""
    calls: dict[str, list[Call]] = {
        "dense_linear": [partial(functional.linear, x, w) for w in weights]
    }
    if x.shape[0] == 1:
        calls["dense_mv"] = [partial(torch.mv, w, x[0]) for w in weights]
        calls["dense_own"] = [partial(dense_product, w, x, overlap=False) for w in weights]
        calls["dense_own_overlapped"] = [
            partial(dense_product, w, x, overlap=True) for w in weights
        ]
    return calls


def time_dense(shape: Shape, tokens: int, generator: torch.Generator) -> dict[str, Timing]:
    """Every dense product of a shape."""
    options: dict[str, Any] = {"device": "cuda", "dtype": torch.bfloat16, "generator": generator}
    copies = copies_needed(2 * shape.rows * shape.columns, ROTATION_BYTES)
    weights = [torch.randn(shape.rows, shape.columns, **options) for _ in range(copies)]
    x = torch.randn(tokens, shape.columns, **options)
    return {name: time_calls(calls) for name, calls in dense_calls(weights, x).items()}


def time_two_of_four(shape: Shape, tokens: int, generator: torch.Generator) -> Timing:
    """torch's semi-structured product; its tokens are padded to 8."""
    options: dict[str, Any] = {"device": "cuda", "dtype": torch.bfloat16, "generator": generator}
    copies = copies_needed(shape.rows * shape.columns * 9 // 8, ROTATION_BYTES)
    weights = [
        two_of_four(torch.randn(shape.rows, shape.columns, **options)) for _ in range(copies)
    ]
    x = torch.randn(max(8, tokens), shape.columns, **options)
    return time_calls([partial(functional.linear, x, w) for w in weights])
