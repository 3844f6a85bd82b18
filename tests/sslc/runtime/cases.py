"""Projections for the tests of this folder, and the product of their stored operands in float64."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslc.runtime.bitmap import (
    INT8,
    SCALE_COLUMNS,
    BitmapMatrix,
    SparseRows,
    ValueType,
    encode_bitmap,
)
from sslc.runtime.quantize import QuantizedX, quantize_rows, quantize_x

TOLERANCE = 1e-5
"""Of |y − y64| / (|W| |x|)."""


@dataclass(frozen=True, eq=False)
class Case:
    """A projection as stored, and what it was made of."""

    mask: NDArray[np.bool_]
    sparse: SparseRows
    u: NDArray[Any]
    v: NDArray[Any]
    bias: NDArray[np.float32]
    matrix: BitmapMatrix


def make_case(
    rows: int,
    columns: int,
    *,
    kind: ValueType,
    rank: int = 0,
    kept: float = 0.5,
    seed: int = 0,
) -> Case:
    """A random projection; its first row keeps nothing where there are several."""
    generator = np.random.default_rng(seed)
    mask = generator.random((rows, columns)) < kept
    if rows > 1 and kept < 1:
        mask[0] = False
    packed = np.packbits(mask, axis=1, bitorder="little")
    values = generator.standard_normal(mask.sum()).astype(np.float32)
    sparse = SparseRows(packed, values, columns)
    if kind is INT8:
        sparse = quantize_rows(sparse)
    sparse = SparseRows(packed, sparse.values.astype(kind.dtype), columns, sparse.scales)
    u = generator.standard_normal((rows, rank)).astype(kind.factor_dtype)
    v = generator.standard_normal((columns, rank)).astype(kind.factor_dtype)
    bias = generator.standard_normal(rows).astype(np.float32)
    matrix = encode_bitmap(sparse, kind, u=u, v=v, bias=bias)
    return Case(mask, sparse, u, v, bias, matrix)


def dense_sparse_part(case: Case) -> NDArray[np.float64]:
    """S in float64, int8 values times their scales."""
    dense: NDArray[np.float64] = np.zeros(case.mask.shape)
    dense[case.mask] = case.sparse.values.astype(np.float64)
    if case.sparse.scales is not None:
        scales: NDArray[np.float64] = np.repeat(
            case.sparse.scales.astype(np.float64), SCALE_COLUMNS, axis=1
        )
        dense *= scales[:, : dense.shape[1]]
    return dense


def dequantized(quantized: QuantizedX, columns: int) -> NDArray[np.float64]:
    """What int8 x stands for."""
    groups = quantized.numbers.reshape(*quantized.scales.shape, SCALE_COLUMNS)
    scaled: NDArray[np.float64] = groups * quantized.scales.astype(np.float64)[:, :, None]
    return scaled.reshape(len(groups), -1)[:, :columns]


def worst_error(case: Case, x: NDArray[np.float32], y: NDArray[Any]) -> float:
    """The largest |y − y64| / (|W| |x| + |bias|) against float64 of the stored operands."""
    s, u, v = dense_sparse_part(case), case.u.astype(np.float64), case.v.astype(np.float64)
    sparse_x = x.astype(np.float64)
    if case.matrix.kind is INT8:
        sparse_x = dequantized(quantize_x(x), x.shape[1])
    exact = sparse_x @ s.T + x.astype(np.float64) @ v @ u.T + case.bias
    size = np.abs(sparse_x) @ np.abs(s).T + np.abs(x) @ np.abs(v) @ np.abs(u).T
    return float((np.abs(y - exact) / (size + np.abs(case.bias))).max())
