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
from sslc.runtime.features import Level

Vectors = Iterator[list[ir.Value]]

_HIGH_HALF = 0xFFFF0000
_NOWHERE = 0x80


def factor_kind(kind: ValueType) -> ValueType:
    """How U and V are stored beside values of S: int8 has bf16 factors."""
    return FP32 if kind is FP32 else BF16


def lane_order(kind: ValueType, level: Level) -> NDArray[np.int64]:
    """Where each of 32 numbers of x stands among the lanes that multiply values of this kind."""
    positions = np.arange(RANK_BLOCK)
    if level.expands and kind is BF16:
        return positions // 2 + (positions % 2) * (RANK_BLOCK // 2)
    return positions


def dense_vectors(e: Emitter, kind: ValueType, level: Level, values: ir.Value) -> Vectors:
    """Vectors of 32 consecutive values."""
    width = 32 if level.expands and kind is BF16 else level.lanes
    for start in range(0, RANK_BLOCK, width):
        if kind is FP32:
            yield [e.load(vector(F32, width), values, 4 * start)]
        elif level.expands:
            yield _even_odd(e, e.load(vector(I16, width), values, 2 * start))
        else:
            words = e.b.zext(e.load(vector(I16, width), values, 2 * start), vector(I32, width))
            high = e.b.shl(words, splat(I32, width, 16))
            yield [e.b.bitcast(high, vector(F32, width))]


def dense_words(e: Emitter, _kind: ValueType, _level: Level, values: ir.Value) -> Vectors:
    """32 consecutive bf16 values as they are, where bf16 x multiplies them."""
    yield [e.load(vector(I16, RANK_BLOCK), values)]


def sparse_vectors(
    e: Emitter, kind: ValueType, level: Level, masks: ir.Value, values: ir.Value
) -> Vectors:
    """Vectors of a chunk's 64 columns: its mask is at one pointer, its kept values at another."""
    if not level.expands:
        return (_shuffle_words if kind is BF16 else _permute_floats)(e, masks, values)
    pieces = expanded(e, kind, masks, values)
    return (_even_odd(e, piece) if kind is BF16 else [piece] for piece in pieces)


def expanded(e: Emitter, kind: ValueType, masks: ir.Value, values: ir.Value) -> Iterator[ir.Value]:
    """Vectors of a row's chunk as its values are stored, zeros elsewhere: vpexpand."""
    element = {"bf16": I16, "fp32": F32, "int8": I8}[kind.name]
    word = ir.IntType(64 // kind.bytes)
    for byte in range(0, kind.chunk_columns // 8, word.width // 8):
        mask = e.load(word, masks, byte)
        yield _expand(e, element, mask, values)
        values = advance(e, values, mask, kind.bytes)


def _expand(e: Emitter, element: ir.Type, mask: ir.Value, values: ir.Value) -> ir.Value:
    kind = vector(element, mask.type.width)
    name = f"v{kind.count}{'f32' if element is F32 else element}"
    lanes = e.b.bitcast(mask, vector(ir.IntType(1), kind.count))
    stored = e.in_register(e.load(kind, values))
    return e.call(
        f"llvm.x86.avx512.mask.expand.{name}", kind, stored, ir.Constant(kind, None), lanes
    )


def row_masks(e: Emitter, kind: ValueType, start: ir.Value, position: ir.Value) -> list[ir.Value]:
    """Pointers to the masks of the three rows of a span's chunk."""
    size = kind.chunk_columns // 8
    first = e.at(start, e.b.mul(position, integer(size * GROUP_ROWS)))
    return [e.at(first, integer(size * row)) for row in range(GROUP_ROWS)]


def row_values(
    e: Emitter, kind: ValueType, masks: list[ir.Value], values: ir.Value
) -> tuple[list[ir.Value], ir.Value]:
    """Pointers to the values of a chunk's three rows, and to what follows them."""
    starts = []
    for bits in masks:
        starts.append(values)
        for byte in range(0, kind.chunk_columns // 8, 8):
            values = advance(e, values, e.load(I64, bits, byte), kind.bytes)
    return starts, values


def advance(e: Emitter, values: ir.Value, mask: ir.Value, size: int) -> ir.Value:
    """The pointer behind the values of a mask."""
    return e.at(values, e.b.mul(e.count_bits(mask), integer(size)))


def _even_odd(e: Emitter, words: ir.Value) -> list[ir.Value]:
    """bf16 words as fp32: those at even positions, then those at odd ones."""
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
        both = e.shuffle(stored, [*range(16), *range(16)])
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
