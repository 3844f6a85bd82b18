"""Programs kept from machine to machine change nothing but the time."""

import math
from dataclasses import replace
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from accelerator_sim.machine.hardware import Accelerator, Buffer
from accelerator_sim.mapping.kept_programs import KeptPrograms
from accelerator_sim.mapping.program import Program
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.result import EventResult
from tests.accelerator_sim.machines import (
    machines,
    plain_dram,
    projection,
    projection_by,
    projections,
    random_mask,
    small_machine,
)
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import InputError


@settings(max_examples=60)
@given(st.lists(machines(), min_size=1, max_size=2), machines(), projections())
def test_plan_projection_with_kept_programs_gives_the_same_run(
    before: list[Accelerator], machine: Accelerator, item: SparseLowRankGemm
) -> None:
    kept = KeptPrograms()
    likes = [replace(machine, dram=other.dram, handoff_cycles=0) for other in before]
    for other in [*before, *likes]:
        try:
            plan_projection(item, other, programs=kept)
        except InputError:
            continue
    outcomes = [_outcome(item, machine, None), _outcome(item, machine, kept)]
    assert outcomes[0] == outcomes[1]


def _outcome(
    item: SparseLowRankGemm, machine: Accelerator, kept: KeptPrograms | None
) -> tuple[Accelerator, EventResult] | str:
    try:
        plan = plan_projection(item, machine, programs=kept)
    except InputError as error:
        return str(error)
    return plan.program.accelerator, run_compiled(plan)


def test_kept_programs_are_shared_by_machines_that_differ_behind_the_buffers_only() -> None:
    item = projection(random_mask(12, 14, 0.5, 0), rank=2)
    machine = small_machine()
    kept = KeptPrograms()
    behind = [
        replace(machine, dram=plain_dram(9000, 0.72, 5, 2, 1)),
        replace(machine, weight_buffer=Buffer(4000, 1)),
        replace(machine, handoff_cycles=0),
        replace(machine, link_elements_per_cycle=1),
        replace(machine, clock_hz=2000),
        replace(machine, name="another"),
    ]
    for other in behind:
        plan_projection(item, other, programs=kept)
    assert len(kept) == 1
    plan_projection(item, replace(machine, lines=3), programs=kept)
    assert len(kept) == 2


def test_kept_programs_drop_the_least_recently_used_beyond_their_bytes() -> None:
    program = plan_projection(projection(random_mask(12, 14, 0.5, 0)), small_machine()).program
    kept = KeptPrograms(max_bytes=2 * program.nbytes)
    built = []

    def build(lines: int) -> Program:
        built.append(lines)
        return program

    for lines in (2, 3, 2, 4, 2, 3):
        kept.get("key", small_machine(lines=lines), build=partial(build, lines))
    assert built == [2, 3, 4, 3]
    assert len(kept) == 2


def test_simulate_projection_only_the_sum_has_the_same_sum() -> None:
    item = projection(random_mask(12, 14, 0.5, 0), rank=2)
    whole = projection_by("compiled", item, small_machine())
    alone = projection_by("compiled", item, small_machine(), runs=["sum"])
    assert alone.sum_run == whole.sum_run
    assert alone.dense_run is None
    assert math.isnan(alone.dense_cycles)
