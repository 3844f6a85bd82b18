"""How many steps of a gather a nonzero takes where places are random: for estimates. Pure.

After ``gather``, which counts the steps of a mask exactly; before ``estimate``.
"""

from functools import lru_cache

import numpy as np

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.gather import Banks, gathers
from accelerator_sim.mapping.tiling import TileShape, cut
from workloads.masks.packed import PackedMask
from workloads.shapes.gemm import Gemm

_DENSITIES = 16
"""Densities that are told apart."""
_MOST_ROWS = 4
"""Rows of a line; after so many, every line is at a place of its own."""
_WIDEST = 16
"""Columns for each bank; of more, as many steps as of these."""


def gather_factor(
    accelerator: Accelerator, density: float, *, lines: int, rows: int, columns: int
) -> float:
    """Steps of a tile over the nonzeros of its longest line, at random places.

    Args:
        accelerator: Banks, ports, and how rows are dealt.
        density: Of the places.
        lines: Of the sparser engine, at least 1.
        rows: Of the tile.
        columns: Of the tile.
    """
    buffer = Banks(accelerator.activation_banks, accelerator.activation_ports)
    if columns <= buffer.banks:  # every column has a bank of its own
        return 1.0
    if columns <= 4 * buffer.banks:
        step = max(buffer.banks // 2, 1)
        columns = -(-columns // step) * step
    else:
        columns = min(1 << (columns - 1).bit_length(), _WIDEST * buffer.banks)
    lines = min(lines, rows)
    return _factor(
        buffer,
        accelerator.row_assignment == "next_free",
        max(round(density * _DENSITIES), 1) / _DENSITIES,
        lines,
        min(-(-rows // lines), _MOST_ROWS),
        columns,
    )


@lru_cache(maxsize=4096)
def _factor(
    buffer: Banks, next_free: bool, density: float, lines: int, rows_of_line: int, columns: int
) -> float:
    rows = lines * rows_of_line
    places = np.random.default_rng(0).random((rows, columns)) < density
    loads = places.sum(axis=1).reshape(rows_of_line, lines).sum(axis=0)
    tiled = cut(
        Gemm("random", "MHA", rows, columns, 1),
        PackedMask.pack(places),
        rank=0,
        dense_columns=np.zeros(columns, dtype=np.bool_),
        tile=TileShape(rows, columns, 1),
    )
    found = gathers(tiled, lines, next_free=next_free, buffer=buffer)
    return max(float(found.steps[0, 0]) / max(int(loads.max()), 1), 1.0)
