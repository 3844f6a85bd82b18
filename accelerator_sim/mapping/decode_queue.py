"""How long a row takes whose indices pass through a line's decode queue. Pure.

Beside ``indices``, for ``index.decode = "queue"``: one chunk of entries a cycle goes into a queue
of products, from which the MACs of the line take theirs. ``docs/event_model.md`` has the rule.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.machine.hardware import Index
from accelerator_sim.mapping.tiling import Counts, TiledProjection
from workloads.masks.memo import counted
from workloads.support.compiled import compiled

_FORMATS = ("bitmap", "csr", "run_length", "N:M")


class Line(NamedTuple):
    """What empties a queue: so many products at once, each time for so many cycles.

    Attributes:
        rate: Entries of a chunk.
        queue: Products that wait at most.
        width: Products that the MACs take at once.
        service: Cycles that they take for them.
    """

    rate: int
    queue: int
    width: int
    service: int


def first_pass(tiled: TiledProjection, index: Index, line: Line) -> Counts:
    """Cycles of every row of a tile until its chunks are taken and its queue is empty.

    Args:
        tiled: The projection in tiles, with its mask.
        index: The format that gives the order of entries.
        line: The queue.

    Returns:
        Shape (I, R, J); 0 in a tile without nonzeros. Kept while the mask lives.
    """
    mask, dense = tiled.mask_and_dense
    skipped = np.packbits(dense, bitorder="little")
    kept, group = index.n_of_m or (1, 1)
    kind = 3 if index.n_of_m else _FORMATS.index(index.format)
    sizes = (mask.columns, tiled.tile.columns, kind, kept, group, (1 << index.run_bits) - 1)

    def count() -> Counts:
        cycles = np.zeros((mask.rows, len(tiled.column_sizes)), dtype=np.int64)
        _pass_rows(np.asarray(mask.bits), skipped, sizes, line, cycles)
        return cycles

    key = ("first pass", sizes, line, skipped.tobytes())
    cycles = tiled.rows_in_blocks(counted(mask, key, count))
    return np.asarray(np.where((tiled.tile_nonzeros > 0)[:, None, :], cycles, 0))


@compiled
def _pass_rows(
    bits: NDArray[np.uint8],
    dense: NDArray[np.uint8],
    sizes: tuple[int, int, int, int, int, int],
    line: Line,
    cycles: Counts,
) -> None:
    """Walk the entries of every row and tile in storage order, chunk by chunk."""
    columns, tile_columns, kind, kept, group, escape = sizes
    for row in range(cycles.shape[0]):
        for tile in range(cycles.shape[1]):
            start = tile * tile_columns
            end = min(start + tile_columns, columns)
            state = (0, 0, 0, 0, 0)
            run = 0
            for column in range(start, end):
                place, bit = column >> 3, column & 7
                left = 1 - ((dense[place] >> bit) & 1)
                one = ((bits[row, place] >> bit) & 1) * left
                before, after = 0, 0
                if kind == 0:
                    after = left - one
                elif kind == 2:
                    before = one * (run // escape)
                    run = (run + left) * (1 - one)
                elif kind == 3:
                    run += one
                    if (column + 1) % group == 0 or column + 1 == end:
                        after = min(kept, column % group + 1) - run
                        run = 0
                for entry in range(before + one + after):
                    state = _enter(state, one if entry == before else 0, line)
            time, waiting, busy, entries, products = state
            if entries > 0:
                time, waiting, busy = _take(time, waiting, busy, products, line)
            rounds = (waiting + line.width - 1) // line.width
            cycles[row, tile] = time + busy + rounds * line.service


@compiled
def _enter(
    state: tuple[int, int, int, int, int], product: int, line: Line
) -> tuple[int, int, int, int, int]:
    """Add an entry to the chunk; a full one is taken.

    The state is cycles, products that wait, cycles until the MACs are free, and the entries and
    products of the chunk.
    """
    time, waiting, busy, entries, products = state
    if entries + 1 < line.rate:
        return time, waiting, busy, entries + 1, products + product
    time, waiting, busy = _take(time, waiting, busy, products + product, line)
    return time, waiting, busy, 0, 0


@compiled
def _take(time: int, waiting: int, busy: int, products: int, line: Line) -> tuple[int, int, int]:
    """Take one chunk, after as many cycles as the queue is too full for it."""
    while True:
        served = min(line.width, waiting + products) if busy == 0 else 0
        fits = waiting + products - served <= line.queue
        if fits:
            waiting += products - served
        else:
            served = min(line.width, waiting) if busy == 0 else 0
            waiting -= served
        busy = line.service - 1 if served > 0 else max(busy - 1, 0)
        time += 1
        if fits:
            return time, waiting, busy
