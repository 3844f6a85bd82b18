"""Widths from the file: bytes as stored, scales among them, and what a machine cannot take."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accelerator_sim import simulate
from accelerator_sim.machine.hardware import Bits, TileChoice
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.projection import simulate_projection
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from tests.workloads.artifact.test_read import NUMBERED, numbered_artifact, small_artifact
from workloads.artifact.storage import Storage
from workloads.support.errors import InputError, InputWarning

EIGHT = Bits(weight=8, activation=8, factor=8, accumulator=32)


@pytest.mark.parametrize("tile", [(4, 8), (3, 5), (6, 40), (4, 16)])
@pytest.mark.parametrize("storage", [Storage("I8", "I8", 8), Storage("I4", "F8_E4M3", 16)])
def test_program_loads_the_bits_that_the_file_stores(
    tile: tuple[int, int], storage: Storage
) -> None:
    """With a bitmap, no padding and an entry in every tile: values, mask, scales, U and V once."""
    mask = random_mask(12, 40, 0.9, seed=0)
    item = replace(projection(mask, rank=3), stored=storage.loaded)
    machine = small_machine(bits=EIGHT, dense_threshold=1.0, tile=TileChoice(*tile, 1))
    program = plan_projection(item, machine).program
    loaded = sum(int(stream.weight_bits.sum()) for stream in program.streams)
    stored = 8 * storage.stored_bytes(12, 40, rank=3, nonzeros=int(mask.sum()))
    assert 0 <= stored - loaded < 8  # a file ends with a whole byte


def test_narrower_numbers_move_fewer_bytes_and_engines_agree() -> None:
    item, machine = projection(random_mask(32, 64, 0.5, seed=1), rank=4), small_machine(bits=EIGHT)
    read = {}
    for values in ("I8", "I4"):
        stored = replace(item, stored=Storage(values, "I8", 16).loaded)
        costs = simulate_projection(stored, machine, models=("event", "compiled", "roofline"))
        assert costs["event"].sum_cycles == costs["compiled"].sum_cycles
        assert costs["event"].sum_cycles >= costs["roofline"].sum_cycles
        assert costs["event"].dense_run == simulate_projection(item, machine)["event"].dense_run
        run = costs["event"].sum_run
        assert run is not None
        read[values] = run.actions.dram_read_bytes
    assert read["I4"] < read["I8"]


def test_numbers_wider_than_the_machine_are_refused() -> None:
    stored = Storage("I8", "F32", 8).loaded
    item = replace(projection(np.ones((4, 8), np.bool_)), stored=stored)
    with pytest.raises(InputError, match=r"stored in 8 bits, and bits.weight of machine .* is 4"):
        plan_projection(item, small_machine(bits=replace(EIGHT, weight=4)))


def test_artifact_in_floating_point_is_simulated_with_a_remark(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.warns(InputWarning, match="32-bit floating point; machine array-64x64 is given 8"):
        floats = simulate(small_artifact(tmp_path / "f"), models="roofline")
    record = replace(NUMBERED, storage=Storage("I4", "I8", 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        numbers = simulate(numbered_artifact(tmp_path, record), models="roofline")
    identities = [result["roofline"].identity.workload.sha256 for result in (floats, numbers)]
    assert identities[0] != identities[1]
