"""How stored values become fp32 lanes: the one place where AVX2 and AVX-512 differ.

Each function yields, piece of columns after piece, the vectors that multiply x, which stands in the
order of ``lane_order``. AVX2 reads a bitmap by a table: a mask byte picks a shuffle that puts up to
eight values at their lanes. AVX-512 has an instruction for it (VBMI2 ``vpexpand``).
"""

from collections.abc import Iterator

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from sslc.runtime.bitmap import BF16, FP32, GROUP_ROWS, RANK_BLOCK, ValueType
from sslc.runtime.emit import F32, I8, I16, I32, I64, Emitter, integer, splat, vector
from sslc.runtime.features import AVX512, Level

Vectors = Iterator[list[ir.Value]]

_HIGH_HALF = 0xFFFF0000
_NOWHERE = 0x80


def factor_kind(kind: ValueType) -> ValueType:
    """How U and V are stored beside values of S: int8 has bf16 factors."""
    return FP32 if kind is FP32 else BF16


def lane_order(kind: ValueType, level: Level) -> NDArray[np.int64]:
    """Where each of 32 numbers of x stands among the lanes that multiply values of this kind."""
    places = np.arange(RANK_BLOCK)
    if level is AVX512 and kind is BF16:
        return places // 2 + (places % 2) * (RANK_BLOCK // 2)
    return places


def lanes_of(level: Level) -> int:
    """fp32 numbers in a vector."""
    return 16 if level is AVX512 else 8


def dense_vectors(e: Emitter, kind: ValueType, level: Level, values: ir.Value) -> Vectors:
    """Vectors of 32 consecutive values."""
    width = 32 if level is AVX512 and kind is BF16 else lanes_of(level)
    for start in range(0, RANK_BLOCK, width):
        if kind is FP32:
            yield [e.load(vector(F32, width), values, 4 * start)]
        elif level is AVX512:
            yield _even_odd(e, e.load(vector(I16, width), values, 2 * start))
        else:
            words = e.b.zext(e.load(vector(I16, width), values, 2 * start), vector(I32, width))
            high = e.b.shl(words, splat(I32, width, 16))
            yield [e.b.bitcast(high, vector(F32, width))]


def sparse_vectors(
    e: Emitter, kind: ValueType, level: Level, masks: ir.Value, values: ir.Value
) -> Vectors:
    """Vectors of a chunk's 64 columns: its mask is at one pointer, its kept values at another."""
    if level is AVX512:
        return (_expand_words if kind is BF16 else _expand_floats)(e, masks, values)
    return (_shuffle_words if kind is BF16 else _permute_floats)(e, masks, values)


def expand(e: Emitter, element: ir.Type, mask: ir.Value, values: ir.Value) -> ir.Value:
    """Values at the lanes whose mask bit is set, zeros elsewhere: vpexpand."""
    kind = vector(element, mask.type.width)
    name = f"v{kind.count}{'f32' if element is F32 else element}"
    lanes = e.b.bitcast(mask, vector(ir.IntType(1), kind.count))
    stored = e.in_register(e.load(kind, values))
    return e.call(
        f"llvm.x86.avx512.mask.expand.{name}", kind, stored, ir.Constant(kind, None), lanes
    )


def row_masks(e: Emitter, kind: ValueType, start: ir.Value) -> list[ir.Value]:
    """Pointers to the masks of a chunk's three rows."""
    return [e.at(start, integer(row * kind.chunk_columns // 8)) for row in range(GROUP_ROWS)]


def row_values(e: Emitter, kind: ValueType, start: ir.Value) -> tuple[list[ir.Value], ir.Value]:
    """Pointers to the values of a chunk's three rows, and to the next chunk."""
    values = e.at(start, integer(kind.header_bytes))
    starts = []
    for masks in row_masks(e, kind, start):
        starts.append(values)
        for byte in range(0, kind.chunk_columns // 8, 8):
            values = advance(e, values, e.load(I64, masks, byte), kind.bytes)
    return starts, values


def advance(e: Emitter, values: ir.Value, mask: ir.Value, size: int) -> ir.Value:
    """The pointer behind the values of a mask."""
    return e.at(values, e.b.mul(e.count_bits(mask), integer(size)))


def _expand_words(e: Emitter, masks: ir.Value, values: ir.Value) -> Vectors:
    for byte in (0, 4):
        mask = e.load(I32, masks, byte)
        yield _even_odd(e, expand(e, I16, mask, values))
        values = advance(e, values, mask, 2)


def _expand_floats(e: Emitter, masks: ir.Value, values: ir.Value) -> Vectors:
    for byte in (0, 2, 4, 6):
        mask = e.load(I16, masks, byte)
        yield [expand(e, F32, mask, values)]
        values = advance(e, values, mask, 4)


def _even_odd(e: Emitter, words: ir.Value) -> list[ir.Value]:
    """bf16 words as fp32: those at even places, then those at odd ones."""
    pairs = e.b.bitcast(words, vector(I32, 16))
    even = e.b.shl(pairs, splat(I32, 16, 16))
    odd = e.b.and_(pairs, splat(I32, 16, _HIGH_HALF))
    return [e.b.bitcast(half, vector(F32, 16)) for half in (even, odd)]


def _shuffle_words(e: Emitter, masks: ir.Value, values: ir.Value) -> Vectors:
    table = shuffle_table(e, 2, 4)
    for byte in range(8):
        mask = e.load(I8, masks, byte)
        order = e.load(vector(I8, 32), _row(e, table, mask, 32))
        stored = e.load(vector(I8, 16), values)
        twice = ir.Constant(vector(I32, 32), [ir.Constant(I32, lane % 16) for lane in range(32)])
        both = e.b.shuffle_vector(stored, stored, twice)
        lanes = e.call("llvm.x86.avx2.pshuf.b", vector(I8, 32), both, order)
        yield [e.b.bitcast(lanes, vector(F32, 8))]
        values = advance(e, values, mask, 2)


def _permute_floats(e: Emitter, masks: ir.Value, values: ir.Value) -> Vectors:
    none = 1 << 31
    table = e.table("permute", I32, [none if lane is None else lane for lane in _ranks()])
    for byte in range(8):
        mask = e.load(I8, masks, byte)
        order = e.load(vector(I32, 8), _row(e, table, mask, 32))
        stored = e.load(vector(F32, 8), values)
        lanes = e.call("llvm.x86.avx2.permps", vector(F32, 8), stored, order)
        kept = e.b.icmp_signed(">=", order, splat(I32, 8, 0))
        yield [e.b.select(kept, lanes, splat(F32, 8, 0.0))]
        values = advance(e, values, mask, 4)


def shuffle_table(e: Emitter, size: int, lane_bytes: int) -> ir.Value:
    """For each mask byte the bytes that put values at the top of their lanes, zeros below.

    Args:
        e: Where to emit.
        size: Bytes of a value.
        lane_bytes: Of a lane.
    """
    rows = []
    for rank in _ranks():
        rows += [_NOWHERE] * (lane_bytes - size)
        rows += [_NOWHERE if rank is None else size * rank + byte for byte in range(size)]
    return e.table(f"shuffle{lane_bytes}", I8, rows)


def _ranks() -> list[int | None]:
    """For each mask byte and bit: how many set bits are below it, None where it is not set."""
    return [
        (mask & ((1 << bit) - 1)).bit_count() if mask >> bit & 1 else None
        for mask in range(256)
        for bit in range(8)
    ]


def _row(e: Emitter, table: ir.Value, mask: ir.Value, size: int) -> ir.Value:
    """The table's line of a mask byte."""
    return e.at(table, e.b.mul(e.b.zext(mask, I64), integer(size)))


def shuffle_line(e: Emitter, table: ir.Value, mask: ir.Value, size: int) -> ir.Value:
    """The table's line of a mask byte, as a vector of bytes."""
    return e.load(vector(I8, size), _row(e, table, mask, size))
