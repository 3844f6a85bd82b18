"""Every preset runs, above its roofline; every field of one changes what comes out."""

from typing import Any

import numpy as np
import pytest

from accelerator_sim.machine.catalog import (
    accelerator_names,
    load_accelerator,
    load_cost_table,
    with_overrides,
)
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.machine.keys import hardware_keys
from accelerator_sim.models.energy import Area, Energy, area, energy
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.result import EventResult
from tests.accelerator_sim.machines import projection
from workloads.masks.packed import SparseLowRankGemm

OTHER: dict[str, Any] = {
    "clock_hz": 1_000_000_000,
    "lines": 32,
    "macs_per_line": 16,
    "dataflow": "token",
    "denser_lines": 8,
    "dense_threshold": 0.4,
    "row_assignment": "next_free",
    "schedule": "overlapped",
    "link_elements_per_cycle": 1,
    "handoff_cycles": 0,
    "softmax_elements_per_cycle": 1,
    "loop_order": "weight_stationary",
    "pipeline_cycles": 0,
    "gather": "ideal",
    "activation_banks": 4,
    "activation_ports": 4,
    "tile.rows": 32,
    "tile.columns": 128,
    "tile.tokens": 4,
    "bits.weight": 4,
    "bits.activation": 16,
    "bits.factor": 16,
    "bits.accumulator": 24,
    "index.format": "csr",
    "index.decode_per_cycle": 4,
    "index.run_bits": 2,
    "index.block_places": 4,
    "index.decode": "ideal",
    "index.decode_queue": 255,
    "weight_buffer.capacity_bytes": 16_384,
    "weight_buffer.slots": 1,
    "activation_buffer.capacity_bytes": 8192,
    "activation_buffer.slots": 1,
    "output_buffer.capacity_bytes": 16_384,
    "output_buffer.slots": 1,
    "dram.bytes_per_second": 25_600_000_000,
    "dram.efficiency": 0.69,
    "dram.latency_ns": 500,
    "dram.burst_bytes": 32,
    "dram.channels": 1,
    "dram.technology": "lpddr4",
    "dram.write_latency_ns": 500,
    "dram.refresh_share": 0.1,
    "dram.requests_per_cycle": "unlimited",
    "dram.outstanding_requests": 1,
}
TILE = {"tile.rows": 128, "tile.columns": 64, "tile.tokens": 8}
BASES: tuple[dict[str, Any], ...] = (
    TILE,
    {**TILE, "dataflow": "token"},
    {**TILE, "dense_threshold": 0.6, "denser_lines": 16},
    {**TILE, "index.format": "run_length"},
    {**TILE, "index.format": "hierarchical_bitmap"},
    {**TILE, "schedule": "overlapped", "index.decode_queue": 128},
)
"""The preset with a tile, and some of its kind, since no machine shows every field."""


def ragged() -> SparseLowRankGemm:
    """128 x 192 at a half kept, its columns between nothing and everything; rank 16, 20 tokens."""
    kept = np.linspace(0, 1, 192) * np.linspace(1, 0.6, 128)[:, None]
    return projection(np.random.default_rng(4).random((128, 192)) < kept, rank=16, tokens=20)


def pattern() -> SparseLowRankGemm:
    """96 x 160 with 2 of every 4 columns kept: every preset's index takes it."""
    places = np.random.default_rng(2).random((96, 40, 4)).argsort(axis=2) < 2
    return projection(places.reshape(96, 160), rank=8, tokens=3)


@pytest.mark.parametrize("name", accelerator_names())
def test_preset_takes_no_less_than_its_roofline(name: str) -> None:
    machine = load_accelerator(name)
    for plan in (plan_projection(pattern(), machine), plan_dense(pattern().gemm, machine)):
        result = run_compiled(plan)
        assert 0 < result.roofline_cycles <= result.cycles
        accounts = [account.total for account in result.stalls.values()]
        assert sum(accounts) == machine.lines * result.cycles


def test_keys_of_a_preset_are_all_listed_here() -> None:
    keys = {key.name for key in hardware_keys()}
    assert keys - {"name", "description"} == OTHER.keys()


def outcome(machine: Accelerator) -> tuple[EventResult, Energy, Area, float]:
    """All that a result has: cycles, accounts, bytes, energy, area, seconds."""
    result, costs = run_compiled(plan_projection(ragged(), machine)), load_cost_table()
    seconds = result.cycles / machine.clock_hz
    return result, energy(result, costs, accelerator=machine), area(machine, costs), seconds


def test_every_field_of_a_preset_changes_some_result() -> None:
    machines = [load_accelerator("array-64x64", base) for base in BASES]
    before = [outcome(machine) for machine in machines]
    for key, value in OTHER.items():
        changed = (
            outcome(with_overrides(machine, {key: value})) != found
            for machine, found in zip(machines, before, strict=True)
        )
        assert any(changed), key
