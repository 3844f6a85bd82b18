"""Running the CPU kernels: arguments, threads, and blocks of tokens.

``multiply`` is the one operation of a compressed projection; ``multiply_dense`` is the baseline
that it is compared with: rows of the same kind of values, streamed once.
"""

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from sslc.runtime.bitmap import (
    COLUMN_BLOCK,
    GROUP_ROWS,
    INT8,
    RANK_BLOCK,
    SCALE_COLUMNS,
    BitmapMatrix,
    ValueType,
    padded,
)
from sslc.runtime.emit import Compiled, Kernel, compile_module
from sslc.runtime.expand import emit_expand
from sslc.runtime.features import AVX512, Level, required_level
from sslc.runtime.integer_chunk import x_bytes
from sslc.runtime.kernels import COUNTERS, Argument, emit_dense, emit_sparse
from sslc.runtime.memory import huge_zeros
from sslc.runtime.quantize import quantize_x
from sslc.runtime.unpack import factor_kind, lane_order
from workloads.support.errors import InputError

Floats = NDArray[np.float32]

MOST_TOKENS = 16
"""Tokens of a call up to which the kernels are meant to be used."""
_EMITTERS = {"sparse": emit_sparse, "dense": emit_dense, "expand": emit_expand}
_INTEGER_ARGUMENTS = (Argument.CORRECTIONS, Argument.X8, Argument.SCALES)
_ALIGNMENT = 64


@dataclass(frozen=True, eq=False)
class DenseMatrix:
    """A dense matrix for the baseline: m rows, columns padded with zeros to a multiple of 128."""

    columns: int
    kind: ValueType
    rows: NDArray[Any]


def dense_matrix(weight: NDArray[Any], kind: ValueType) -> DenseMatrix:
    """Copy a matrix (m×n) into the layout of the baseline, rounded to bf16 or fp32."""
    rows, columns = weight.shape
    width = padded(columns, COLUMN_BLOCK)
    stored = huge_zeros(rows * width, kind.dtype).reshape(rows, width)
    stored[:, :columns] = weight
    return DenseMatrix(columns, kind, stored)


@functools.cache
def compiled(name: str, kind: ValueType, level: Level, tokens: int) -> Compiled:
    """A kernel's machine code.

    Args:
        name: ``"sparse"``, ``"dense"`` or ``"expand"``.
        kind: How values are stored.
        level: Instructions that may be used.
        tokens: 1, 2, 4 or 8.
    """
    module = ir.Module(name)
    _EMITTERS[name](module, kind, level, tokens)
    return compile_module(module, level)


@functools.cache
def kernel(name: str, kind: ValueType, level: Level, tokens: int) -> Kernel:
    """A kernel that can be called, on a host of that level."""
    return compiled(name, kind, level, tokens).load(name)


def multiply(matrix: BitmapMatrix, x: Floats, *, threads: int = 1) -> Floats:
    """S·x + U·(Vᵀx) + bias for each token.

    Args:
        matrix: m×n.
        x: Shape (tokens, n).
        threads: That share the work.

    Returns:
        Shape (tokens, m).

    Raises:
        InputError: If x has another shape.
        NotAvailableError: If the host has no AVX2.
    """
    _check(x, matrix.columns)
    level = required_level()
    results = [_sparse_block(matrix, block, level, threads) for block in _token_blocks(x, level)]
    return results[0] if len(results) == 1 else np.concatenate(results)


def multiply_dense(matrix: DenseMatrix, x: Floats, *, threads: int = 1) -> Floats:
    """W·x for each token: see ``multiply``."""
    _check(x, matrix.columns)
    level = required_level()
    results = [_dense_block(matrix, block, level, threads) for block in _token_blocks(x, level)]
    return results[0] if len(results) == 1 else np.concatenate(results)


@dataclass(frozen=True, eq=False)
class Panel:
    """Some rows of a bitmap matrix, written out.

    Attributes:
        sparse: S, shape (rows, padded columns), as stored.
        scales: Shape (rows, chunks), fp32; of int8 values.
        u: Shape (rows, padded rank), as stored.
    """

    sparse: NDArray[Any]
    scales: Floats
    u: NDArray[Any]


def new_panel(matrix: BitmapMatrix, groups: int) -> Panel:
    """Room for so many groups of rows."""
    rows, kind = GROUP_ROWS * groups, matrix.kind
    return Panel(
        np.empty((rows, matrix.chunks * kind.chunk_columns), kind.dtype),
        np.empty((rows, matrix.chunks), np.float32),
        np.empty((rows, matrix.padded_rank), kind.factor_dtype),
    )


def expand_panel(matrix: BitmapMatrix, first: int, panel: Panel, *, threads: int = 1) -> None:
    """Write groups of rows from the first on into a panel; its rest is left as it is."""
    level = required_level()
    groups = min(len(panel.sparse) // GROUP_ROWS, matrix.groups - first)
    arguments = {
        **_both(Argument.Y, panel.sparse),
        **_both(Argument.SCALES, panel.scales),
        Argument.T: _address(panel.u),
        Argument.T_BYTES: GROUP_ROWS * panel.u.strides[0],
        Argument.STREAM: _address(matrix.stream),
        Argument.OFFSETS: _address(matrix.offsets[first:]),
        Argument.GROUPS: groups,
        Argument.CHUNKS: matrix.chunks,
    }
    _run(kernel("expand", matrix.kind, level, 1), arguments, threads)


def _check(x: Floats, columns: int) -> None:
    if x.ndim != 2 or x.shape[1] != columns:
        raise InputError(f"x has shape {x.shape}: give tokens by {columns} columns")


def _token_blocks(x: Floats, level: Level) -> list[Floats]:
    size = 8 if level is AVX512 else 4
    return [x[start : start + size] for start in range(0, len(x), size)]


def _sparse_block(matrix: BitmapMatrix, x: Floats, level: Level, threads: int) -> Floats:
    factors = factor_kind(matrix.kind)
    tokens = _specialised(len(x))
    lanes = _in_lane_order(x, tokens, matrix.padded_columns, factors, level)
    t = _aligned_zeros(tokens, matrix.padded_rank)
    y = np.empty((tokens, GROUP_ROWS * matrix.groups), np.float32)
    arguments = {
        **_both(Argument.X, lanes),
        **_both(Argument.T, t),
        **_both(Argument.Y, y),
        **_both(Argument.DENSE, matrix.v_rows),
        Argument.DENSE_ROWS: matrix.rank,
        Argument.STREAM: _address(matrix.stream),
        Argument.OFFSETS: _address(matrix.offsets),
        Argument.GROUPS: matrix.groups,
        Argument.CHUNKS: matrix.chunks,
        Argument.RANK_BLOCKS: matrix.padded_rank // RANK_BLOCK,
        Argument.BIAS: _address(matrix.bias),
    }
    if matrix.kind is INT8:
        integers = _integers(x, tokens, level)
        for argument, array in zip(_INTEGER_ARGUMENTS, integers, strict=True):
            arguments |= _both(argument, array)
    _run(kernel("sparse", matrix.kind, level, tokens), arguments, threads)
    return y[: len(x), : matrix.rows]


def _dense_block(matrix: DenseMatrix, x: Floats, level: Level, threads: int) -> Floats:
    tokens = _specialised(len(x))
    lanes = _in_lane_order(x, tokens, matrix.rows.shape[1], matrix.kind, level)
    y = np.empty((tokens, len(matrix.rows)), np.float32)
    arguments = {
        **_both(Argument.X, lanes),
        **_both(Argument.Y, y),
        **_both(Argument.DENSE, matrix.rows),
        Argument.DENSE_ROWS: len(matrix.rows),
    }
    _run(kernel("dense", matrix.kind, level, tokens), arguments, threads)
    return y[: len(x)]


def _integers(x: Floats, tokens: int, level: Level) -> tuple[NDArray[Any], ...]:
    """x as the integer kernels take it: −128·Σx by group, numbers, scales."""
    full = np.zeros((tokens, x.shape[1]), np.float32)
    full[: len(x)] = x
    quantized = quantize_x(full)
    groups = quantized.numbers.reshape(*quantized.scales.shape, SCALE_COLUMNS)
    corrections = groups.sum(axis=2, dtype=np.int32) * np.int32(-128)
    numbers = quantized.numbers if x_bytes(level) == 1 else quantized.numbers.astype(np.int16)
    return corrections, numbers, quantized.scales


def _specialised(tokens: int) -> int:
    """The number of tokens, up to 8, that a kernel is compiled for."""
    return 1 << (tokens - 1).bit_length()


def _in_lane_order(x: Floats, tokens: int, columns: int, kind: ValueType, level: Level) -> Floats:
    """x padded with zeros, each 32 numbers in the order of ``lane_order``."""
    natural = _aligned_zeros(tokens, columns)
    natural[: len(x), : x.shape[1]] = x
    if lane_order(kind, level)[1] == 1:
        return natural
    lanes = _aligned_zeros(tokens, columns)
    pairs = natural.reshape(tokens, -1, RANK_BLOCK // 2, 2)
    lanes.reshape(tokens, -1, 2, RANK_BLOCK // 2)[:] = pairs.swapaxes(2, 3)
    return lanes


def _aligned_zeros(rows: int, columns: int) -> Floats:
    size = 4 * rows * columns
    buffer = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -_address(buffer) % _ALIGNMENT
    return buffer[start : start + size].view(np.float32).reshape(rows, columns)


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _both(argument: Argument, array: NDArray[Any]) -> dict[Argument, int]:
    """An array's address and the bytes between its rows."""
    return {argument: _address(array), Argument(argument + 1): array.strides[0]}


def _run(function: Kernel, arguments: dict[Argument, int], threads: int) -> None:
    """Call a kernel here and on threads that help; returns when all rows are done."""
    counters = np.zeros(COUNTERS, np.int64)
    values = np.zeros(len(Argument), np.int64)
    values[list(arguments)] = list(arguments.values())
    values[Argument.COUNTERS] = _address(counters)
    at = _address(values)
    helpers = [_pool(os.getpid()).submit(function, at) for _ in range(threads - 1)]
    function(at)
    for helper in helpers:
        helper.result()


@functools.cache
def _pool(_process: int) -> ThreadPoolExecutor:
    """Threads that help; a forked process makes its own."""
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1), "sslc-runtime")
