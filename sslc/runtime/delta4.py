"""Delta-4: kept values with 4-bit column deltas, laid out for a warp of 32 lanes.

A row's kept values, in column order, become entries: a value and its distance from the entry
before, 1 to 16, stored as distance − 1. A gap above 16 columns takes entries of value zero. Eight
entries make a chunk (one 16-byte load of bf16 values and one 32-bit word of codes); a row is padded
with zeros to whole chunks. Each of the 32 lanes owns a run of consecutive chunks and knows the
column where its run starts, so that no lane waits for another's prefix sum. Step t of lane l lies
at chunk 32·t + l of its row: the loads of a warp are contiguous.

The GPU kernels (``triton_kernels``, ``cuda_kernels``) read this format.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from workloads.support.errors import InputError

LANES = 32
CHUNK = 8
REACH = 16
LARGEST_COLUMNS = 65528  # a start column takes 16 bits


@dataclass(frozen=True)
class Delta4:
    """A sparse m×n matrix in delta-4.

    Attributes:
        rows: m.
        columns: n.
        values: One per entry, chunk by chunk; bf16 travels as its uint16 bits.
        codes: One 32-bit word per chunk: entry i's distance − 1 in bits 4i to 4i+3.
        starts: rows × 32: the column that an entry of distance 1 would have at the lane's start.
        row_chunks: rows + 1 chunk offsets.
    """

    rows: int
    columns: int
    values: NDArray[np.generic]
    codes: NDArray[np.uint32]
    starts: NDArray[np.uint16]
    row_chunks: NDArray[np.int32]

    @property
    def bytes(self) -> int:
        """Bytes that one product reads of the matrix."""
        parts = (self.values, self.codes, self.starts, self.row_chunks)
        return sum(part.nbytes for part in parts)


def encode_delta4(mask: NDArray[np.uint8], values: NDArray[np.generic], *, columns: int) -> Delta4:
    """Encode a packed mask with its kept values.

    Args:
        mask: rows × ⌈columns/8⌉ bytes, little-endian bit order.
        values: The kept values in row-major order, one per set bit; bf16 as uint16.
        columns: n, at most 65,528.

    Returns:
        The matrix in delta-4.

    Raises:
        InputError: The mask has another width, sets a bit past the last column, or does not have
            one bit per value.
    """
    rows = mask.shape[0]
    _check(mask, values, columns)
    entries = np.zeros(rows, np.int64)
    _count_entries(mask, entries)
    row_chunks = np.zeros(rows + 1, np.int64)
    np.cumsum(-(-entries // CHUNK), out=row_chunks[1:])
    chunks = int(row_chunks[-1])
    stored = np.zeros(chunks * CHUNK, values.dtype)
    codes = np.zeros(chunks, np.uint32)
    starts = np.zeros((rows, LANES), np.uint16)
    _fill(mask, values, row_chunks, stored, codes, starts)
    return Delta4(rows, columns, stored, codes, starts, row_chunks.astype(np.int32))


def decode_delta4(matrix: Delta4) -> NDArray[np.generic]:
    """The dense matrix again, in the dtype of its values.

    Args:
        matrix: A matrix in delta-4.

    Returns:
        rows × columns; places without an entry are zero.
    """
    dense = np.zeros((matrix.rows, matrix.columns), matrix.values.dtype)
    for row in range(matrix.rows):
        first, last = matrix.row_chunks[row], matrix.row_chunks[row + 1]
        order, lane = _logical_order(int(last - first))
        codes = matrix.codes[first:last][order]
        values = matrix.values[CHUNK * first : CHUNK * last].reshape(-1, CHUNK)[order]
        nibbles = (codes[:, None] >> (4 * np.arange(CHUNK, dtype=np.uint32))) & 15
        for owner in np.unique(lane):
            own = lane == owner
            places = matrix.starts[row, owner] + np.cumsum(nibbles[own].ravel() + 1) - 1
            kept = places < matrix.columns
            dense[row, places[kept]] = values[own].ravel()[kept]
    return dense


def _logical_order(chunks: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of a row's chunks in column order: where each lies, and the lane that owns it."""
    physical = np.arange(chunks)
    lane, step = physical % LANES, physical // LANES
    order = np.lexsort((step, lane))
    return order, lane[order]


def _check(mask: NDArray[np.uint8], values: NDArray[np.generic], columns: int) -> None:
    """Refuse a mask that does not fit the columns or the values."""
    if not 0 < columns <= LARGEST_COLUMNS:
        raise InputError(f"columns must be from 1 to {LARGEST_COLUMNS} for delta-4, got {columns}")
    if mask.ndim != 2 or mask.shape[1] != -(-columns // 8):
        raise InputError(f"mask of shape {mask.shape} does not have {columns} columns of bits")
    tail = columns % 8
    if tail and (mask[:, -1] >> tail).any():
        raise InputError(f"mask sets a bit past its last column {columns - 1}")
    kept = int(np.bitwise_count(mask).sum(dtype=np.int64))
    if kept != values.size:
        raise InputError(f"mask keeps {kept} values but {values.size} values are given")


@njit(cache=True)
def _count_entries(mask: NDArray[np.uint8], entries: NDArray[np.int64]) -> None:
    """Entries of each row: its kept values and the zeros that bridge gaps above 16."""
    for row in range(mask.shape[0]):
        column = -1
        total = 0
        for byte in range(mask.shape[1]):
            bits = mask[row, byte]
            for bit in range(8):
                if (bits >> bit) & 1:
                    total += (8 * byte + bit - column - 1) // 16 + 1
                    column = 8 * byte + bit
        entries[row] = total


@njit(cache=True)
def _fill(
    mask: NDArray[np.uint8],
    values: NDArray[np.generic],
    row_chunks: NDArray[np.int64],
    stored: NDArray[np.generic],
    codes: NDArray[np.uint32],
    starts: NDArray[np.uint16],
) -> None:
    """Write values, codes and lane starts of every row."""
    source = 0
    for row in range(mask.shape[0]):
        first = row_chunks[row]
        steps, longer = divmod(row_chunks[row + 1] - first, 32)
        column, entry = -1, 0
        lane, step = 0, 0
        for byte in range(mask.shape[1]):
            bits = mask[row, byte]
            for bit in range(8):
                if not (bits >> bit) & 1:
                    continue
                target = 8 * byte + bit
                while True:
                    if entry == 0 and step == 0:
                        starts[row, lane] = column + 1
                    distance = min(target - column, 16)
                    chunk = first + 32 * step + lane
                    codes[chunk] |= np.uint32(distance - 1) << np.uint32(4 * entry)
                    column += distance
                    entry += 1
                    place = 8 * chunk + entry - 1
                    if entry == 8:
                        entry, step = 0, step + 1
                        if step == steps + (lane < longer):
                            lane, step = lane + 1, 0
                    if column == target:
                        stored[place] = values[source]
                        source += 1
                        break
