"""A bitmap matrix written out again, some groups of rows at a time: for a GEMM over many tokens."""

from collections.abc import Iterator

from llvmlite import ir

from sslc.runtime.bitmap import BF16, FP32, GROUP_ROWS, INT8, ValueType
from sslc.runtime.emit import F32, I8, I16, I32, I64, POINTER, Emitter, integer, splat, vector
from sslc.runtime.features import AVX512, Level
from sslc.runtime.integer_chunk import row_scale, shuffle_bytes
from sslc.runtime.kernels import GROUPS_TAKEN, Argument, shared_rows
from sslc.runtime.unpack import advance, expand, row_masks, row_values, sparse_vectors


def emit_expand(module: ir.Module, kind: ValueType, level: Level, _tokens: int) -> None:
    """Add the function ``expand``: S to ``Y``, U to ``T``, scales to ``SCALES``, group by group."""
    e = Emitter(module, "expand")
    with shared_rows(e, 2, e.argument(Argument.GROUPS), GROUPS_TAKEN) as group:
        offset = e.load(I64, e.at(e.pointer(Argument.OFFSETS), e.b.shl(group, integer(3))))
        at = e.variable(e.at(e.pointer(Argument.STREAM), offset))
        with e.loop(integer(0), e.argument(Argument.CHUNKS)) as chunk:
            start = e.b.load(at, typ=POINTER)
            e.b.store(_expand_chunk(e, kind, level, start, group, chunk), at)
        size = e.argument(Argument.T_BYTES)
        target = e.at(e.pointer(Argument.T), e.b.mul(group, size))
        never = ir.Constant(ir.IntType(1), 0)
        source = e.b.load(at, typ=POINTER)
        e.call("llvm.memcpy.p0.p0.i64", ir.VoidType(), target, source, size, never)
    e.b.ret_void()


def _expand_chunk(
    e: Emitter, kind: ValueType, level: Level, start: ir.Value, group: ir.Value, chunk: ir.Value
) -> ir.Value:
    """Write three rows of a chunk; returns where the next one starts."""
    starts, end = row_values(e, kind, start)
    column_bytes = e.b.mul(chunk, integer(kind.chunk_columns * kind.bytes))
    for row, masks in enumerate(row_masks(e, kind, start)):
        place = e.b.add(e.b.mul(group, integer(GROUP_ROWS)), integer(row))
        target = e.at(e.pointer(Argument.Y), e.b.mul(place, e.argument(Argument.Y_BYTES)))
        target = e.at(target, column_bytes)
        for piece in _pieces(e, kind, level, masks, starts[row]):
            e.store(piece, target)
            target = e.at(target, integer(piece.type.count * kind.bytes))
        if kind is INT8:
            index = e.b.add(e.b.mul(place, e.argument(Argument.CHUNKS)), chunk)
            scales = e.pointer(Argument.SCALES)
            e.store(row_scale(e, start, row), e.at(scales, e.b.shl(index, integer(2))))
    return end


def _pieces(
    e: Emitter, kind: ValueType, level: Level, masks: ir.Value, values: ir.Value
) -> Iterator[ir.Value]:
    """A row's chunk as it is stored, with zeros where nothing is kept."""
    if level is AVX512:
        element = {BF16: I16, FP32: F32, INT8: I8}[kind]
        word = ir.IntType(64 // kind.bytes)
        for byte in range(0, kind.chunk_columns // 8, word.width // 8):
            mask = e.load(word, masks, byte)
            yield expand(e, element, mask, values)
            values = advance(e, values, mask, kind.bytes)
    elif kind is INT8:
        for words in shuffle_bytes(e, masks, values):
            yield e.b.trunc(e.b.lshr(words, splat(I16, 16, 8)), vector(I8, 16))
    else:
        for (lanes,) in sparse_vectors(e, kind, level, masks, values):
            if kind is FP32:
                yield lanes
            else:
                bits = e.b.bitcast(lanes, vector(I32, 8))
                yield e.b.trunc(e.b.lshr(bits, splat(I32, 8, 16)), vector(I16, 8))
