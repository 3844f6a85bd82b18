"""What kernels share: arguments, rows shared by threads, x in its lanes, and sums of products.

A kernel takes the address of its arguments (``Argument``), for one thread or several at once: each
takes the next block of rows from a shared counter, so that the caller never waits for a helper that
has not started.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from llvmlite import ir

from sslc.runtime.arrange import arrange_span, is_arranged, quantize_group
from sslc.runtime.bitmap import BF16, FP32, INT8, SCALE_COLUMNS, SPAN_COLUMNS, ValueType
from sslc.runtime.emit import F32, I64, Emitter, integer, splat
from sslc.runtime.features import Level
from sslc.runtime.integer_chunk import x_bytes
from sslc.runtime.unpack import Vectors

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
LINE_BYTES = 64
_SPANS_TAKEN = 4

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


@contextmanager
def shared_rows(e: Emitter, counter: int, count: ir.Value, size: int) -> Iterator[ir.Value]:
    """Repeat the body for what this thread takes of ``count``; go on when all of them are done."""
    counters = e.pointer(Argument.COUNTERS)
    taken, done = (e.at(counters, integer(8 * position)) for position in (counter, counter + 1))
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


def arrange_x(e: Emitter, variant: Variant) -> None:
    """Put x where the rest of the kernel takes it, unless it is taken as it is."""
    kind, level, tokens = variant.kind, variant.level, variant.tokens
    if variant.x is BF16 or is_arranged(kind, level):
        return
    with shared_rows(e, 4, e.argument(Argument.RAW_SPANS), _SPANS_TAKEN) as span:
        byte = e.b.mul(span, integer(FP32.bytes * SPAN_COLUMNS))
        source = tokens_at(e, Argument.RAW, tokens, byte)
        lanes = tokens_at(e, Argument.X, tokens, byte)
        for token in range(tokens):
            arrange_span(e, kind, level, source[token], lanes[token])
        if kind is INT8:
            _quantize(e, level, source, span)


def _quantize(e: Emitter, level: Level, source: list[ir.Value], span: ir.Value) -> None:
    tokens, size = len(source), x_bytes(level)
    byte = e.b.mul(span, integer(size * SPAN_COLUMNS))
    numbers = tokens_at(e, Argument.X8, tokens, byte)
    byte = e.b.mul(span, integer(4 * SPAN_COLUMNS // SCALE_COLUMNS))
    scales = tokens_at(e, Argument.SCALES, tokens, byte)
    corrections = tokens_at(e, Argument.CORRECTIONS, tokens, byte)
    for token in range(tokens):
        for position in range(SPAN_COLUMNS // SCALE_COLUMNS):
            quantize_group(
                e,
                level,
                e.at(source[token], integer(4 * SCALE_COLUMNS * position)),
                numbers=e.at(numbers[token], integer(size * SCALE_COLUMNS * position)),
                scale=e.at(scales[token], integer(4 * position)),
                correction=e.at(corrections[token], integer(4 * position)),
            )


def new_sums(e: Emitter, level: Level, rows: int, tokens: int) -> Sums:
    """Accumulators at zero, as many of each as the registers hold, at most four."""
    lanes = level.lanes
    several = max(1, level.lanes // (rows * tokens))
    count = 1 << (min(4, several).bit_length() - 1)
    zero = splat(F32, lanes, 0.0)
    return [[[e.variable(zero) for _ in range(count)] for _ in range(tokens)] for _ in range(rows)]


def add_products(
    e: Emitter, level: Level, sums: Sums, rows: list[Vectors], x: list[ir.Value]
) -> None:
    """Add the products of rows with the x of each token, all in the order of the columns.

    Vectors are fp32, or bf16 words where x is bf16.
    """
    position = 0
    for pieces in zip(*rows, strict=True):
        for row, piece in enumerate(pieces):
            for part, values in enumerate(piece):
                for token, start in enumerate(x):
                    choice = sums[row][token]
                    total = choice[(position + part) % len(choice)]
                    numbers = e.load(values.type, start, 4 * level.lanes * (position + part))
                    old = e.b.load(total, typ=total.allocated_type)
                    e.b.store(e.multiply_add(values, numbers, old), total)
        position += len(pieces[0])
        if not level.expands:
            e.keep_order()


def tokens_at(e: Emitter, argument: Argument, tokens: int, byte: ir.Value) -> list[ir.Value]:
    """A pointer for each token, so many bytes into what is its own."""
    start = e.at(e.pointer(argument), byte)
    distance = e.argument(Argument(argument + 1))
    return [e.at(start, e.b.mul(distance, integer(token))) for token in range(tokens)]


def store_row(
    e: Emitter,
    sums: list[list[ir.Value]],
    target: Argument,
    position: ir.Value,
    *,
    bias: ir.Value | None = None,
) -> None:
    """Write one row's result for every token."""
    byte = e.b.shl(position, integer(2))
    for parts, pointer in zip(sums, tokens_at(e, target, len(sums), byte), strict=True):
        lanes = [e.b.load(part, typ=part.allocated_type) for part in parts]
        while len(lanes) > 1:
            lanes = [e.b.fadd(a, b) for a, b in zip(lanes[::2], lanes[1::2], strict=True)]
        result = e.total(lanes[0])
        e.store(result if bias is None else e.b.fadd(result, bias), pointer)


def add_scaled(
    e: Emitter,
    sums: list[list[ir.Value]],
    totals: list[ir.Value],
    scale: ir.Value,
    x_scales: list[ir.Value],
) -> None:
    """Add one row's whole numbers, for each token times the scales of the row and of x.

    Args:
        e: Where to emit.
        sums: The row's accumulators.
        totals: For each token whole numbers, spread over lanes.
        scale: Of the row.
        x_scales: For each token a pointer to the scale of x.
    """
    for token, total in enumerate(totals):
        lanes = e.b.sitofp(total, sums[token][0].allocated_type)
        factor = e.spread(e.b.fmul(scale, e.load(F32, x_scales[token])), total.type.count)
        old = e.b.load(sums[token][0], typ=lanes.type)
        e.b.store(e.multiply_add(lanes, factor, old), sums[token][0])
