"""The bitmap format of a compressed projection, W = S + U Vᵀ, as the CPU kernels stream it.

Three rows make a group, 256 columns a span, 64 columns (int8: 128) a chunk. The stream holds, group
after group and span after span: masks (a bit a column, lowest bit first) by chunk and row; for int8
three bf16 scales and two bytes of padding by chunk; then the kept values by chunk and row. The
group's three rows of U follow. A span's masks stand together because they tell where the next span
starts: a kernel that has them early does not wait for memory at every chunk. Padding: rows to a
multiple of 3 and columns to whole spans by empty masks, rank to a multiple of 32 by zeros, the end
of the stream by 512 bytes that kernels may read ahead.
"""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numba
import numpy as np
from numpy.typing import DTypeLike, NDArray

from sslc.runtime.memory import huge_zeros
from workloads.support.errors import InputError

GROUP_ROWS = 3
SCALE_COLUMNS = 128
"""Columns of a row that share one int8 scale."""
RANK_BLOCK = 32
SPAN_COLUMNS = 256
"""Columns whose masks stand together; x and dense rows are padded to whole spans."""
_READ_AHEAD_BYTES = 512

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class ValueType:
    """How values are stored.

    Attributes:
        name: ``"bf16"``, ``"fp32"`` or ``"int8"``.
        bytes: Of a value of S.
        factor_bytes: Of a value of U and V.
        chunk_columns: Columns of a chunk.
        dtype: Of a value of S.
        factor_dtype: Of a value of U and V.
    """

    name: str
    bytes: int
    factor_bytes: int
    chunk_columns: int
    dtype: DTypeLike
    factor_dtype: DTypeLike

    @property
    def chunks_of_span(self) -> int:
        """Chunks of a span."""
        return SPAN_COLUMNS // self.chunk_columns

    @property
    def scale_bytes(self) -> int:
        """Scales and padding of a chunk."""
        return (GROUP_ROWS + 1) * self.factor_bytes if self.bytes == 1 else 0

    @property
    def header_bytes(self) -> int:
        """Masks, scales and padding in front of a span's values."""
        return GROUP_ROWS * SPAN_COLUMNS // 8 + self.chunks_of_span * self.scale_bytes


BF16 = ValueType("bf16", 2, 2, 64, ml_dtypes.bfloat16, ml_dtypes.bfloat16)
FP32 = ValueType("fp32", 4, 4, 64, np.float32, np.float32)
INT8 = ValueType("int8", 1, 2, SCALE_COLUMNS, np.int8, ml_dtypes.bfloat16)
VALUE_TYPES = {kind.name: kind for kind in (BF16, FP32, INT8)}


@dataclass(frozen=True, eq=False)
class BitmapMatrix:
    """W = S + U Vᵀ (m×n) in the format above.

    Attributes:
        rows: m.
        columns: n.
        rank: r.
        nonzeros: Kept values of S.
        kind: How values are stored.
        stream: S and U, with padding.
        offsets: Byte in the stream at which each group starts, shape (groups + 1,).
        v_rows: Vᵀ, r rows of n values padded with zeros to whole spans.
        bias: Shape (3·groups,), zeros where there is none.
    """

    rows: int
    columns: int
    rank: int
    nonzeros: int
    kind: ValueType
    stream: Bytes
    offsets: NDArray[np.int64]
    v_rows: NDArray[Any]
    bias: NDArray[np.float32]

    @property
    def groups(self) -> int:
        """Groups of three rows."""
        return len(self.offsets) - 1

    @property
    def spans(self) -> int:
        """Spans of columns in a row."""
        return -(-self.columns // SPAN_COLUMNS)

    @property
    def padded_columns(self) -> int:
        """n with its padding."""
        return self.spans * SPAN_COLUMNS

    @property
    def padded_rank(self) -> int:
        """r with its padding."""
        return padded(self.rank, RANK_BLOCK)

    @property
    def bytes(self) -> int:
        """What one product reads of the weights: the stream, its offsets and Vᵀ."""
        return int(self.offsets[-1]) + self.offsets.nbytes + self.v_rows.nbytes


@dataclass(frozen=True, eq=False)
class SparseRows:
    """S as an artifact stores it.

    Attributes:
        mask: Bits of each row, lowest first, padded to whole bytes: shape (m, ⌈n/8⌉), uint8.
        values: Kept values in row-major order, shape (nonzeros,).
        columns: n.
        scales: For int8 values one for each 128 columns of a row, shape (m, ⌈n/128⌉); else None.
    """

    mask: Bytes
    values: NDArray[Any]
    columns: int
    scales: NDArray[Any] | None = None


def padded(count: int, block: int) -> int:
    """A count rounded up to whole blocks."""
    return -(-count // block) * block


def encode_bitmap(
    sparse: SparseRows,
    kind: ValueType,
    *,
    u: NDArray[Any] | None = None,
    v: NDArray[Any] | None = None,
    bias: NDArray[Any] | None = None,
) -> BitmapMatrix:
    """Put a projection into the bitmap format.

    Args:
        sparse: S; its values are rounded to ``kind`` (for int8 they are int8 with scales).
        kind: How to store values.
        u: m×r, rounded likewise; None for rank 0.
        v: n×r.
        bias: Shape (m,).

    Raises:
        InputError: If shapes do not agree, or the mask has another number of bits than values.
    """
    rows, columns = len(sparse.mask), sparse.columns
    u = np.zeros((rows, 0), np.float32) if u is None else u
    v = np.zeros((columns, 0), np.float32) if v is None else v
    _check(sparse, kind, u, v, bias)
    words = _mask_words(sparse.mask, columns)
    chunks = words.shape[1] * 64 // kind.chunk_columns
    counts = np.bitwise_count(words).reshape(len(words), chunks, -1).sum(axis=2, dtype=np.int64)
    if counts.sum() != len(sparse.values):
        raise InputError(
            f"mask has {counts.sum()} bits and there are {len(sparse.values)} values: "
            "give one value for each bit"
        )
    factors = np.zeros((len(words), padded(u.shape[1], RANK_BLOCK)), kind.factor_dtype)
    factors[:rows, : u.shape[1]] = u
    offsets = _offsets(counts, kind, factors)
    stream = huge_zeros(int(offsets[-1]) + _READ_AHEAD_BYTES, np.uint8)
    values = np.ascontiguousarray(sparse.values, kind.dtype).view(np.uint8)
    scales = _scales(sparse, kind, counts)
    sizes = counts * kind.bytes
    masks, u_rows = words.view(np.uint8), _raw(factors)
    _fill(stream, offsets, masks, values, sizes, scales, u_rows, kind.chunks_of_span)
    v_rows = _padded_rows(v, kind)
    full_bias = np.zeros(len(words), np.float32)
    full_bias[:rows] = 0 if bias is None else bias
    return BitmapMatrix(
        rows, columns, u.shape[1], len(sparse.values), kind, stream, offsets, v_rows, full_bias
    )


def _check(
    sparse: SparseRows,
    kind: ValueType,
    u: NDArray[Any],
    v: NDArray[Any],
    bias: NDArray[Any] | None,
) -> None:
    rows, columns = len(sparse.mask), sparse.columns
    if sparse.mask.shape != (rows, -(-columns // 8)):
        raise InputError(f"mask has shape {sparse.mask.shape}: {columns} columns need whole bytes")
    if u.shape[0] != rows or v.shape != (columns, u.shape[1]):
        raise InputError(f"u is {u.shape} and v is {v.shape}: S is {rows} by {columns}")
    if bias is not None and bias.shape != (rows,):
        raise InputError(f"bias has shape {bias.shape}: give one value for each of {rows} rows")
    groups = (rows, -(-columns // SCALE_COLUMNS))
    if (kind is INT8) != (sparse.scales is not None and sparse.scales.shape == groups):
        raise InputError(f"scales belong to int8 values and need shape {groups}")


def _mask_words(mask: Bytes, columns: int) -> NDArray[np.uint64]:
    """Masks as 64-bit words, rows and columns padded by zeros."""
    width = padded(columns, SPAN_COLUMNS) // 8
    full = np.zeros((padded(len(mask), GROUP_ROWS), width), np.uint8)
    full[: len(mask), : mask.shape[1]] = mask
    if columns % 8:
        full[:, columns // 8] &= (1 << columns % 8) - 1
    return full.view("<u8")


def _offsets(
    counts: NDArray[np.int64], kind: ValueType, factors: NDArray[Any]
) -> NDArray[np.int64]:
    """The byte at which each group starts, and the end of the last."""
    sizes = counts.reshape(-1, GROUP_ROWS * counts.shape[1]).sum(axis=1) * kind.bytes
    sizes += (
        counts.shape[1] // kind.chunks_of_span * kind.header_bytes
        + GROUP_ROWS * factors.shape[1] * kind.factor_bytes
    )
    return np.concatenate(([0], sizes.cumsum()))


def _scales(sparse: SparseRows, kind: ValueType, counts: NDArray[np.int64]) -> Bytes:
    """What stands between masks and values: three scales and padding, for each chunk of a group."""
    groups, chunks = len(counts) // GROUP_ROWS, counts.shape[1]
    if sparse.scales is None:
        return np.zeros((groups, chunks, 0), np.uint8)
    scales = np.zeros((groups * GROUP_ROWS, chunks), kind.factor_dtype)
    scales[: len(sparse.scales), : sparse.scales.shape[1]] = sparse.scales
    full = np.zeros((groups, chunks, GROUP_ROWS + 1), kind.factor_dtype)
    full[:, :, :GROUP_ROWS] = scales.reshape(groups, GROUP_ROWS, chunks).transpose(0, 2, 1)
    return full.view(np.uint8)


def _padded_rows(v: NDArray[Any], kind: ValueType) -> NDArray[Any]:
    """Vᵀ with whole spans in a row."""
    columns, rank = v.shape
    width = padded(columns, SPAN_COLUMNS)
    rows = huge_zeros(rank * width, kind.factor_dtype).reshape(rank, width)
    rows[:, :columns] = v.T
    return rows


def _raw(factors: NDArray[Any]) -> Bytes:
    """The bytes of U, a line for each group."""
    line = GROUP_ROWS * factors.shape[1] * factors.itemsize
    return np.frombuffer(factors.tobytes(), np.uint8).reshape(len(factors) // GROUP_ROWS, line)


@numba.njit(cache=True, nogil=True)
def _fill(
    stream: Bytes,
    offsets: NDArray[np.int64],
    masks: Bytes,
    values: Bytes,
    sizes: NDArray[np.int64],
    scales: Bytes,
    factors: Bytes,
    chunks_of_span: int,
) -> None:
    """Write every group: masks, scales and values by span, then the rows of U.

    ``sizes`` are the bytes of values by row and chunk.
    """
    chunks = sizes.shape[1]
    width = masks.shape[1] // chunks
    taken = np.zeros(4, np.int64)
    for group in range(len(offsets) - 1):
        at = offsets[group]
        taken[0] = taken[3]
        for row in range(3):
            taken[row + 1] = taken[row] + sizes[3 * group + row].sum()
        for first in range(0, chunks, chunks_of_span):
            span = range(first, first + chunks_of_span)
            for chunk in span:
                for row in range(3):
                    mask = masks[3 * group + row, chunk * width : (chunk + 1) * width]
                    stream[at : at + width] = mask
                    at += width
            for chunk in span:
                stream[at : at + scales.shape[2]] = scales[group, chunk]
                at += scales.shape[2]
            for chunk in span:
                for row in range(3):
                    size = sizes[3 * group + row, chunk]
                    stream[at : at + size] = values[taken[row] : taken[row] + size]
                    at += size
                    taken[row] += size
        stream[at : at + factors.shape[1]] = factors[group]


def decode_bitmap(matrix: BitmapMatrix) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Read the format back in numpy, for tests and as its specification.

    Returns:
        S, shape (m, n), in the dtype of its values; its scales, shape (m, ⌈n/128⌉), empty unless
        int8; U, shape (m, r).
    """
    kind = matrix.kind
    chunks = matrix.spans * kind.chunks_of_span
    sparse = np.zeros((matrix.groups * GROUP_ROWS, chunks, kind.chunk_columns), kind.dtype)
    scales = np.zeros((len(sparse), chunks if kind is INT8 else 0), kind.factor_dtype)
    u = np.zeros((len(sparse), matrix.padded_rank), kind.factor_dtype)
    for group in range(matrix.groups):
        rows = slice(GROUP_ROWS * group, GROUP_ROWS * (group + 1))
        at = int(matrix.offsets[group])
        for first in range(0, chunks, kind.chunks_of_span):
            span = slice(first, first + kind.chunks_of_span)
            header = matrix.stream[at : at + kind.header_bytes]
            bits = np.unpackbits(header[: 3 * SPAN_COLUMNS // 8], bitorder="little").astype(bool)
            if kind is INT8:
                stored = header[3 * SPAN_COLUMNS // 8 :].view(kind.factor_dtype).reshape(-1, 4)
                scales[rows, span] = stored[:, :3].T
            at += kind.header_bytes
            end = at + int(bits.sum()) * kind.bytes
            values = np.zeros(len(bits), kind.dtype)
            values[bits] = matrix.stream[at:end].view(kind.dtype)
            sparse[rows, span] = values.reshape(-1, 3, kind.chunk_columns).swapaxes(0, 1)
            at = end
        end = int(matrix.offsets[group + 1])
        u[rows] = matrix.stream[at:end].view(kind.factor_dtype).reshape(GROUP_ROWS, -1)
    m, n, r = matrix.rows, matrix.columns, matrix.rank
    scale_count = -(-n // SCALE_COLUMNS) if kind is INT8 else 0
    return sparse.reshape(len(sparse), -1)[:m, :n], scales[:m, :scale_count], u[:m, :r]
