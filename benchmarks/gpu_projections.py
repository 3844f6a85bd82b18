"""Compressed projections of random weights on the device, and every way to multiply with them.

A part of benchmarks.gpu, which runs it.
"""

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional
from torch.sparse import to_sparse_semi_structured
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from benchmarks.gpu_timing import (
    Call,
    Timing,
    copies_needed,
    pack_mask,
    random_row_mask,
    time_calls,
)
from sslc.runtime.cuda_kernels import CudaProduct, LaunchShape, prepare_product
from sslc.runtime.delta4 import encode_delta4
from sslc.runtime.gpu_operands import GpuOperands, place_operands
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
    return [clone_operands(operands) for _ in range(copies_needed(operands.bytes))]


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


@triton.jit  # type: ignore[untyped-decorator]
def dense_kernel(  # type: ignore[no-untyped-def]
    w, x, y, columns, COLUMNS: tl.constexpr, EARLY: tl.constexpr
):
    """y = W x, a row for each program; early: the first weights come while the last kernel ends."""
    row = tl.program_id(0)
    j = tl.arange(0, COLUMNS)
    rows_w = w + row.to(tl.int64) * columns
    weight = tl.load(rows_w + j, mask=j < columns, other=0.0)
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()
    total = tl.zeros([COLUMNS], tl.float32)
    for start in range(0, columns, COLUMNS):
        j = start + tl.arange(0, COLUMNS)
        part = tl.load(x + j, mask=j < columns, other=0.0).to(tl.float32)
        total += weight.to(tl.float32) * part
        j += COLUMNS
        weight = tl.load(rows_w + j, mask=j < columns, other=0.0)
    tl.store(y + row, tl.sum(total, 0).to(y.dtype.element_ty))


def dense_product(w: Tensor, x: Tensor, *, overlap: bool) -> Tensor:
    """W x for one token by a dense kernel of our own."""
    y = torch.empty(1, w.shape[0], dtype=x.dtype, device="cuda")
    dense_kernel[(w.shape[0],)](
        w, x, y, w.shape[1], COLUMNS=2048, EARLY=overlap, num_warps=4, launch_pdl=overlap
    )
    return y


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
    copies = copies_needed(2 * shape.rows * shape.columns)
    weights = [torch.randn(shape.rows, shape.columns, **options) for _ in range(copies)]
    x = torch.randn(tokens, shape.columns, **options)
    return {name: time_calls(calls) for name, calls in dense_calls(weights, x).items()}


def time_two_of_four(shape: Shape, tokens: int, generator: torch.Generator) -> Timing:
    """torch's semi-structured product; its tokens are padded to 8."""
    options: dict[str, Any] = {"device": "cuda", "dtype": torch.bfloat16, "generator": generator}
    copies = copies_needed(shape.rows * shape.columns * 9 // 8)
    mask = torch.tensor([1, 0, 1, 0], device="cuda", dtype=torch.bfloat16)
    mask = mask.repeat(shape.columns // 4)
    weights = [
        to_sparse_semi_structured(torch.randn(shape.rows, shape.columns, **options) * mask)
        for _ in range(copies)
    ]
    x = torch.randn(max(8, tokens), shape.columns, **options)
    return time_calls([partial(functional.linear, x, w) for w in weights])
