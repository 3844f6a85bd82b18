"""Tiles that are searched: they fit, and what does not fit is said."""

import dataclasses

import numpy as np
import pytest

from accelerator_sim.machine.hardware import TileChoice
from accelerator_sim.planning.planner import plan_dense, plan_projection
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError


def test_plan_dense_auto_tile_fits_and_is_reported() -> None:
    machine = small_machine(tile=TileChoice())
    plan = plan_dense(Gemm("p", "MHA", 48, 96, 6), machine)
    assert plan.storage.fits
    assert plan.tile_chosen_by.startswith("fewest cycles of")


def test_plan_projection_auto_tile_in_tiny_buffers_takes_a_small_tile() -> None:
    machine = small_machine(tile=TileChoice())
    tiny = dataclasses.replace(machine.weight_buffer, capacity_bytes=48)
    plan = plan_projection(
        projection(random_mask(40, 40, 0.5, seed=1)),
        dataclasses.replace(machine, weight_buffer=tiny),
    )
    assert plan.program.tiled.tile.rows * plan.program.tiled.tile.columns <= 48
    none = dataclasses.replace(machine.weight_buffer, capacity_bytes=1)
    with pytest.raises(
        InputError,
        match=r"smallest choice for auto, weights need 2 bytes and a slot has 0; no other tile",
    ):
        plan_projection(
            projection(np.ones((40, 40), dtype=bool)),
            dataclasses.replace(machine, weight_buffer=none),
        )
