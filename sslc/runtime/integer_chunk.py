"""int8 values times int8 x: exact whole numbers for each 128 columns, then one scale of each side.

AVX-512 multiplies unsigned by signed bytes (VNNI), so values get 128 added, and a correction of
−128·Σx starts each sum. AVX2 multiplies 16-bit numbers: values stand in their upper bytes, and the
sum is divided by 256 again, exactly.
"""

from collections.abc import Iterator

from llvmlite import ir

from sslc.runtime.bitmap import GROUP_ROWS, INT8, SCALE_COLUMNS, SPAN_COLUMNS
from sslc.runtime.emit import F32, I8, I16, I32, I64, Emitter, integer, splat, vector
from sslc.runtime.features import Level
from sslc.runtime.unpack import advance, expanded, shuffle_line, shuffle_table

_MASK_BYTES = SCALE_COLUMNS // 8


def x_bytes(level: Level) -> int:
    """Bytes in which the kernel takes a number of x."""
    return 1 if level.expands else 2


def integer_sums(
    e: Emitter,
    level: Level,
    pieces: Iterator[ir.Value],
    x: list[ir.Value],
    corrections: list[ir.Value],
) -> list[ir.Value]:
    """Sums over 128 columns of one row for each token, spread over 32-bit lanes.

    Args:
        e: Where to emit.
        level: Instructions that may be used.
        pieces: The row's values, as ``sparse_bytes`` or ``dense_bytes`` gives them.
        x: For each token a pointer to 128 numbers.
        corrections: For each token a pointer to −128 times their sum.
    """
    sums = [splat(I32, level.lanes, 0) for _ in x]
    if level.expands:
        first = ir.Constant(I32, 0)
        starts = [e.load(I32, pointer) for pointer in corrections]
        sums = [
            e.b.insert_element(total, start, first)
            for total, start in zip(sums, starts, strict=True)
        ]
    for position, piece in enumerate(pieces):
        for token, pointer in enumerate(x):
            numbers = e.load(piece.type, pointer, 4 * level.lanes * position)
            multiply = _add_bytes if level.expands else _add_words
            sums[token] = multiply(e, sums[token], piece, numbers)
    if level.expands:
        return sums
    return [e.b.ashr(total, splat(I32, level.lanes, 8)) for total in sums]


def sparse_bytes(e: Emitter, level: Level, masks: ir.Value, values: ir.Value) -> Iterator[ir.Value]:
    """128 values of a bitmap, as the multiplication takes them."""
    if not level.expands:
        yield from shuffle_bytes(e, masks, values)
        return
    for piece in expanded(e, INT8, masks, values):
        yield e.b.xor(piece, splat(I8, 64, 0x80))


def dense_bytes(e: Emitter, level: Level, values: ir.Value) -> Iterator[ir.Value]:
    """128 consecutive values, likewise."""
    for start in range(0, SCALE_COLUMNS, 4 * level.lanes if level.expands else 2 * level.lanes):
        if level.expands:
            yield e.b.xor(e.load(vector(I8, 64), values, start), splat(I8, 64, 0x80))
        else:
            words = e.b.zext(e.load(vector(I8, 16), values, start), vector(I16, 16))
            yield e.b.shl(words, splat(I16, 16, 8))


def row_scale(e: Emitter, start: ir.Value, position: ir.Value, row: int) -> ir.Value:
    """The bf16 scale, as fp32, of a row in a chunk of the span that starts there."""
    masks = GROUP_ROWS * SPAN_COLUMNS // 8
    scales = e.at(start, e.b.mul(position, integer(INT8.scale_bytes)))
    stored = e.load(I16, scales, masks + INT8.factor_bytes * row)
    return e.b.bitcast(e.b.shl(e.b.zext(stored, I32), ir.Constant(I32, 16)), F32)


def shuffle_bytes(e: Emitter, masks: ir.Value, values: ir.Value) -> Iterator[ir.Value]:
    """16 values at a time, each in the upper byte of 16 bits."""
    table = shuffle_table(e, 1, 2)
    for byte in range(0, _MASK_BYTES, 2):
        halves = []
        for half in range(2):
            mask = e.load(I8, masks, byte + half)
            stored = e.b.insert_element(splat(I64, 2, 0), e.load(I64, values), ir.Constant(I32, 0))
            order = shuffle_line(e, table, mask, 16)
            stored = e.b.bitcast(stored, vector(I8, 16))
            halves.append(e.call("llvm.x86.ssse3.pshuf.b.128", vector(I8, 16), stored, order))
            values = advance(e, values, mask, 1)
        both = ir.Constant(vector(I32, 32), [ir.Constant(I32, lane) for lane in range(32)])
        yield e.b.bitcast(e.b.shuffle_vector(*halves, both), vector(I16, 16))


def _add_bytes(e: Emitter, total: ir.Value, unsigned: ir.Value, signed: ir.Value) -> ir.Value:
    """Add products of bytes to 32-bit lanes, four to a lane."""
    kind = ir.FunctionType(total.type, [total.type, unsigned.type, signed.type])
    return e.b.call(
        ir.InlineAsm(kind, "vpdpbusd $3, $2, $0", "=v,0,v,v"), [total, unsigned, signed]
    )


def _add_words(e: Emitter, total: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    """Add products of 16-bit numbers to 32-bit lanes, two to a lane."""
    return e.b.add(total, e.call("llvm.x86.avx2.pmadd.wd", total.type, a, b))
