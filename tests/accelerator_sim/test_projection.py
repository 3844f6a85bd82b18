"""The entry points: fields that matter, results as plain data, no torch."""

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import Accelerator, Bits, Buffer, Dram, Index, TileChoice
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.event import run_event
from tests.accelerator_sim.machines import (
    plain_dram,
    projection,
    projection_by,
    random_mask,
    small_machine,
)
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import InputError

CHANGES: dict[str, Any] = {
    "clock_hz": 2000,
    "lines": 4,
    "macs_per_line": 4,
    "dataflow": "token",
    "denser_lines": 2,
    "dense_threshold": 0.5,
    "row_assignment": "next_free",
    "schedule": "overlapped",
    "loop_order": "weight_stationary",
    "link_elements_per_cycle": 1,
    "handoff_cycles": 0,
    "pipeline_cycles": 4,
    "gather": "ideal",
    "activation_banks": 1,
    "activation_ports": 4,
    "tile.rows": 6,
    "tile.columns": 8,
    "tile.tokens": 1,
    "bits.weight": 16,
    "bits.activation": 4,
    "bits.factor": 16,
    "bits.accumulator": 16,
    "index.format": "csr",
    "index.decode_per_cycle": 1,
    "index.run_bits": 1,
    "index.block_places": 2,
    "index.decode": "ideal",
    "index.decode_queue": 64,
    "weight_buffer.capacity_bytes": 320,
    "weight_buffer.slots": 1,
    "activation_buffer.capacity_bytes": 200,
    "activation_buffer.slots": 1,
    "output_buffer.capacity_bytes": 600,
    "output_buffer.slots": 1,
    "dram.bytes_per_second": 5000,
    "dram.efficiency": 0.72,
    "dram.burst_bytes": 16,
    "dram.channels": 2,
    "dram.latency_ns": 9e6,
    "dram.write_latency_ns": 9e6,
    "dram.refresh_share": 0.3,
    "dram.requests_per_cycle": 1,
    "dram.outstanding_requests": 1,
}
TABLES = (TileChoice, Bits, Index, Buffer, Dram)


def busy_machine() -> Accelerator:
    """A machine on which every part has work and every buffer is tight."""
    return small_machine(
        lines=3,
        denser_lines=1,
        dense_threshold=0.75,
        link_elements_per_cycle=2,
        tile=TileChoice(8, 12, 2),
        weight_buffer=Buffer(700, 2),
        activation_buffer=Buffer(120, 2),
        output_buffer=Buffer(300, 2),
        dram=plain_dram(6000, 1.0, 2, 8, 1),
    )


def busy_projection() -> SparseLowRankGemm:
    mask = random_mask(24, 36, 0.55, seed=5)
    mask[:, ::7] = True
    return projection(mask, rank=4, tokens=3)


def change(machine: Accelerator, key: str, value: Any) -> Accelerator:
    head, _, tail = key.partition(".")
    if tail:
        value = dataclasses.replace(getattr(machine, head), **{tail: value})
    return dataclasses.replace(machine, **{head: value})


def field_names(machine: Accelerator) -> set[str]:
    names = set()
    for field in dataclasses.fields(machine):
        value = getattr(machine, field.name)
        inner = dataclasses.fields(value) if isinstance(value, TABLES) else ()
        names |= {f"{field.name}.{part.name}" for part in inner} or {field.name}
    elsewhere = {"dram.technology", "softmax_elements_per_cycle"}  # energy; attention
    return names - {"name", "description"} - elsewhere


def test_accelerator_every_field_is_listed_as_changing_a_result() -> None:
    assert field_names(busy_machine()) == set(CHANGES)


@pytest.mark.parametrize("key", CHANGES)
def test_simulate_projection_every_field_changes_the_cycles(key: str) -> None:
    """On a machine with a given tile, one that overlaps, chooses its tile, has runs, has blocks of
    places, has a decode queue, or gathers inputs from banks."""
    given, item = busy_machine(), busy_projection()
    overlapping = change(given, "schedule", "overlapped")
    choosing = change(change(given, "tile", TileChoice()), "weight_buffer.capacity_bytes", 200)
    runs = change(given, "index.format", "run_length")
    blocks = change(given, "index.format", "hierarchical_bitmap")
    index = Index("bitmap", 2, decode="queue", decode_queue=1)
    queued = change(change(choosing, "macs_per_line", 1), "index", index)
    banked = change(change(given, "dataflow", "token"), "gather", "banked")
    banked = change(banked, "activation_banks", 2)
    changed = [
        run_event(plan_projection(item, machine)).cycles
        != run_event(plan_projection(item, change(machine, key, CHANGES[key]))).cycles
        for machine in (given, overlapping, choosing, runs, blocks, queued, banked)
    ]
    assert any(changed)


def test_simulate_projection_unknown_model_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown model 'events': did you mean event"):
        projection_by("events", busy_projection(), busy_machine())  # type: ignore[arg-type]


def test_simulate_projection_sparse_run_keeps_the_tile_of_the_whole_run() -> None:
    machine = load_accelerator("array-64x64", {"lines": 8, "macs_per_line": 8})
    item = projection(random_mask(256, 320, 0.5, seed=7), rank=16)
    cycles = projection_by("event", item, machine)
    assert cycles.sparse_run is not None
    assert cycles.sum_run is not None
    assert cycles.sparse_run.tile == cycles.sum_run.tile
    assert cycles.low_rank_cycles > 0


@pytest.mark.parametrize("schedule", ["sequential", "overlapped"])
def test_simulate_projection_low_rank_only_runs(schedule: str) -> None:
    item = projection(np.zeros((24, 36), dtype=bool), rank=4, tokens=3)
    machine = change(change(busy_machine(), "denser_lines", "auto"), "schedule", schedule)
    run = run_event(plan_projection(item, machine))
    assert run.actions.macs == 4 * (24 + 36) * 3
    assert run.traffic.weights == 0


def test_import_simulator_loads_no_torch() -> None:
    code = (
        "import pkgutil, importlib, sys, accelerator_sim as package\n"
        "for module in pkgutil.iter_modules(package.__path__, 'accelerator_sim.'):\n"
        "    importlib.import_module(module.name)\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
