"""Triton kernels over delta-4: y = S x + U (Vᵀ x) for 1 to 16 tokens.

One warp takes one row of 256 entries a step, eight a lane; a lane keeps its own running column, so
that no prefix sum crosses lanes. Two launches: the projection Vᵀ x, then S x with U inside. With
``TRITON_INTERPRET=1`` the same kernels run on the CPU.
"""

import functools

import torch
import triton
import triton.language as tl
from torch import Tensor

from sslc.runtime.gpu_operands import GpuOperands, check_tokens

PACKERS = 4
NIBBLES = tl.constexpr(0x0F0F0F0F)
PREFIX = tl.constexpr(0x01010101)


@triton.jit  # type: ignore[untyped-decorator]
def _widen(bits, HALF: tl.constexpr):  # type: ignore[no-untyped-def]
    """The low 16 bits of a word as fp32: bf16, or fp16."""
    if HALF:
        return (bits & 0xFFFF).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
    return (bits << 16).to(tl.float32, bitcast=True)


@triton.jit  # type: ignore[untyped-decorator]
def _widen_high(bits, HALF: tl.constexpr):  # type: ignore[no-untyped-def]
    """The high 16 bits of a word as fp32."""
    if HALF:
        return (bits >> 16).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
    return (bits & -65536).to(tl.float32, bitcast=True)


@triton.jit  # type: ignore[untyped-decorator]
def _pair(  # type: ignore[no-untyped-def]
    acc, word, even, odd, column, x, K: tl.constexpr, TOKENS: tl.constexpr, HALF: tl.constexpr
):
    """Entries 2K and 2K + 1 of a chunk: two values, two gathered columns of x."""
    token = tl.arange(0, TOKENS)[None, :]
    left = (column + ((even >> (8 * K)) & 255)) * TOKENS
    right = (column + ((odd >> (8 * K)) & 255)) * TOKENS
    x_left = tl.load(x + (left[:, None] + (2 * K * TOKENS + token)))
    x_right = tl.load(x + (right[:, None] + ((2 * K + 1) * TOKENS + token)))
    acc += _widen(word, HALF)[:, None] * x_left
    acc += _widen_high(word, HALF)[:, None] * x_right
    return acc


@triton.jit(do_not_specialize=["rows", "rank_eighths"])  # type: ignore[untyped-decorator]
def delta4_kernel(  # type: ignore[no-untyped-def]
    values,
    codes,
    starts,
    row_chunks,
    x,
    u,
    projected,
    bias,
    y,
    rows,
    rank_eighths,
    TOKENS: tl.constexpr,
    RANKS: tl.constexpr,
    UNROLL: tl.constexpr,
    BIAS: tl.constexpr,
    HALF: tl.constexpr,
):
    """y[t, row] = S[row, :] x[t] + U[row, :] projected[t] + bias[row], a row for each program.

    ``values`` is read as words of two, ``x`` and ``projected`` have their tokens side by side, and
    ``x`` ends in eight zero columns, where a row's padding may point.
    """
    row = tl.program_id(0)
    rank = rank_eighths * 8
    lane = tl.arange(0, 32)
    first = tl.load(row_chunks + row)
    chunks = tl.load(row_chunks + row + 1) - first
    column = tl.load(starts + row * 32 + lane).to(tl.int32) & 0xFFFF
    acc = tl.zeros([32, TOKENS], tl.float32)
    word = tl.arange(0, 4)[None, :]
    place = first + lane
    code = tl.load(codes + place, mask=lane < chunks, other=0)
    words = tl.load(values + (place[:, None] * 4 + word), mask=(lane < chunks)[:, None], other=0)
    for step in tl.range(0, chunks, 32, loop_unroll_factor=UNROLL):
        active = step + 32 + lane < chunks  # in the next step; a lane at its end rests at column 0
        place += 32
        next_code = tl.load(codes + place, mask=active, other=0)
        next_words = tl.load(values + (place[:, None] * 4 + word), mask=active[:, None], other=0)
        words_02, words_13 = tl.split(tl.reshape(words, [32, 2, 2]))
        w0, w2 = tl.split(words_02)
        w1, w3 = tl.split(words_13)
        odds = (code >> 4) & NIBBLES
        odd = ((code & NIBBLES) + odds) * PREFIX
        even = odd - odds
        acc = _pair(acc, w0, even, odd, column, x, 0, TOKENS, HALF)
        acc = _pair(acc, w1, even, odd, column, x, 1, TOKENS, HALF)
        acc = _pair(acc, w2, even, odd, column, x, 2, TOKENS, HALF)
        acc = _pair(acc, w3, even, odd, column, x, 3, TOKENS, HALF)
        column = tl.where(active, column + ((odd >> 24) & 255) + 8, 0)
        code, words = next_code, next_words
    total = tl.sum(acc, 0)
    token = tl.arange(0, TOKENS)
    for start in range(0, rank, RANKS):
        k = start + tl.arange(0, RANKS)
        known = k < rank
        factor = tl.load(u + row.to(tl.int64) * rank + k, mask=known, other=0.0).to(tl.float32)
        sides = k[:, None] * TOKENS + token[None, :]
        t = tl.load(projected + sides, mask=known[:, None], other=0.0)
        total += tl.sum(factor[:, None] * t, 0)
    if BIAS:
        total += tl.load(bias + row)
    tl.store(y + token * rows + row, total.to(y.dtype.element_ty))


@triton.jit(do_not_specialize=["columns", "chunks", "tokens"])  # type: ignore[untyped-decorator]
def prepare_kernel(  # type: ignore[no-untyped-def]
    x,
    v,
    packed,
    projected,
    columns,
    chunks,
    tokens,
    TOKENS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PACKERS: tl.constexpr,
):
    """The first PACKERS programs put x's tokens side by side in fp32; the others make Vᵀ x."""
    program = tl.program_id(0)
    padded_columns = chunks * 8
    token = tl.arange(0, TOKENS)
    if program < PACKERS:
        for start in range(program * COLUMNS, padded_columns, PACKERS * COLUMNS):
            j = start + tl.arange(0, COLUMNS)
            known = (j < columns)[:, None] & (token < tokens)[None, :]
            part = tl.load(x + (token[None, :] * columns + j[:, None]), mask=known, other=0.0)
            place = j[:, None] * TOKENS + token[None, :]
            tl.store(packed + place, part.to(tl.float32), mask=(j < padded_columns)[:, None])
    else:
        k = program - PACKERS
        total = tl.zeros([COLUMNS, TOKENS], tl.float32)
        for start in range(0, columns, COLUMNS):
            j = start + tl.arange(0, COLUMNS)
            known = (j < columns)[:, None] & (token < tokens)[None, :]
            factor = tl.load(v + (k * padded_columns + j), mask=j < columns, other=0.0)
            part = tl.load(x + (token[None, :] * columns + j[:, None]), mask=known, other=0.0)
            total += factor.to(tl.float32)[:, None] * part.to(tl.float32)
        tl.store(projected + (k * TOKENS + token), tl.sum(total, 0))


def triton_product(
    operands: GpuOperands, x: Tensor, *, unroll: int = 0, output: torch.dtype | None = None
) -> Tensor:
    """y = S x + U (Vᵀ x) + bias by Triton.

    Args:
        operands: The projection.
        x: tokens × n, 1 to 16 tokens.
        unroll: Steps of a row in flight at once; 0 for what suits the tokens.
        output: dtype of y; the operands' by default.

    Returns:
        tokens × m.

    Raises:
        InputError: x does not fit.
    """
    tokens = check_tokens(operands, x)
    x = x.contiguous()
    new = functools.partial(torch.empty, dtype=torch.float32, device=x.device)
    packed = new(operands.padded_columns, tokens)
    projected = new(max(1, operands.padded_rank), tokens)
    y = torch.empty(tokens, operands.rows, dtype=output or operands.dtype, device=x.device)
    prepare_kernel[(PACKERS + operands.padded_rank,)](
        x, operands.v, packed, projected, operands.columns, operands.padded_columns // 8,
        x.shape[0],
        TOKENS=tokens, COLUMNS=1024 // tokens, PACKERS=PACKERS, num_warps=4,
    )  # fmt: skip
    bias = operands.bias
    delta4_kernel[(operands.rows,)](
        operands.values, operands.codes, operands.starts, operands.row_chunks, packed,
        operands.u, projected, projected if bias is None else bias, y,
        operands.rows, operands.padded_rank // 8,
        TOKENS=tokens, RANKS=64, UNROLL=unroll or max(1, 4 // tokens), BIAS=bias is not None,
        HALF=operands.dtype == torch.float16, num_warps=1,
    )  # fmt: skip
    return y[: x.shape[0]]
