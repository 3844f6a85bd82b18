"""The compiled engine: every number that the event engine gives, on machines of every kind."""

import contextlib
import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import Accelerator, TileChoice
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.planner import plan_dense, plan_projection, plan_sparse_part
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.result import EventResult
from tests.accelerator_sim.machines import (
    beyond_limits,
    cases,
    plain_dram,
    projection,
    projection_by,
    random_mask,
    small_machine,
)
from workloads.masks.packed import SparseLowRankGemm
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError


def plan_or_skip(item: SparseLowRankGemm, machine: Accelerator) -> Plan:
    try:
        return plan_projection(item, machine)
    except InputError:
        assume(False)
        raise


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(case=cases())
def test_run_compiled_random_machine_equals_run_event(
    case: tuple[SparseLowRankGemm, Accelerator],
) -> None:
    item, machine = case
    plan = plan_or_skip(item, machine)
    program = plan.program
    plans = [plan, plan_sparse_part(item, program)]
    with contextlib.suppress(InputError):
        plans.append(plan_dense(item.gemm, machine))
    for chosen in plans:
        assert run_compiled(chosen) == run_event(chosen)


@pytest.mark.parametrize("schedule", ["sequential", "overlapped"])
@pytest.mark.parametrize("tokens", [1, 24])
def test_run_compiled_preset_with_thousands_of_tiles_equals_run_event(
    schedule: str, tokens: int
) -> None:
    machine = load_accelerator(
        "array-64x64",
        {
            "tile.rows": 16,
            "tile.columns": 24,
            "tile.tokens": 16,
            "schedule": schedule,
            "dense_threshold": 0.6,
        },
    )
    mask = random_mask(600, 900, 0.5, seed=11)
    mask[:, ::9] |= random_mask(600, 100, 0.6, seed=12)
    plan = plan_projection(projection(mask, rank=40, tokens=tokens), machine)
    result = run_compiled(plan)
    assert result == run_event(plan)
    assert result.tiles > 1500
    assert result.denser.compute > 0
    assert result.sparser.compute > 0


def test_run_compiled_twice_is_equal_and_leaves_the_plan_alone() -> None:
    plan = plan_projection(projection(random_mask(20, 30, 0.4, seed=1), rank=2), small_machine())
    parts = plan.program.main.denser_cycles.copy()
    assert run_compiled(plan) == run_compiled(plan)
    assert (plan.program.main.denser_cycles == parts).all()


def test_run_compiled_results_are_python_numbers() -> None:
    result = run_compiled(plan_dense(Gemm("p", "FFN", 8, 8), small_machine()))
    for value in (*dataclasses.astuple(result.denser), *dataclasses.astuple(result.traffic)):
        assert type(value) is int
    assert type(result.cycles) is int


def test_run_compiled_latency_beyond_64_bits_is_refused() -> None:
    machine = small_machine()
    object.__setattr__(machine.dram, "latency_ns", 10**6 << 61)
    plan = plan_dense(Gemm("p", "FFN", 8, 8), machine)
    with pytest.raises(InputError, match=r"compiled model counts cycles .* use the model event"):
        run_compiled(plan)
    assert run_event(plan).cycles > 1 << 62


def test_run_compiled_fast_port_beyond_64_bits_is_refused() -> None:
    dram = beyond_limits(plain_dram(1, 1.0, 1, 1, 1), bytes_per_second=1 << 80)
    plan = plan_dense(Gemm("p", "FFN", 8, 8), small_machine(clock_hz=1, dram=dram))
    with pytest.raises(InputError, match="compiled model counts cycles"):
        run_compiled(plan)


@pytest.mark.parametrize("run", [run_event, run_compiled])
def test_run_bursts_beyond_64_bits_are_refused(run: Callable[[Plan], EventResult]) -> None:
    dram = beyond_limits(plain_dram(4001, 1.0, 1, 1, 1), burst_bytes=1 << 59)
    plan = plan_dense(Gemm("p", "FFN", 8, 8), small_machine(dram=dram))
    with pytest.raises(InputError, match="do not fit 64 bits"):
        run(plan)


def test_plan_dense_tokens_beyond_64_bits_are_refused() -> None:
    machine = small_machine(tile=beyond_limits(TileChoice(8, 8, 1), tokens=1 << 60))
    with pytest.raises(InputError, match="more work than 64-bit counts hold"):
        plan_dense(Gemm("p", "FFN", 8, 8, tokens=1 << 60), machine)


def test_simulate_projection_compiled_equals_event() -> None:
    item = projection(random_mask(40, 50, 0.5, seed=2), rank=5, tokens=3)
    machine = small_machine(dense_threshold=0.5, tile=TileChoice(8, 8, 2))
    event = projection_by("event", item, machine)
    compiled = projection_by("compiled", item, machine)
    assert compiled.model == "compiled"
    assert dataclasses.replace(compiled, model="event") == event
