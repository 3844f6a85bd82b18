"""Tokens one by one from a LLaMA2-7B-shaped stack of random weights: dense against compressed.

A part of benchmarks.gpu, which runs it.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu_projections import (
    SPARSITIES,
    Shape,
    clone_operands,
    random_operands,
)
from benchmarks.gpu_speed import launch_shape
from benchmarks.gpu_stack import (
    HIDDEN,
    PROJECTIONS,
    VOCABULARY,
    Block,
    Generation,
    Linear,
    generate,
    new_cache,
)
from sslc.runtime.cuda_kernels import prepare_product
from sslc.runtime.gpu_operands import GpuOperands
from sslc.runtime.triton_dense import dense_product

Report = dict[str, Any]
Generate = Callable[[list[Block]], Generation]
LARGEST_RECONSTRUCTED = 4  # blocks whose dense reconstruction is made and compared with
DENSE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "dense_linear": lambda w, x: functional.linear(x, w),
    "dense_own": lambda w, x: dense_product(w, x, overlap=False),
    "dense_own_overlapped": lambda w, x: dense_product(w, x, overlap=True),
}


def generation(report: Report, blocks: int, tokens: int) -> Report:
    """Dense, and every sparsity with the rank inside the budget."""
    generator = torch.Generator("cuda").manual_seed(3)
    options: dict[str, Any] = {"device": "cuda", "dtype": torch.bfloat16, "generator": generator}
    embedding = torch.randn(VOCABULARY, HIDDEN, **options)
    head = torch.randn(VOCABULARY, HIDDEN, **options) / HIDDEN**0.5
    run = functools.partial(generate, embedding=embedding, head=head, tokens=tokens)
    rows = dense_rows(run, blocks, tokens, options)
    for sparsity in SPARSITIES:
        torch.cuda.empty_cache()
        rows += sparse_rows(run, report, sparsity, blocks, tokens, generator)
    alone = min(row["seconds_per_token"] for row in rows if "sparsity" not in row)
    with_head = min(row["seconds_per_token_with_head"] for row in rows if "sparsity" not in row)
    for row in rows:
        row["speedup"] = alone / row["seconds_per_token"]
        row["speedup_with_head"] = with_head / row["seconds_per_token_with_head"]
        row["speedup_over_torch"] = rows[0]["seconds_per_token"] / row["seconds_per_token"]
    return {"blocks": blocks, "tokens": tokens, "rows": rows}


def dense_rows(run: Generate, blocks: int, tokens: int, options: dict[str, Any]) -> list[Report]:
    """The dense stack by each dense product."""
    first = {name: torch.randn(m, n, **options) / n**0.5 for name, m, n in PROJECTIONS}
    weights = [{name: weight.clone() for name, weight in first.items()} for _ in range(blocks)]
    rows = []
    for name, product in DENSE.items():
        stack = [
            Block(
                {n: functools.partial(product, w) for n, w in part.items()}, new_cache(tokens + 8)
            )
            for part in weights
        ]
        rows.append(seconds_row(name, run(stack)))
    return rows


def sparse_rows(
    run: Generate,
    report: Report,
    sparsity: float,
    blocks: int,
    tokens: int,
    generator: torch.Generator,
) -> list[Report]:
    """One compressed stack, launches apart and overlapped, and how its tokens and logits agree."""
    shapes = {name: Shape("", name, m, n) for name, m, n in PROJECTIONS}
    first = {
        name: scaled(random_operands(shape, sparsity, shape.rank, generator))
        for name, shape in shapes.items()
    }
    copies = [{name: clone_operands(o) for name, o in first.items()} for _ in range(blocks)]
    chosen = {name: launch_shape(report, shape, 1, True) for name, shape in shapes.items()}
    made = {}
    for overlap, backend in ((False, "cuda"), (True, "cuda_overlapped")):
        stack = []
        for part in copies:
            products = {name: prepare_product(o, 1, shape=chosen[name]) for name, o in part.items()}
            linears: dict[str, Linear] = {
                name: functools.partial(product.multiply, overlap=overlap)
                for name, product in products.items()
            }
            stack.append(Block(linears, new_cache(tokens + 8)))
        made[backend] = run(stack)
    rows = [{"sparsity": sparsity, **seconds_row(name, ours)} for name, ours in made.items()]
    rows[1]["tokens_equal_to_cuda"] = equal_tokens(*made.values())
    if blocks <= LARGEST_RECONSTRUCTED:
        dense = {name: reconstruction(operands) for name, operands in first.items()}
        multiplied: dict[str, Linear] = {
            n: functools.partial(functional.linear, weight=w) for n, w in dense.items()
        }
        exact = run([Block(multiplied, new_cache(tokens + 8)) for _ in range(blocks)])
        for row, ours in zip(rows, made.values(), strict=True):
            row["tokens_equal_to_reconstruction"] = equal_tokens(exact, ours)
            difference = (ours.first_logits - exact.first_logits).norm()
            row["first_logits_relative_difference"] = float(difference / exact.first_logits.norm())
    return rows


def seconds_row(name: str, made: Generation) -> Report:
    """The timed part of a row."""
    return {
        "weights": name,
        "seconds_per_token": made.seconds,
        "seconds_per_token_with_head": made.seconds_with_head,
    }


def equal_tokens(first: Generation, second: Generation) -> int:
    """Tokens from the start on which two generations agree."""
    pairs = zip(first.tokens, second.tokens, strict=True)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(first.tokens))


def scaled(operands: GpuOperands) -> GpuOperands:
    """The projection with outputs of about unit size."""
    values = operands.values.view(torch.bfloat16) / operands.columns**0.5
    return dataclasses.replace(
        operands,
        values=values.view(torch.int32),
        v=operands.v / operands.columns**0.5,
        u=operands.u / max(1, operands.rank) ** 0.5,
    )


def reconstruction(operands: GpuOperands) -> Tensor:
    """S + U Vᵀ as the kernel multiplies it, 16 columns of the identity at a time, in bf16."""
    product = prepare_product(operands, 16)
    dense = torch.empty(operands.columns, operands.rows, dtype=torch.bfloat16, device="cuda")
    identity = torch.zeros(16, operands.columns, dtype=torch.bfloat16, device="cuda")
    for start in range(0, operands.columns, 16):
        identity.zero_()
        identity[:, start : start + 16] = torch.eye(16, device="cuda")
        product.multiply(identity, y=dense[start : start + 16])
    return dense.T.contiguous()
