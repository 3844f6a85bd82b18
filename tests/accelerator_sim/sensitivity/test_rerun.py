"""Gains against whole simulations of the changed machine, and plans that are held."""

import json
from dataclasses import replace

import pytest

from accelerator_sim import simulate, what_if
from accelerator_sim.machine.catalog import load_accelerator, with_overrides
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.sensitivity.changes import MUCH, Change, changes_to
from accelerator_sim.sensitivity.rerun import hold
from accelerator_sim.sensitivity.what_if_result import WhatIfResult
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from workloads.results.envelope import result_from_json, result_to_json

ITEM = projection(random_mask(16, 24, 0.4, seed=3), rank=2)
NOTHING = Change("nothing", "doubled", {})


def result() -> WhatIfResult:
    return what_if(ITEM, small_machine(), model="compiled")


def test_what_if_bandwidth_doubled_is_a_run_on_that_machine() -> None:
    """The tile of this machine is given, so held and planned anew are one plan."""
    made = result()
    changed = with_overrides(small_machine(), {"dram.bytes_per_second": 8000})
    alone = simulate(ITEM, changed, models="compiled")["compiled"].total["MHA"]
    [gain] = [g for g in made.gains if g.change.overrides == {"dram.bytes_per_second": 8000}]
    assert (gain.change.resource, gain.change.step) == ("DRAM bandwidth", "doubled")
    for cycles in (gain.held, gain.anew):
        assert (cycles.dense, cycles.compressed) == (alone.dense_cycles, alone.sum_cycles)
    base = simulate(ITEM, small_machine(), models="compiled")["compiled"].total["MHA"]
    assert (made.base.dense, made.base.compressed) == (base.dense_cycles, base.sum_cycles)
    [row] = [row for row in made.to_table().rows if row[:2] == ("DRAM bandwidth", "doubled")]
    assert row[5] == base.sum_cycles / alone.sum_cycles


def test_hold_the_same_machine_repeats_its_plan() -> None:
    machine = with_overrides(small_machine(), {"tile.rows": "auto", "tile.columns": "auto"})
    plan = plan_projection(ITEM, machine)
    again = plan_projection(ITEM, hold(plan, machine, NOTHING)).program
    assert again.tiled.tile == plan.program.tiled.tile
    assert again.denser_lines == plan.program.denser_lines
    assert again.configuration == plan.program.configuration


def test_hold_more_lines_keep_the_share_of_each_engine() -> None:
    machine = replace(small_machine(lines=4, denser_lines=1, dense_threshold=0.4))
    plan = plan_projection(ITEM, machine)
    assert plan.program.denser_lines == 1
    assert hold(plan, replace(machine, lines=8), NOTHING).denser_lines == 2


def test_changes_to_leave_out_what_changes_nothing() -> None:
    ideal = with_overrides(small_machine(), {"dram.latency_ns": 0})
    names = {change.resource for change, _ in changes_to(ideal)}
    assert "DRAM latency" not in names
    steps = {
        (change.resource, change.step): machine for change, machine in changes_to(small_machine())
    }
    assert steps["DRAM bandwidth", "ideal"].dram.bytes_per_second == 4000 * MUCH
    assert steps["DRAM latency", "doubled"].read_latency_cycles == 1
    assert steps["lines", "doubled"].lines == 4
    assert ("lines", "ideal") not in steps


def test_changes_to_a_preset_are_every_resource_that_it_has() -> None:
    steps = [(change.resource, change.step) for change, _ in changes_to(load_accelerator("vitcod"))]
    assert len(set(steps)) == len(steps)
    assert {name for name, _ in steps} == {
        *("DRAM bandwidth", "DRAM latency", "requests", "lines", "link", "pipeline", "hand-offs"),
        *("weight buffer", "activation buffer", "output buffer", "weight slots", "input slots"),
        *("decode rate", "banks", "ports of a bank", "gather"),  # csc has no queue
    }
    queued = {change.resource for change, _ in changes_to(load_accelerator("array-64x64"))}
    assert {"decode queue", "decode"} <= queued


def test_slots_doubled_have_the_same_size_and_those_of_the_plan_held() -> None:
    machine = with_overrides(small_machine(), {"weight_buffer.capacity_bytes": 1 << 16})
    changed = {(change.resource, change.step): (change, to) for change, to in changes_to(machine)}
    change, twice = changed["weight slots", "doubled"]
    assert (twice.weight_buffer.slots, twice.weight_buffer.capacity_bytes) == (4, 1 << 17)
    plan = plan_projection(ITEM, machine)
    fewer = replace(plan, storage=replace(plan.storage, weight_slots=(1, 1)))
    assert hold(fewer, twice, change).weight_buffer.slots == 2
    assert hold(fewer, *changed["lines", "doubled"][::-1]).weight_buffer.slots == 1
    assert hold(fewer, *changed["weight slots", "ideal"][::-1]).weight_buffer.slots == "auto"


def test_what_if_result_is_read_back_from_its_json_and_drawn() -> None:
    made = result()
    value = json.loads(json.dumps(result_to_json(made), allow_nan=False))
    assert result_from_json(value, [WhatIfResult], "here") == made
    [axes] = made.plot().axes
    assert len(axes.patches) == 2 * len(made.gains)
    widths = [patch.get_width() for patch in axes.patches[: len(made.gains)]]  # type: ignore[attr-defined]
    gains = [made.base.compressed / g.held.compressed - 1 for g in made.gains]
    assert widths == pytest.approx(gains)
