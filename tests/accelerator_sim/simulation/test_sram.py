"""Bytes that cross the buffers, against counts by hand."""

import dataclasses

from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.sram import sram_bytes
from tests.accelerator_sim.machines import (
    projection,
    with_rows,
)
from tests.accelerator_sim.models.test_energy import machine


def test_sram_bytes_with_factors_matches_hand_count() -> None:
    """A 4x8 mask with nothing kept, rank 3, 2 tokens: one tile of V (3x8) and one of U (4x3).

    Weights 24 + 12 bytes, in and out: 72. Inputs 16 in, 16 out: 32. Accumulators: V adds to 6 and U
    to 8, read and written: 28; U reads 3x2; write-back reads 8: 42 of 4 bytes, 168.
    """
    item = projection(with_rows([0, 0, 0, 0], 8), rank=3, tokens=2)
    found = sram_bytes(plan_projection(item, machine()))
    assert dataclasses.astuple(found) == (72, 32, 168, 0, 0, 0, 0)


def test_sram_bytes_tile_on_both_engines_adds_twice_to_each_row() -> None:
    """4 rows, 1 dense column on one line and 1 nonzero elsewhere: 8 sums; 4 outputs are read."""
    mask = with_rows([1, 1, 1, 1], 8)
    mask[2, 5] = True
    made = machine(dense_threshold=0.5, denser_lines=1)
    assert sram_bytes(plan_projection(projection(mask), made)).outputs == (2 * 8 + 4) * 4
