"""Rows of bits as 64-bit words, and what compiled code asks of a word.

Whoever walks nonzeros instead of places goes from one bit of a word to the next.
"""

import numpy as np
from numpy.typing import NDArray

from workloads.masks.packed import PackedMask
from workloads.support.compiled import compiled

Words = NDArray[np.uint64]
_ROWS_AT_ONCE = 512


def row_words(mask: PackedMask, left_out: NDArray[np.bool_], *, close_up: bool) -> Words:
    """Rows of a mask as words, least significant bit first, padded with zeros.

    Args:
        mask: m×n.
        left_out: Shape (n,); columns that are not there.
        close_up: Whether the columns after them move up; else they are zeros.

    Returns:
        Shape (m, words); a view where nothing is left out and rows are whole words.
    """
    bits = np.asarray(mask.bits)
    if not left_out.any():
        if bits.shape[1] % 8 == 0 and bits.flags.c_contiguous:
            return bits.view(np.uint64)
        return _padded(bits)
    if not close_up:
        return _padded(bits & ~np.packbits(left_out, bitorder="little"))
    parts = []
    for row in range(0, mask.rows, _ROWS_AT_ONCE):
        part = PackedMask(bits[row : row + _ROWS_AT_ONCE], mask.columns).unpack()
        parts.append(np.packbits(part[:, ~left_out], axis=1, bitorder="little"))
    return _padded(np.concatenate(parts))


def _padded(bits: NDArray[np.uint8]) -> Words:
    padded = np.zeros((bits.shape[0], max(-(-bits.shape[1] // 8), 1) * 8), dtype=np.uint8)
    padded[:, : bits.shape[1]] = bits
    return padded.view(np.uint64)


@compiled
def ones(word: np.uint64) -> int:
    """Ones of a word: sums of pairs, of fours, of bytes; LLVM knows it as one instruction."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    fours = np.uint64(0x3333333333333333)
    word = (word & fours) + ((word >> np.uint64(2)) & fours)
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int(np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56)))


@compiled
def lowest(word: np.uint64) -> int:
    """Place of the lowest one of a word; 64 if there is none."""
    return ones(np.uint64(~word & (word - np.uint64(1))))


@compiled
def part_of_word(words: Words, row: int, place: int, start: int, end: int) -> np.uint64:
    """One word of a row without the columns before ``start`` and from ``end`` on."""
    word: np.uint64 = words[row, place]
    first, last = start - 64 * place, end - 64 * place
    if first > 0:
        word &= ~np.uint64(0) << np.uint64(first)
    if last < 64:
        word &= (np.uint64(1) << np.uint64(last)) - np.uint64(1)
    return word


@compiled
def ones_between(words: Words, row: int, start: int, end: int) -> int:
    """Ones of a row from column ``start`` to before ``end``."""
    found = 0
    for place in range(start >> 6, (end + 63) >> 6):
        found += ones(part_of_word(words, row, place, start, end))
    return found
