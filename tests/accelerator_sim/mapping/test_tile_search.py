"""Tiles that are searched: they fit, and what does not fit is said."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import TileChoice
from accelerator_sim.mapping.candidates import candidate_plan
from accelerator_sim.mapping.search import Search
from accelerator_sim.mapping.tile_search import Candidate, estimated
from accelerator_sim.mapping.tiling import TileShape
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from workloads.masks.packed import PackedMask
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


@pytest.mark.parametrize(
    "order", ["output_stationary", "weight_stationary", "activation_stationary"]
)
@pytest.mark.parametrize(
    ("tile", "rank"),
    [
        pytest.param(TileShape(16, 16, 4), None, id="dense"),
        pytest.param(TileShape(24, 16, 5), 0, id="sparse"),
        pytest.param(TileShape(8, 32, 3), 16, id="sparse and factors"),
    ],
)
def test_estimated_tiling_of_many_tiles_takes_as_long_as_its_run(
    order: str, tile: TileShape, rank: int | None
) -> None:
    """Of which most blocks are not walked; a block more or less would be 3%."""
    fields = {"lines": 16, "macs_per_line": 16, "loop_order": order}
    mask = None
    if rank is not None:
        mask = PackedMask.pack(np.random.default_rng(0).random((600, 512)) < 0.5)
    gemm = Gemm("p", "FFN", 600, 512, 64)
    search = Search(gemm, load_accelerator("array-64x64", fields), 8, mask, rank or 0)
    candidate = Candidate(tile, "token", search.splits[0])
    [found] = estimated(search, [candidate])
    plan = candidate_plan(search, candidate)
    assert plan is not None
    assert found.cycles == pytest.approx(run_compiled(plan).cycles, rel=0.02)


@pytest.mark.parametrize("fields", [{}, {"activation_banks": 16}, {"activation_ports": 2}])
@pytest.mark.parametrize("rows", [64, 256])
def test_estimated_tiling_waits_for_banks_as_long_as_its_run(
    rows: int, fields: dict[str, Any]
) -> None:
    """Wide tiles wait most; those no wider than the banks, and neighbours in lockstep, hardly."""
    mask = PackedMask.pack(np.random.default_rng(0).random((512, 1024)) < 0.5)
    machine = load_accelerator("array-64x64", fields)
    search = Search(Gemm("p", "FFN", 512, 1024, 64), machine, 8, mask)
    for columns in (32, 64, 128, 256):
        candidate = Candidate(TileShape(rows, columns, 64), "token", 0)
        [found] = estimated(search, [candidate])
        plan = candidate_plan(search, candidate)
        assert plan is not None
        assert found.cycles == pytest.approx(run_compiled(plan).cycles, rel=0.12)
