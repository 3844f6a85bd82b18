"""The CPU kernels: y = S·x + U·(Vᵀx) + bias in fp32, and a dense product as the baseline.

A kernel takes the address of its arguments (``Argument``), for one thread or several at once: each
takes the next block of rows from a shared counter, so that the caller never waits for a helper that
has not started. Vᵀx comes first; a thread goes on to S and U when all of it is there.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from llvmlite import ir

from sslc.runtime.arrange import arrange_span, is_arranged, quantize_group
from sslc.runtime.bitmap import (
    BF16,
    FP32,
    GROUP_ROWS,
    INT8,
    RANK_BLOCK,
    SCALE_COLUMNS,
    SPAN_COLUMNS,
    ValueType,
)
from sslc.runtime.emit import F32, I64, POINTER, Emitter, integer, splat, vector
from sslc.runtime.features import Level
from sslc.runtime.integer_chunk import integer_row, row_scale, x_bytes
from sslc.runtime.unpack import (
    Vectors,
    dense_vectors,
    dense_words,
    expanded,
    factor_kind,
    lane_order,
    row_masks,
    row_values,
    sparse_vectors,
)

Argument = IntEnum(
    "Argument",
    "COUNTERS RAW RAW_BYTES RAW_SPANS X X_BYTES T T_BYTES Y Y_BYTES DENSE DENSE_ROW_BYTES"
    " DENSE_ROWS STREAM OFFSETS GROUPS SPANS RANK_BLOCKS BIAS X8 X8_BYTES SCALES SCALES_BYTES"
    " CORRECTIONS CORRECTIONS_BYTES",
    start=0,
)
"""Where each 64-bit argument stands; ``_BYTES`` is the distance from one token or row to the next.

``RAW`` is x, padded with zeros to whole spans, and ``X`` the same in the order of
its lanes. ``DENSE`` is Vᵀ for a compressed projection, whose product goes to ``T`` likewise.
"""

COUNTERS = 6
"""Spans of x, dense rows and groups taken and done."""
PREFETCH_BYTES = 10240
_PREFETCHED_LINES = {"bf16": 4, "fp32": 7, "int8": 5}
GROUPS_TAKEN = 16
"""Groups of rows that a thread takes at a time."""
_ROWS_TAKEN = 4
_SPANS_TAKEN = 4
_LINE_BYTES = 64

Sums = list[list[list[ir.Value]]]
"""Accumulators by row, by token, and several of each so that additions need not wait."""


@dataclass(frozen=True)
class Variant:
    """What a kernel is specialised for.

    Attributes:
        kind: How values are stored.
        level: Instructions that may be used.
        tokens: 1, 2 or 4.
        x: How x comes: fp32, or bf16 for bf16 values where the level multiplies them.
    """

    kind: ValueType
    level: Level
    tokens: int = 1
    x: ValueType = FP32


@dataclass(frozen=True, eq=False)
class Chunk:
    """Where a chunk of three rows is.

    Attributes:
        span: Number of its span, as the kernel counts.
        place: Its own number in the span.
        start: Pointer to the span.
        masks: Pointers to the masks of its rows.
        values: Pointers to the values of its rows.
    """

    span: ir.Value
    place: ir.Value
    start: ir.Value
    masks: list[ir.Value]
    values: list[ir.Value]


def emit_sparse(module: ir.Module, variant: Variant) -> None:
    """Add the function ``sparse``: a compressed projection."""
    e = Emitter(module, "sparse")
    kind, level, tokens = variant.kind, variant.level, variant.tokens
    factors = factor_kind(kind)
    _arrange(e, variant)
    with _dense_rows(e, factors, variant) as (row, products):
        _store(e, products, Argument.T, _lane(e, factors, level, row))
    with shared_rows(e, 2, e.argument(Argument.GROUPS), GROUPS_TAKEN) as group:
        sums = _new_sums(e, level, GROUP_ROWS, tokens)
        offset = e.load(I64, e.at(e.pointer(Argument.OFFSETS), e.b.shl(group, integer(3))))
        at = e.variable(e.at(e.pointer(Argument.STREAM), offset))
        with e.loop(integer(0), e.argument(Argument.SPANS)) as span:
            start = e.b.load(at, typ=POINTER)
            e.b.store(e.at(start, integer(kind.header_bytes)), at)
            with e.loop(integer(0), integer(kind.chunks_of_span)) as place:
                values = e.b.load(at, typ=POINTER)
                for line in range(_PREFETCHED_LINES[kind.name]):
                    e.prefetch(values, PREFETCH_BYTES + line * _LINE_BYTES)
                masks = row_masks(e, kind, start, place)
                starts, values = row_values(e, kind, masks, values)
                _add_chunk(e, variant, sums, Chunk(span, place, start, masks, starts))
                e.b.store(values, at)
        _add_u(e, factors, level, sums, e.b.load(at, typ=POINTER))
        for row_sums, row in zip(sums, range(GROUP_ROWS), strict=True):
            place = e.b.add(e.b.mul(group, integer(GROUP_ROWS)), integer(row))
            bias = e.load(F32, e.at(e.pointer(Argument.BIAS), e.b.shl(place, integer(2))))
            _store(e, row_sums, Argument.Y, place, bias=bias)
    e.b.ret_void()


def emit_dense(module: ir.Module, variant: Variant) -> None:
    """Add the function ``dense``: rows of values padded to whole vectors."""
    e = Emitter(module, "dense")
    _arrange(e, variant)
    with _dense_rows(e, variant.kind, variant) as (row, products):
        _store(e, products, Argument.Y, row)
    e.b.ret_void()


@contextmanager
def shared_rows(e: Emitter, counter: int, count: ir.Value, size: int) -> Iterator[ir.Value]:
    """Repeat the body for what this thread takes of ``count``; go on when all of them are done."""
    counters = e.pointer(Argument.COUNTERS)
    taken, done = (e.at(counters, integer(8 * place)) for place in (counter, counter + 1))
    with e.repeat() as leave:
        first = e.b.atomic_rmw("add", taken, integer(size), "acq_rel")
        leave(e.b.icmp_signed(">=", first, count))
        last = e.least(e.b.add(first, integer(size)), count)
        with e.loop(first, last) as index:
            yield index
        e.b.atomic_rmw("add", done, e.b.sub(last, first), "acq_rel")
    with e.repeat() as leave:
        leave(e.b.icmp_signed(">=", e.b.load_atomic(done, "acquire", 8, typ=I64), count))
        e.call("llvm.x86.sse2.pause", ir.VoidType())


def _arrange(e: Emitter, variant: Variant) -> None:
    """Put x where the rest of the kernel takes it, unless it is taken as it is."""
    kind, level, tokens = variant.kind, variant.level, variant.tokens
    if variant.x is BF16 or is_arranged(kind, level):
        return
    with shared_rows(e, 4, e.argument(Argument.RAW_SPANS), _SPANS_TAKEN) as span:
        byte = e.b.mul(span, integer(FP32.bytes * SPAN_COLUMNS))
        source = _tokens_at(e, Argument.RAW, Argument.RAW_BYTES, tokens, byte)
        lanes = _tokens_at(e, Argument.X, Argument.X_BYTES, tokens, byte)
        for token in range(tokens):
            arrange_span(e, kind, level, source[token], lanes[token])
        if kind is INT8:
            _quantize(e, level, source, span)


def _quantize(e: Emitter, level: Level, source: list[ir.Value], span: ir.Value) -> None:
    tokens, size = len(source), x_bytes(level)
    byte = e.b.mul(span, integer(size * SPAN_COLUMNS))
    numbers = _tokens_at(e, Argument.X8, Argument.X8_BYTES, tokens, byte)
    byte = e.b.mul(span, integer(4 * SPAN_COLUMNS // SCALE_COLUMNS))
    scales = _tokens_at(e, Argument.SCALES, Argument.SCALES_BYTES, tokens, byte)
    corrections = _tokens_at(e, Argument.CORRECTIONS, Argument.CORRECTIONS_BYTES, tokens, byte)
    for token in range(tokens):
        for place in range(SPAN_COLUMNS // SCALE_COLUMNS):
            quantize_group(
                e,
                level,
                e.at(source[token], integer(4 * SCALE_COLUMNS * place)),
                numbers=e.at(numbers[token], integer(size * SCALE_COLUMNS * place)),
                scale=e.at(scales[token], integer(4 * place)),
                correction=e.at(corrections[token], integer(4 * place)),
            )


def _new_sums(e: Emitter, level: Level, rows: int, tokens: int) -> Sums:
    lanes = level.lanes
    several = max(1, level.lanes // (rows * tokens))
    count = 1 << (min(4, several).bit_length() - 1)
    zero = splat(F32, lanes, 0.0)
    return [[[e.variable(zero) for _ in range(count)] for _ in range(tokens)] for _ in range(rows)]


def _add(e: Emitter, level: Level, sums: Sums, rows: list[Vectors], x: list[ir.Value]) -> None:
    """Add the products of rows with the x of each token, all in the order of the columns.

    Vectors are fp32, or bf16 words where x is bf16.
    """
    place = 0
    for pieces in zip(*rows, strict=True):
        for row, piece in enumerate(pieces):
            for part, values in enumerate(piece):
                for token, start in enumerate(x):
                    choice = sums[row][token]
                    total = choice[(place + part) % len(choice)]
                    numbers = e.load(values.type, start, 4 * level.lanes * (place + part))
                    old = e.b.load(total, typ=total.allocated_type)
                    e.b.store(e.multiply_add(values, numbers, old), total)
        place += len(pieces[0])
        if not level.expands:
            e.keep_order()


def _tokens_at(
    e: Emitter, argument: Argument, stride: Argument, tokens: int, byte: ir.Value
) -> list[ir.Value]:
    """A pointer for each token."""
    start = e.at(e.pointer(argument), byte)
    distance = e.argument(stride)
    return [e.at(start, e.b.mul(distance, integer(token))) for token in range(tokens)]


@contextmanager
def _dense_rows(
    e: Emitter, kind: ValueType, variant: Variant
) -> Iterator[tuple[ir.Value, list[list[ir.Value]]]]:
    """Repeat the body for each row of the dense matrix, with the sums of its product."""
    argument, read = (
        (Argument.RAW, dense_words) if variant.x is BF16 else (Argument.X, dense_vectors)
    )
    with shared_rows(e, 0, e.argument(Argument.DENSE_ROWS), _ROWS_TAKEN) as row:
        sums = _new_sums(e, variant.level, 1, variant.tokens)
        columns = 128 // variant.tokens  # enough sums in flight, few enough registers
        row_bytes, size = e.argument(Argument.DENSE_ROW_BYTES), columns * kind.bytes
        values = e.at(e.pointer(Argument.DENSE), e.b.mul(row, row_bytes))
        with e.loop(integer(0), e.b.sdiv(row_bytes, integer(size))) as block:
            byte = e.b.mul(block, integer(variant.x.bytes * columns))
            x = _tokens_at(e, argument, Argument(argument + 1), variant.tokens, byte)
            start = e.at(values, e.b.mul(block, integer(size)))
            for line in range(0, size, _LINE_BYTES):
                e.prefetch(start, PREFETCH_BYTES + line)
            parts = [
                read(e, kind, variant.level, e.at(start, integer(place)))
                for place in range(0, size, RANK_BLOCK * kind.bytes)
            ]
            _add(e, variant.level, sums, [itertools.chain(*parts)], x)
        yield row, sums[0]


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
        _add(e, level, sums, [([piece] for piece in row) for row in pieces], x)
    else:
        x = _chunk_x(e, variant, chunk, Argument.X, FP32.bytes)
        _add(
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
    byte = e.b.add(span, e.b.mul(chunk.place, integer(variant.kind.chunk_columns * size)))
    return _tokens_at(e, argument, Argument(argument + 1), variant.tokens, byte)


def _add_integer_chunk(e: Emitter, variant: Variant, sums: Sums, chunk: Chunk) -> None:
    """Likewise for int8 values and int8 x, with a scale for each row and each token."""
    x = _chunk_x(e, variant, chunk, Argument.X8, x_bytes(variant.level))
    place = e.b.add(e.b.mul(chunk.span, integer(8)), e.b.shl(chunk.place, integer(2)))
    tokens = variant.tokens
    scales = _tokens_at(e, Argument.SCALES, Argument.SCALES_BYTES, tokens, place)
    corrections = _tokens_at(e, Argument.CORRECTIONS, Argument.CORRECTIONS_BYTES, tokens, place)
    for row, masks in enumerate(chunk.masks):
        totals = integer_row(e, variant.level, masks, chunk.values[row], x, corrections)
        scale = row_scale(e, chunk.start, chunk.place, row)
        for token, total in enumerate(totals):
            lanes = e.b.sitofp(total, vector(F32, total.type.count))
            factor = e.spread(e.b.fmul(scale, e.load(F32, scales[token])), total.type.count)
            target = sums[row][token][0]
            e.b.store(e.multiply_add(lanes, factor, e.b.load(target, typ=lanes.type)), target)


def _add_u(e: Emitter, kind: ValueType, level: Level, sums: Sums, start: ir.Value) -> None:
    """Add three rows of U times Vᵀx."""
    count = e.argument(Argument.RANK_BLOCKS)
    size = integer(RANK_BLOCK * kind.bytes)
    with e.loop(integer(0), count) as block:
        rows = []
        for row in range(GROUP_ROWS):
            place = e.b.add(e.b.mul(count, integer(row)), block)
            rows.append(dense_vectors(e, kind, level, e.at(start, e.b.mul(place, size))))
        byte = e.b.mul(block, integer(4 * RANK_BLOCK))
        _add(e, level, sums, rows, _tokens_at(e, Argument.T, Argument.T_BYTES, len(sums[0]), byte))


def _lane(e: Emitter, kind: ValueType, level: Level, place: ir.Value) -> ir.Value:
    """Where a number of Vᵀx stands among the lanes that multiply U, as ``lane_order`` says."""
    order = lane_order(kind, level)
    table = e.table("lanes", I64, [int(lane) for lane in order])
    within = e.b.and_(place, integer(RANK_BLOCK - 1))
    lane = e.load(I64, e.at(table, e.b.shl(within, integer(3))))
    return e.b.add(e.b.sub(place, within), lane)


def _store(
    e: Emitter,
    sums: list[list[ir.Value]],
    target: Argument,
    place: ir.Value,
    *,
    bias: ir.Value | None = None,
) -> None:
    """Write one row's result for every token."""
    byte = e.b.shl(place, integer(2))
    stride = Argument(target + 1)
    for parts, pointer in zip(sums, _tokens_at(e, target, stride, len(sums), byte), strict=True):
        lanes = [e.b.load(part, typ=part.allocated_type) for part in parts]
        while len(lanes) > 1:
            lanes = [e.b.fadd(a, b) for a, b in zip(lanes[::2], lanes[1::2], strict=True)]
        result = e.total(lanes[0])
        e.store(result if bias is None else e.b.fadd(result, bias), pointer)
