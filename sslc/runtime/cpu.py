"""Running the CPU kernels: arguments, threads, and blocks of tokens.

``multiply`` is the one operation of a compressed projection; ``multiply_dense`` is the baseline
that it is compared with: rows of the same kind of values, streamed once.
"""

import functools
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from sslc.runtime.arrange import is_arranged
from sslc.runtime.bitmap import (
    BF16,
    FP32,
    GROUP_ROWS,
    RANK_BLOCK,
    SCALE_COLUMNS,
    SPAN_COLUMNS,
    BitmapMatrix,
    Bytes,
    ValueType,
    padded,
)
from sslc.runtime.dense_kernels import emit_dense
from sslc.runtime.emit import Compiled, Kernel, compile_module
from sslc.runtime.expand import emit_expand
from sslc.runtime.features import Level, required_level
from sslc.runtime.integer_chunk import x_bytes
from sslc.runtime.kernel_parts import Argument, Variant
from sslc.runtime.kernels import emit_sparse
from sslc.runtime.memory import huge_zeros
from sslc.runtime.threads import ordered, run_kernel
from workloads.support.errors import InputError

Floats = NDArray[np.float32]

MAX_TOKENS = 16
"""Tokens of a call up to which the kernels are meant to be used."""
_EMITTERS = {"sparse": emit_sparse, "dense": emit_dense, "expand": emit_expand}
_SCRATCH = (Argument.X, Argument.T, Argument.X8, Argument.SCALES, Argument.CORRECTIONS)
_STAGGER = 32
_ALIGNMENT = 64


@dataclass(frozen=True, eq=False)
class DenseMatrix:
    """A dense matrix (m×n) for the baseline.

    Attributes:
        columns: n.
        kind: How values are stored.
        rows: m rows, padded with zeros to whole spans.
        scales: Of int8 values, shape (m, groups of 128 columns) with padding; else empty.
    """

    columns: int
    kind: ValueType
    rows: NDArray[Any]
    scales: Floats


def dense_matrix(
    weight: NDArray[Any], kind: ValueType, *, scales: NDArray[Any] | None = None
) -> DenseMatrix:
    """Copy a matrix into the layout of the baseline.

    Args:
        weight: Shape (m, n), rounded to ``kind``.
        kind: How to store values.
        scales: For int8 one for each 128 columns of a row, shape (m, ⌈n/128⌉).
    """
    rows, columns = weight.shape
    width = padded(columns, SPAN_COLUMNS)
    stored = huge_zeros(rows * width, kind.dtype).reshape(rows, width)
    stored[:, :columns] = weight
    full = np.zeros((rows, width // SCALE_COLUMNS if scales is not None else 0), np.float32)
    if scales is not None:
        full[:, : scales.shape[1]] = scales
    return DenseMatrix(columns, kind, stored, full)


@functools.cache
def compiled(name: str, variant: Variant) -> Compiled:
    """A kernel's machine code.

    Args:
        name: ``"sparse"``, ``"dense"`` or ``"expand"``.
        variant: What it is specialised for.
    """
    module = ir.Module(name)
    _EMITTERS[name](module, variant)
    return compile_module(module, variant.level)


@functools.cache
def kernel(name: str, variant: Variant) -> Kernel:
    """A kernel that can be called, on a host of that level."""
    return compiled(name, variant).load(name)


def multiply(matrix: BitmapMatrix, x: NDArray[Any], *, threads: int = 1) -> Floats:
    """S·x + U·(Vᵀx) + bias for each token.

    Args:
        matrix: m×n.
        x: Shape (tokens, n), fp32 or bf16.
        threads: That share the work.

    Returns:
        Shape (tokens, m).

    Raises:
        InputError: If x has another shape.
        NotAvailableError: If the host has no AVX2.
    """
    _check(x, matrix.columns)
    level = required_level()
    blocks = _token_blocks(x, level)
    return _joined([_sparse_block(matrix, block, level, threads) for block in blocks], matrix.rows)


def multiply_dense(matrix: DenseMatrix, x: NDArray[Any], *, threads: int = 1) -> Floats:
    """W·x for each token: see ``multiply``."""
    _check(x, matrix.columns)
    level = required_level()
    blocks = _token_blocks(x, level)
    rows = len(matrix.rows)
    return _joined([_dense_block(matrix, block, level, threads) for block in blocks], rows)


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
        np.empty((rows, matrix.padded_columns), kind.dtype),
        np.empty((rows, matrix.padded_columns // SCALE_COLUMNS), np.float32),
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
        Argument.SPANS: matrix.spans,
    }
    function = kernel("expand", Variant(matrix.kind, level))
    run_kernel(function, ordered(arguments), threads=threads)


def _check(x: NDArray[Any], columns: int) -> None:
    if x.ndim != 2 or x.shape[1] != columns:
        raise InputError(f"x has shape {x.shape}: give tokens by {columns} columns")


def _token_blocks(x: NDArray[Any], level: Level) -> list[NDArray[Any]]:
    """Tokens of one call of a kernel; sums of more rows and tokens do not fit the registers."""
    size = level.lanes // 4
    return [x[start : start + size] for start in range(0, len(x), size)]


def _joined(results: list[Floats], rows: int) -> Floats:
    if len(results) == 1:
        return results[0]
    return np.concatenate([np.empty((0, rows), np.float32), *results])


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is the same in every call of a matrix.

    Attributes:
        function: The kernel.
        arguments: In the order of ``Argument``; those of a call are missing.
        scratch_bytes: Memory of the kernel's own.
        scratch: Which arguments point into it, and where.
        takes_x: Whether the kernel reads x as it comes.
    """

    function: Kernel
    arguments: list[int]
    scratch_bytes: int
    scratch: list[tuple[int, int]]
    takes_x: bool


_PLANS: WeakKeyDictionary[BitmapMatrix | DenseMatrix, dict[Variant, _Plan]] = WeakKeyDictionary()


def _sparse_block(matrix: BitmapMatrix, x: NDArray[Any], level: Level, threads: int) -> Floats:
    x_kind, count = _x_kind(x, matrix.kind, level), len(x)
    x = _padded(x, matrix.padded_columns, x_kind)
    variant = Variant(matrix.kind, level, len(x), x_kind)
    plan = _PLANS.setdefault(matrix, {}).get(variant) or _sparse_plan(matrix, variant)
    y = np.empty((len(x), GROUP_ROWS * matrix.groups), np.float32)
    _call(plan, x, y, threads)
    return y[:count, : matrix.rows]


def _dense_block(matrix: DenseMatrix, x: NDArray[Any], level: Level, threads: int) -> Floats:
    x_kind, count = _x_kind(x, matrix.kind, level), len(x)
    x = _padded(x, matrix.rows.shape[1], x_kind)
    variant = Variant(matrix.kind, level, len(x), x_kind)
    plan = _PLANS.setdefault(matrix, {}).get(variant) or _dense_plan(matrix, variant)
    y = np.empty((len(x), len(matrix.rows)), np.float32)
    _call(plan, x, y, threads)
    return y[:count]


def _sparse_plan(matrix: BitmapMatrix, variant: Variant) -> _Plan:
    arguments = {
        **_both(Argument.DENSE, matrix.v_rows),
        Argument.DENSE_ROWS: matrix.rank,
        Argument.STREAM: _address(matrix.stream),
        Argument.OFFSETS: _address(matrix.offsets),
        Argument.GROUPS: matrix.groups,
        Argument.SPANS: matrix.spans,
        Argument.RANK_BLOCKS: matrix.padded_rank // RANK_BLOCK,
        Argument.BIAS: _address(matrix.bias),
        Argument.Y_BYTES: FP32.bytes * GROUP_ROWS * matrix.groups,
    }
    plan = _new_plan("sparse", variant, matrix.padded_columns, matrix.padded_rank, arguments)
    _PLANS[matrix][variant] = plan
    return plan


def _dense_plan(matrix: DenseMatrix, variant: Variant) -> _Plan:
    arguments = {
        **_both(Argument.DENSE, matrix.rows),
        Argument.DENSE_ROWS: len(matrix.rows),
        Argument.BIAS: _address(matrix.scales),
        Argument.Y_BYTES: FP32.bytes * len(matrix.rows),
    }
    plan = _new_plan("dense", variant, matrix.rows.shape[1], 0, arguments)
    _PLANS[matrix][variant] = plan
    return plan


def _new_plan(
    name: str, variant: Variant, columns: int, rank: int, arguments: dict[Argument, int]
) -> _Plan:
    """A plan with room for x in its lanes, Vᵀx, int8 x, its scales and corrections."""
    groups = columns // SCALE_COLUMNS
    x_size = FP32.bytes * (columns + _STAGGER)
    sizes = (x_size, FP32.bytes * rank, x_bytes(variant.level) * columns, 4 * groups, 4 * groups)
    scratch, at = [], 0
    for argument, size in zip(_SCRATCH, sizes, strict=True):
        arguments[Argument(argument + 1)] = size
        scratch.append((int(argument), at))
        at += variant.tokens * size
    arguments[Argument.RAW_SPANS] = columns // SPAN_COLUMNS
    takes_x = is_arranged(variant.kind, variant.level)
    return _Plan(kernel(name, variant), ordered(arguments), at, scratch, takes_x)


def _call(plan: _Plan, x: NDArray[Any], y: Floats, threads: int) -> None:
    values = plan.arguments.copy()
    scratch = _aligned(plan.scratch_bytes)
    start = _address(scratch)
    for position, offset in plan.scratch:
        values[position] = start + offset
    values[Argument.RAW], values[Argument.RAW_BYTES] = _address(x), x.strides[0]
    values[Argument.Y] = _address(y)
    if plan.takes_x:
        values[Argument.X], values[Argument.X_BYTES] = _address(x), x.strides[0]
    run_kernel(plan.function, values, threads=threads)


def _x_kind(x: NDArray[Any], kind: ValueType, level: Level) -> ValueType:
    """bf16 for bf16 x where the kernel takes it as it is, else fp32."""
    takes_bf16 = level.multiplies_bf16 and kind is BF16 and x.dtype == BF16.dtype
    return BF16 if takes_bf16 else FP32


def _padded(x: NDArray[Any], columns: int, kind: ValueType) -> NDArray[Any]:
    """x with zeros up to the tokens of a specialised kernel and to whole spans.

    Tokens stand a cache line or two apart from a power of two, or all would fall into one set.
    """
    tokens = 1 << (len(x) - 1).bit_length()
    if tokens == 1 and x.shape[1] == columns and x.flags.c_contiguous and x.dtype == kind.dtype:
        return x
    width = columns + _STAGGER
    full = _aligned(tokens * width * kind.bytes).view(kind.dtype).reshape(tokens, width)
    full[: len(x), : x.shape[1]] = x
    return full[:, :columns]


def _aligned(size: int) -> Bytes:
    """Zeros, as the padding of Vᵀx has to be."""
    buffer = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -_address(buffer) % _ALIGNMENT
    return buffer[start : start + size]


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


def _both(argument: Argument, array: NDArray[Any]) -> dict[Argument, int]:
    """An array's address and the bytes between its rows."""
    return {argument: _address(array), Argument(argument + 1): array.strides[0]}
