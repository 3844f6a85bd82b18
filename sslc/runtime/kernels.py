"""The CPU kernels: y = S·x + U·(Vᵀx) + bias in fp32, and a dense product as the baseline.

A kernel takes the address of its arguments (``Argument``), for one thread or several at once: each
takes the next block of rows from a shared counter, so that the caller never waits for a helper that
has not started. Vᵀx comes first; a thread goes on to S and U when all of it is there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from llvmlite import ir

from sslc.runtime.bitmap import GROUP_ROWS, INT8, RANK_BLOCK, SCALE_COLUMNS, ValueType
from sslc.runtime.emit import F32, I64, POINTER, Emitter, integer, splat, vector
from sslc.runtime.features import AVX512, Level
from sslc.runtime.integer_chunk import integer_row, row_scale, x_bytes
from sslc.runtime.unpack import (
    Vectors,
    dense_vectors,
    factor_kind,
    lane_order,
    lanes_of,
    row_masks,
    row_values,
    sparse_vectors,
)

Argument = IntEnum(
    "Argument",
    "COUNTERS X X_BYTES T T_BYTES Y Y_BYTES DENSE DENSE_ROW_BYTES DENSE_ROWS STREAM OFFSETS GROUPS"
    " CHUNKS RANK_BLOCKS BIAS X8 X8_BYTES SCALES SCALES_BYTES CORRECTIONS CORRECTIONS_BYTES",
    start=0,
)
"""Where each 64-bit argument stands; ``_BYTES`` is the distance from one token or row to the next.

``DENSE`` is Vᵀ for a compressed projection, whose product goes to ``T`` in the order of its lanes.
"""

COUNTERS = 4
"""Rows and groups taken and done."""
PREFETCH_BYTES = 8192
_PREFETCHED_LINES = {"bf16": 5, "fp32": 7, "int8": 5}
GROUPS_TAKEN = 16
"""Groups of rows that a thread takes at a time."""
_ROWS_TAKEN = 4
_LINE_BYTES = 64

Sums = list[list[list[ir.Value]]]
"""Accumulators by row, by token, and several of each so that additions need not wait."""


def emit_sparse(module: ir.Module, kind: ValueType, level: Level, tokens: int) -> None:
    """Add the function ``sparse``: a compressed projection for so many tokens."""
    e = Emitter(module, "sparse")
    factors = factor_kind(kind)
    with shared_rows(e, 0, e.argument(Argument.DENSE_ROWS), 1) as row:
        sums = _dense_row(e, factors, level, tokens, row)
        _store(e, sums[0], Argument.T, _lane(e, factors, level, row))
    with shared_rows(e, 2, e.argument(Argument.GROUPS), GROUPS_TAKEN) as group:
        sums = _new_sums(e, level, GROUP_ROWS, tokens)
        offset = e.load(I64, e.at(e.pointer(Argument.OFFSETS), e.b.shl(group, integer(3))))
        at = e.variable(e.at(e.pointer(Argument.STREAM), offset))
        with e.loop(integer(0), e.argument(Argument.CHUNKS)) as chunk:
            start = e.b.load(at, typ=POINTER)
            for line in range(_PREFETCHED_LINES[kind.name]):
                e.prefetch(start, PREFETCH_BYTES + line * _LINE_BYTES)
            add = _integer_chunk if kind is INT8 else _chunk
            e.b.store(add(e, kind, level, sums, start, chunk), at)
        _add_u(e, factors, level, sums, e.b.load(at, typ=POINTER))
        for row_sums, row in zip(sums, range(GROUP_ROWS), strict=True):
            place = e.b.add(e.b.mul(group, integer(GROUP_ROWS)), integer(row))
            bias = e.load(F32, e.at(e.pointer(Argument.BIAS), e.b.shl(place, integer(2))))
            _store(e, row_sums, Argument.Y, place, bias=bias)
    e.b.ret_void()


def emit_dense(module: ir.Module, kind: ValueType, level: Level, tokens: int) -> None:
    """Add the function ``dense``: rows of values padded to whole vectors, for so many tokens."""
    e = Emitter(module, "dense")
    with shared_rows(e, 0, e.argument(Argument.DENSE_ROWS), _ROWS_TAKEN) as row:
        sums = _dense_row(e, kind, level, tokens, row)
        _store(e, sums[0], Argument.Y, row)
    e.b.ret_void()


@contextmanager
def shared_rows(e: Emitter, counter: int, count: ir.Value, size: int) -> Iterator[ir.Value]:
    """Repeat the body for what this thread takes of ``count``; go on when all of them are done."""
    counters = e.pointer(Argument.COUNTERS)
    taken, done = (e.at(counters, integer(8 * place)) for place in (counter, counter + 1))
    with e.repeat() as leave:
        first = e.b.atomic_rmw("add", taken, integer(size), "acq_rel")
        leave(e.b.icmp_signed(">=", first, count))
        last = e.b.add(first, integer(size))
        last = e.b.select(e.b.icmp_signed("<", last, count), last, count)
        with e.loop(first, last) as index:
            yield index
        e.b.atomic_rmw("add", done, e.b.sub(last, first), "acq_rel")
    with e.repeat() as leave:
        leave(e.b.icmp_signed(">=", e.b.load_atomic(done, "acquire", 8, typ=I64), count))
        e.call("llvm.x86.sse2.pause", ir.VoidType())


def _new_sums(e: Emitter, level: Level, rows: int, tokens: int) -> Sums:
    lanes = lanes_of(level)
    several = max(1, (16 if level is AVX512 else 8) // (rows * tokens))
    count = 1 << (min(4, several).bit_length() - 1)
    zero = splat(F32, lanes, 0.0)
    return [[[e.variable(zero) for _ in range(count)] for _ in range(tokens)] for _ in range(rows)]


def _add(e: Emitter, sums: Sums, rows: list[Vectors], x: list[ir.Value]) -> None:
    """Add the products of rows with the x of each token, all in the order of the columns."""
    place = 0
    for pieces in zip(*rows, strict=True):
        lanes = pieces[0][0].type.count
        for token, start in enumerate(x):
            for part in range(len(pieces[0])):
                numbers = e.load(pieces[0][part].type, start, 4 * lanes * (place + part))
                for row, piece in enumerate(pieces):
                    choice = sums[row][token]
                    total = choice[(place + part) % len(choice)]
                    old = e.b.load(total, typ=numbers.type)
                    e.b.store(e.fma(piece[part], numbers, old), total)
        place += len(pieces[0])


def _tokens_at(
    e: Emitter, argument: Argument, stride: Argument, tokens: int, byte: ir.Value
) -> list[ir.Value]:
    """A pointer for each token."""
    start = e.at(e.pointer(argument), byte)
    distance = e.argument(stride)
    return [e.at(start, e.b.mul(distance, integer(token))) for token in range(tokens)]


def _dense_row(e: Emitter, kind: ValueType, level: Level, tokens: int, row: ir.Value) -> Sums:
    """One row of the dense matrix times x."""
    sums = _new_sums(e, level, 1, tokens)
    row_bytes = e.argument(Argument.DENSE_ROW_BYTES)
    values = e.at(e.pointer(Argument.DENSE), e.b.mul(row, row_bytes))
    size = RANK_BLOCK * kind.bytes
    with e.loop(integer(0), e.b.sdiv(row_bytes, integer(size))) as block:
        x = _tokens_at(e, Argument.X, Argument.X_BYTES, tokens, e.b.mul(block, integer(128)))
        start = e.at(values, e.b.mul(block, integer(size)))
        for line in range(0, size, _LINE_BYTES):
            e.prefetch(start, PREFETCH_BYTES + line)
        _add(e, sums, [dense_vectors(e, kind, level, start)], x)
    return sums


def _chunk(
    e: Emitter, kind: ValueType, level: Level, sums: Sums, start: ir.Value, chunk: ir.Value
) -> ir.Value:
    """Add a chunk of three rows of S; returns where the next one starts."""
    starts, end = row_values(e, kind, start)
    masks = row_masks(e, kind, start)
    rows = [
        sparse_vectors(e, kind, level, bits, values)
        for bits, values in zip(masks, starts, strict=True)
    ]
    byte = e.b.mul(chunk, integer(4 * kind.chunk_columns))
    _add(e, sums, rows, _tokens_at(e, Argument.X, Argument.X_BYTES, len(sums[0]), byte))
    return end


def _integer_chunk(
    e: Emitter, kind: ValueType, level: Level, sums: Sums, start: ir.Value, chunk: ir.Value
) -> ir.Value:
    """Likewise for int8 values and int8 x, with a scale for each row and each token."""
    tokens = len(sums[0])
    byte = e.b.mul(chunk, integer(SCALE_COLUMNS * x_bytes(level)))
    x = _tokens_at(e, Argument.X8, Argument.X8_BYTES, tokens, byte)
    byte = e.b.shl(chunk, integer(2))
    scales = _tokens_at(e, Argument.SCALES, Argument.SCALES_BYTES, tokens, byte)
    corrections = _tokens_at(e, Argument.CORRECTIONS, Argument.CORRECTIONS_BYTES, tokens, byte)
    starts, end = row_values(e, kind, start)
    for row, masks in enumerate(row_masks(e, kind, start)):
        totals = integer_row(e, level, masks, starts[row], x, corrections)
        scale = row_scale(e, start, row)
        for token, total in enumerate(totals):
            lanes = e.b.sitofp(total, vector(F32, total.type.count))
            factor = e.spread(e.b.fmul(scale, e.load(F32, scales[token])), total.type.count)
            place = sums[row][token][0]
            e.b.store(e.fma(lanes, factor, e.b.load(place, typ=lanes.type)), place)
    return end


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
        _add(e, sums, rows, _tokens_at(e, Argument.T, Argument.T_BYTES, len(sums[0]), byte))


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
