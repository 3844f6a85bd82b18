"""The kernel of a compressed projection: y = S·x + U·(Vᵀx) + bias in fp32.

Vᵀx comes first, shared by the threads; each goes on to S and U when all of it is there.
"""

from dataclasses import dataclass

from llvmlite import ir

from sslc.runtime.bitmap import (
    BF16,
    FP32,
    GROUP_ROWS,
    INT8,
    RANK_BLOCK,
    SPAN_COLUMNS,
    ValueType,
)
from sslc.runtime.dense_kernels import dense_rows
from sslc.runtime.emit import F32, I64, POINTER, Emitter, integer
from sslc.runtime.features import Level
from sslc.runtime.integer_chunk import integer_sums, row_scale, sparse_bytes, x_bytes
from sslc.runtime.kernel_parts import (
    LINE_BYTES,
    PREFETCH_BYTES,
    Argument,
    Sums,
    Variant,
    add_products,
    add_scaled,
    arrange_x,
    new_sums,
    shared_rows,
    store_row,
    tokens_at,
)
from sslc.runtime.unpack import (
    dense_vectors,
    expanded,
    factor_kind,
    lane_order,
    row_masks,
    row_values,
    sparse_vectors,
)

_PREFETCHED_LINES = {"bf16": 4, "fp32": 7, "int8": 5}
GROUPS_TAKEN = 16
"""Groups of rows that a thread takes at a time."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Where a chunk of three rows is.

    Attributes:
        span: Number of its span, as the kernel counts.
        position: Its number within the span.
        start: Pointer to the span.
        masks: Pointers to the masks of its rows.
        values: Pointers to the values of its rows.
    """

    span: ir.Value
    position: ir.Value
    start: ir.Value
    masks: list[ir.Value]
    values: list[ir.Value]


def emit_sparse(module: ir.Module, variant: Variant) -> None:
    """Add the function ``sparse``: a compressed projection."""
    e = Emitter(module, "sparse")
    kind, level, tokens = variant.kind, variant.level, variant.tokens
    factors = factor_kind(kind)
    arrange_x(e, variant)
    with dense_rows(e, factors, variant) as (row, products):
        store_row(e, products, Argument.T, _lane(e, factors, level, row))
    with shared_rows(e, 2, e.argument(Argument.GROUPS), GROUPS_TAKEN) as group:
        sums = new_sums(e, level, GROUP_ROWS, tokens)
        offset = e.load(I64, e.at(e.pointer(Argument.OFFSETS), e.b.shl(group, integer(3))))
        at = e.variable(e.at(e.pointer(Argument.STREAM), offset))
        with e.loop(integer(0), e.argument(Argument.SPANS)) as span:
            start = e.b.load(at, typ=POINTER)
            e.b.store(e.at(start, integer(kind.header_bytes)), at)
            with e.loop(integer(0), integer(kind.chunks_of_span)) as position:
                values = e.b.load(at, typ=POINTER)
                for line in range(_PREFETCHED_LINES[kind.name]):
                    e.prefetch(values, PREFETCH_BYTES + line * LINE_BYTES)
                masks = row_masks(e, kind, start, position)
                starts, values = row_values(e, kind, masks, values)
                _add_chunk(e, variant, sums, Chunk(span, position, start, masks, starts))
                e.b.store(values, at)
        _add_u(e, factors, level, sums, e.b.load(at, typ=POINTER))
        for row_sums, row in zip(sums, range(GROUP_ROWS), strict=True):
            position = e.b.add(e.b.mul(group, integer(GROUP_ROWS)), integer(row))
            bias = e.load(F32, e.at(e.pointer(Argument.BIAS), e.b.shl(position, integer(2))))
            store_row(e, row_sums, Argument.Y, position, bias=bias)
    e.b.ret_void()


def _add_chunk(e: Emitter, variant: Variant, sums: Sums, chunk: Chunk) -> None:
    """Add a chunk of three rows of S times x."""
    kind, level = variant.kind, variant.level
    if kind is INT8:
        _add_integer_chunk(e, variant, sums, chunk)
        return
    both = list(zip(chunk.masks, chunk.values, strict=True))
    if variant.x is BF16:
        x = _chunk_x(e, variant, chunk, Argument.RAW, BF16.bytes)
        pieces = [expanded(e, kind, bits, values) for bits, values in both]
        add_products(e, level, sums, [([piece] for piece in row) for row in pieces], x)
    else:
        x = _chunk_x(e, variant, chunk, Argument.X, FP32.bytes)
        add_products(
            e,
            level,
            sums,
            [sparse_vectors(e, kind, level, bits, values) for bits, values in both],
            x,
        )


def _chunk_x(
    e: Emitter, variant: Variant, chunk: Chunk, argument: Argument, size: int
) -> list[ir.Value]:
    """Pointers to what each token has for a chunk, ``size`` bytes a column."""
    span = e.b.mul(chunk.span, integer(SPAN_COLUMNS * size))
    byte = e.b.add(span, e.b.mul(chunk.position, integer(variant.kind.chunk_columns * size)))
    return tokens_at(e, argument, variant.tokens, byte)


def _add_integer_chunk(e: Emitter, variant: Variant, sums: Sums, chunk: Chunk) -> None:
    """Likewise for int8 values and int8 x, with a scale for each row and each token."""
    x = _chunk_x(e, variant, chunk, Argument.X8, x_bytes(variant.level))
    position = e.b.add(e.b.mul(chunk.span, integer(8)), e.b.shl(chunk.position, integer(2)))
    tokens = variant.tokens
    scales = tokens_at(e, Argument.SCALES, tokens, position)
    corrections = tokens_at(e, Argument.CORRECTIONS, tokens, position)
    for row, masks in enumerate(chunk.masks):
        pieces = sparse_bytes(e, variant.level, masks, chunk.values[row])
        totals = integer_sums(e, variant.level, pieces, x, corrections)
        add_scaled(e, sums[row], totals, row_scale(e, chunk.start, chunk.position, row), scales)


def _add_u(e: Emitter, kind: ValueType, level: Level, sums: Sums, start: ir.Value) -> None:
    """Add three rows of U times Vᵀx."""
    count = e.argument(Argument.RANK_BLOCKS)
    size = integer(RANK_BLOCK * kind.bytes)
    with e.loop(integer(0), count) as block:
        rows = []
        for row in range(GROUP_ROWS):
            position = e.b.add(e.b.mul(count, integer(row)), block)
            values = e.at(start, e.b.mul(position, size))
            for line in range(0, RANK_BLOCK * kind.bytes, LINE_BYTES):
                e.prefetch(values, PREFETCH_BYTES + line)
            rows.append(dense_vectors(e, kind, level, values))
        byte = e.b.mul(block, integer(4 * RANK_BLOCK))
        add_products(e, level, sums, rows, tokens_at(e, Argument.T, len(sums[0]), byte))


def _lane(e: Emitter, kind: ValueType, level: Level, position: ir.Value) -> ir.Value:
    """Where a number of Vᵀx stands among the lanes that multiply U, as ``lane_order`` says."""
    order = lane_order(kind, level)
    table = e.table("lanes", I64, [int(lane) for lane in order])
    within = e.b.and_(position, integer(RANK_BLOCK - 1))
    lane = e.load(I64, e.at(table, e.b.shl(within, integer(3))))
    return e.b.add(e.b.sub(position, within), lane)
