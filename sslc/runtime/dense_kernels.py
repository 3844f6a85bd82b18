"""Dense rows times x: Vᵀx of a compressed projection, and the baseline it is compared with."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from llvmlite import ir

from sslc.runtime.bitmap import BF16, INT8, RANK_BLOCK, SCALE_COLUMNS, ValueType
from sslc.runtime.emit import F32, Emitter, integer
from sslc.runtime.integer_chunk import dense_bytes, integer_sums, x_bytes
from sslc.runtime.kernel_parts import (
    LINE_BYTES,
    PREFETCH_BYTES,
    Argument,
    Variant,
    add_products,
    add_scaled,
    arrange_x,
    new_sums,
    shared_rows,
    store_row,
    tokens_at,
)
from sslc.runtime.unpack import dense_vectors, dense_words

_ROWS_TAKEN = 4


def emit_dense(module: ir.Module, variant: Variant) -> None:
    """Add the function ``dense``: rows of values padded to whole vectors."""
    e = Emitter(module, "dense")
    arrange_x(e, variant)
    rows = (
        _integer_rows(e, variant) if variant.kind is INT8 else dense_rows(e, variant.kind, variant)
    )
    with rows as (row, products):
        store_row(e, products, Argument.Y, row)
    e.b.ret_void()


@contextmanager
def dense_rows(
    e: Emitter, kind: ValueType, variant: Variant
) -> Iterator[tuple[ir.Value, list[list[ir.Value]]]]:
    """Repeat the body for each row of the dense matrix, with the sums of its product."""
    argument, read = (
        (Argument.RAW, dense_words) if variant.x is BF16 else (Argument.X, dense_vectors)
    )
    with shared_rows(e, 0, e.argument(Argument.DENSE_ROWS), _ROWS_TAKEN) as row:
        sums = new_sums(e, variant.level, 1, variant.tokens)
        columns = 128 // variant.tokens  # enough sums in flight, few enough registers
        row_bytes, size = e.argument(Argument.DENSE_ROW_BYTES), columns * kind.bytes
        values = e.at(e.pointer(Argument.DENSE), e.b.mul(row, row_bytes))
        with e.loop(integer(0), e.b.sdiv(row_bytes, integer(size))) as block:
            byte = e.b.mul(block, integer(variant.x.bytes * columns))
            x = tokens_at(e, argument, variant.tokens, byte)
            start = e.at(values, e.b.mul(block, integer(size)))
            for line in range(0, size, LINE_BYTES):
                e.prefetch(start, PREFETCH_BYTES + line)
            parts = [
                read(e, kind, variant.level, e.at(start, integer(position)))
                for position in range(0, size, RANK_BLOCK * kind.bytes)
            ]
            add_products(e, variant.level, sums, [itertools.chain(*parts)], x)
        yield row, sums[0]


@contextmanager
def _integer_rows(e: Emitter, variant: Variant) -> Iterator[tuple[ir.Value, list[list[ir.Value]]]]:
    """Likewise for int8 values with fp32 scales, which stand at ``BIAS`` row after row."""
    row_bytes = e.argument(Argument.DENSE_ROW_BYTES)
    groups = e.b.sdiv(row_bytes, integer(SCALE_COLUMNS))
    with shared_rows(e, 0, e.argument(Argument.DENSE_ROWS), _ROWS_TAKEN) as row:
        sums = new_sums(e, variant.level, 1, variant.tokens)
        values = e.at(e.pointer(Argument.DENSE), e.b.mul(row, row_bytes))
        with e.loop(integer(0), groups) as group:
            start = e.at(values, e.b.mul(group, integer(SCALE_COLUMNS)))
            for line in range(0, SCALE_COLUMNS, LINE_BYTES):
                e.prefetch(start, PREFETCH_BYTES + line)
            byte = e.b.mul(group, integer(SCALE_COLUMNS * x_bytes(variant.level)))
            x = tokens_at(e, Argument.X8, variant.tokens, byte)
            byte = e.b.shl(group, integer(2))
            corrections = tokens_at(e, Argument.CORRECTIONS, variant.tokens, byte)
            pieces = dense_bytes(e, variant.level, start)
            totals = integer_sums(e, variant.level, pieces, x, corrections)
            position = e.b.shl(e.b.add(e.b.mul(row, groups), group), integer(2))
            scale = e.load(F32, e.at(e.pointer(Argument.BIAS), position))
            add_scaled(
                e, sums[0], totals, scale, tokens_at(e, Argument.SCALES, variant.tokens, byte)
            )
        yield row, sums[0]
