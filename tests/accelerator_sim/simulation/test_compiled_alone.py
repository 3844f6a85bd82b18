"""One engine with all tiles of one stream: which machines those are, and that nothing differs."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings

from accelerator_sim.machine.hardware import Accelerator, LineSplit, Schedule
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation import compiled
from accelerator_sim.simulation.compiled_alone_state import runs_alone
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.tables import build_tables
from tests.accelerator_sim.machines import cases, projection, random_mask, small_machine
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import InputError


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(case=cases())
def test_run_compiled_one_engine_equals_run_event_and_the_other_kernel(
    case: tuple[SparseLowRankGemm, Accelerator],
) -> None:
    item, drawn = case
    machine = replace(drawn, schedule="sequential", denser_lines="auto", dense_threshold=1.0)
    for whole in (True, False):
        try:
            plan = plan_dense(item.gemm, machine) if whole else plan_projection(item, machine)
        except InputError:
            assume(False)
        if runs_alone(build_tables(plan)):
            result = compiled.run_compiled(plan)
            assert result == run_event(plan)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(compiled, "runs_alone", lambda _: False)
                assert compiled.run_compiled(plan) == result


@pytest.mark.parametrize(
    ("rank", "dense_columns", "schedule", "lines", "alone"),
    [
        (0, 0, "sequential", "auto", True),
        (2, 0, "sequential", 0, True),
        (2, 0, "overlapped", 1, False),
        (0, 3, "sequential", 1, False),
    ],
)
def test_runs_alone_needs_one_engine_and_one_stream(
    rank: int, dense_columns: int, schedule: Schedule, lines: LineSplit, alone: bool
) -> None:
    mask = random_mask(12, 16, 0.4, seed=3)
    mask[:, :dense_columns] = True
    machine = small_machine(schedule=schedule, denser_lines=lines, dense_threshold=0.9)
    plan = plan_projection(projection(mask, rank), machine)
    assert runs_alone(build_tables(plan)) == alone


def test_runs_alone_block_that_nothing_adds_to_is_left_to_events() -> None:
    mask = random_mask(12, 16, 0.4, seed=3)
    mask[4:8] = False
    plan = plan_projection(projection(mask), small_machine())
    assert not runs_alone(build_tables(plan))
    assert compiled.run_compiled(plan) == run_event(plan)
