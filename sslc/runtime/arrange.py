"""The first step of a kernel: x in the order of its lanes, and in int8 where S is in int8."""

import functools

from llvmlite import ir

from sslc.runtime.bitmap import INT8, RANK_BLOCK, SCALE_COLUMNS, SPAN_COLUMNS, ValueType
from sslc.runtime.emit import F32, I8, I16, I32, Emitter, integer, splat, vector
from sslc.runtime.features import Level
from sslc.runtime.integer_chunk import x_bytes
from sslc.runtime.unpack import factor_kind, lane_order

_LARGEST = 127


@functools.cache
def is_arranged(kind: ValueType, level: Level) -> bool:
    """Whether x is taken as it is: no step is needed."""
    return kind is not INT8 and bool((lane_order(kind, level) == range(RANK_BLOCK)).all())


def arrange_span(
    e: Emitter, kind: ValueType, level: Level, source: ir.Value, lanes: ir.Value
) -> None:
    """Put a span of x into the order of its lanes."""
    order = lane_order(factor_kind(kind), level)
    inverse = sorted(range(RANK_BLOCK), key=lambda position: int(order[position]))
    for start in range(0, SPAN_COLUMNS, RANK_BLOCK):
        numbers = e.load(vector(F32, RANK_BLOCK), source, 4 * start)
        e.store(e.shuffle(numbers, inverse), e.at(lanes, integer(4 * start)))


def quantize_group(
    e: Emitter,
    level: Level,
    source: ir.Value,
    *,
    numbers: ir.Value,
    scale: ir.Value,
    correction: ir.Value,
) -> None:
    """Round 128 numbers of x to int8 as ``quantize_x`` does.

    Args:
        e: Where to emit.
        level: Instructions that may be used.
        source: Pointer to the numbers.
        numbers: Where they go, in the width that the kernel takes.
        scale: Where their scale goes.
        correction: Where −128 times their sum goes.
    """
    lanes = level.lanes
    kind = vector(F32, lanes)
    x = [e.load(kind, source, 4 * start) for start in range(0, SCALE_COLUMNS, lanes)]
    sizes = [e.call(f"llvm.fabs.v{lanes}f32", kind, part) for part in x]
    largest = sizes[0]
    for size in sizes[1:]:
        largest = e.call(f"llvm.maxnum.v{lanes}f32", kind, largest, size)
    top = e.call(f"llvm.vector.reduce.fmax.v{lanes}f32", F32, largest)
    step = e.b.fdiv(top, ir.Constant(F32, _LARGEST))
    e.store(step, scale)
    some = e.b.fcmp_ordered(">", step, ir.Constant(F32, 0.0))
    divisor = e.spread(e.b.select(some, step, ir.Constant(F32, 1.0)), lanes)
    total = splat(I32, lanes, 0)
    for position, part in enumerate(x):
        rounded = e.call(f"llvm.rint.v{lanes}f32", kind, e.b.fdiv(part, divisor))
        whole = e.b.fptosi(rounded, vector(I32, lanes))
        total = e.b.add(total, whole)
        size = x_bytes(level)
        narrow = e.b.trunc(whole, vector(I8 if size == 1 else I16, lanes))
        e.store(narrow, e.at(numbers, integer(size * lanes * position)))
    summed = e.call(f"llvm.vector.reduce.add.v{lanes}i32", I32, total)
    e.store(e.b.mul(summed, ir.Constant(I32, -128)), correction)
