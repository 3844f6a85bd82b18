"""A bitmap matrix written out again, some groups of rows at a time: for a GEMM over many tokens."""

from collections.abc import Iterator

from llvmlite import ir

from sslc.runtime.bitmap import FP32, GROUP_ROWS, INT8, ValueType
from sslc.runtime.emit import I8, I16, I32, I64, POINTER, Emitter, integer, splat, vector
from sslc.runtime.features import Level
from sslc.runtime.integer_chunk import row_scale, shuffle_bytes
from sslc.runtime.kernel_parts import Argument, Variant, shared_rows
from sslc.runtime.kernels import GROUPS_TAKEN, Chunk
from sslc.runtime.unpack import expanded, row_masks, row_values, sparse_vectors


def emit_expand(module: ir.Module, variant: Variant) -> None:
    """Add the function ``expand``: S to ``Y``, U to ``T``, scales to ``SCALES``, group by group."""
    e = Emitter(module, "expand")
    kind = variant.kind
    with shared_rows(e, 2, e.argument(Argument.GROUPS), GROUPS_TAKEN) as group:
        offset = e.load(I64, e.at(e.pointer(Argument.OFFSETS), e.b.shl(group, integer(3))))
        at = e.variable(e.at(e.pointer(Argument.STREAM), offset))
        with e.loop(integer(0), e.argument(Argument.SPANS)) as span:
            start = e.b.load(at, typ=POINTER)
            e.b.store(e.at(start, integer(kind.header_bytes)), at)
            with e.loop(integer(0), integer(kind.chunks_of_span)) as position:
                masks = row_masks(e, kind, start, position)
                starts, values = row_values(e, kind, masks, e.b.load(at, typ=POINTER))
                _expand_chunk(e, variant, group, Chunk(span, position, start, masks, starts))
                e.b.store(values, at)
        size = e.argument(Argument.T_BYTES)
        target = e.at(e.pointer(Argument.T), e.b.mul(group, size))
        never = ir.Constant(ir.IntType(1), 0)
        source = e.b.load(at, typ=POINTER)
        e.call("llvm.memcpy.p0.p0.i64", ir.VoidType(), target, source, size, never)
    e.b.ret_void()


def _expand_chunk(e: Emitter, variant: Variant, group: ir.Value, chunk: Chunk) -> None:
    """Write three rows of a chunk."""
    kind = variant.kind
    first = e.b.mul(chunk.span, integer(kind.chunks_of_span))
    number = e.b.add(first, chunk.position)
    column_bytes = e.b.mul(number, integer(kind.chunk_columns * kind.bytes))
    for row, masks in enumerate(chunk.masks):
        position = e.b.add(e.b.mul(group, integer(GROUP_ROWS)), integer(row))
        target = e.at(e.pointer(Argument.Y), e.b.mul(position, e.argument(Argument.Y_BYTES)))
        target = e.at(target, column_bytes)
        for piece in _pieces(e, kind, variant.level, masks, chunk.values[row]):
            e.store(piece, target)
            target = e.at(target, integer(piece.type.count * kind.bytes))
        if kind is INT8:
            row_bytes = e.b.mul(position, e.argument(Argument.SCALES_BYTES))
            scales = e.at(e.pointer(Argument.SCALES), row_bytes)
            scale = row_scale(e, chunk.start, chunk.position, row)
            e.store(scale, e.at(scales, e.b.shl(number, integer(2))))


def _pieces(
    e: Emitter, kind: ValueType, level: Level, masks: ir.Value, values: ir.Value
) -> Iterator[ir.Value]:
    """A row's chunk as it is stored, with zeros where nothing is kept."""
    if level.expands:
        yield from expanded(e, kind, masks, values)
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
