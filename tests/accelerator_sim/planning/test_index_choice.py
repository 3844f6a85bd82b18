"""``index.format = "auto"``: the fewest bits by an independent count, and equal on every engine."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

from accelerator_sim.attention.sampled import plan_sddmm
from accelerator_sim.machine.hardware import ANY_MASK, Accelerator, TileChoice
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.index_choice import stored_bits
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.projection import simulate_projection
from accelerator_sim.sensitivity.rerun import Reruns
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from tests.accelerator_sim.machines import (
    machines,
    n_of_m_part,
    plain_index,
    projection,
    projections,
    random_mask,
    small_machine,
)
from tests.reference import slow_machine
from tests.reference.slow_tiles import bits_of_s
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.support.errors import InputError


def _with_format(machine: Accelerator, name: str) -> Accelerator:
    return dataclasses.replace(machine, index=dataclasses.replace(machine.index, format=name))


def _plan(item: SparseLowRankGemm, machine: Accelerator) -> Plan | None:
    try:
        return plan_projection(item, machine)
    except InputError:
        return None


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(item=projections(), machine=machines())
def test_auto_is_the_format_of_fewest_bits_and_runs_as_it_on_every_engine(
    item: SparseLowRankGemm, machine: Accelerator
) -> None:
    plan = _plan(item, _with_format(machine, "auto"))
    mask = item.mask.unpack()
    dense = (mask.sum(axis=0) > machine.dense_threshold * len(mask)).tolist()
    tile = dataclasses.astuple(machine.tile)
    others = {name: _plan(item, _with_format(machine, name)) for name in ANY_MASK}
    assume(plan is not None)
    assert plan is not None
    chosen = plan.program.accelerator.index.format
    counted = {
        name: bits_of_s(mask.tolist(), _with_format(machine, name), tile, dense)
        for name, other in others.items()
        if other is not None
    }
    own = bits_of_s(mask.tolist(), plan.program.accelerator, tile, dense)
    assert own == stored_bits(plan) <= min(counted.values(), default=own)
    if chosen in ANY_MASK:
        assert chosen == min(counted, key=lambda name: counted[name])
    result = run_event(plan)
    assert run_compiled(plan) == result
    assert result.index_format == chosen
    resolved = dataclasses.replace(
        _with_format(machine, chosen), dataflow=plan.program.configuration.dataflow
    )
    expected = slow_machine.simulate(
        mask.tolist(), item.gemm.tokens, item.rank, resolved, tile, plan.program.denser_lines, dense
    )
    accounts = dataclasses.asdict(result.denser), dataclasses.asdict(result.sparser)
    assert (result.cycles, *accounts, result.traffic.total) == expected


@pytest.mark.parametrize(
    ("density", "chosen"),
    [(1.0, "bitmap"), (0.5, "bitmap"), (0.1, "run_length"), (0.05, "csc")],
)
def test_auto_goes_with_the_density_of_the_mask(density: float, chosen: str) -> None:
    """64 x 16 in one tile: pointers cost a csr 65 and a csc 17 times 11 bits."""
    machine = small_machine(tile=TileChoice(64, 16, 1), index=plain_index("auto", 4))
    plan = plan_projection(projection(random_mask(64, 16, density, 3)), machine)
    assert plan.program.accelerator.index.format == chosen


def test_auto_finds_a_pattern_of_few_and_not_one_that_costs_as_much_as_a_bitmap() -> None:
    full = np.ones((8, 64), dtype=bool)
    machine = small_machine(tile=TileChoice(8, 64, 1), index=plain_index("auto", 4))
    for most, chosen in ((1, "1:4"), (2, "bitmap")):
        plan = plan_projection(projection(n_of_m_part(full, most, 4)), machine)
        assert plan.program.accelerator.index.format == chosen


def test_auto_is_chosen_for_each_projection_and_each_model_counts_the_same_plan() -> None:
    machine = small_machine(tile=TileChoice(16, 64, 1), index=plain_index("auto", 4))
    formats = []
    for density in (0.5, 0.1):
        item = projection(random_mask(16, 64, density, 3))
        found = simulate_projection(item, machine, models=("roofline", "event", "compiled"))
        event, compiled = found["event"].sum_run, found["compiled"].sum_run
        assert event is not None
        assert event == compiled
        formats.append(event.index_format)
        same = simulate_projection(item, _with_format(machine, event.index_format))
        assert found["roofline"].sum_cycles == same["roofline"].sum_cycles
        assert found["event"].sum_cycles == same["event"].sum_cycles
    assert formats == ["bitmap", "run_length"]


def test_auto_serves_masks_of_attention_and_gains_that_hold_a_plan() -> None:
    machine = small_machine(index=plain_index("auto", 4))
    mask = PackedMask.pack(np.eye(8, dtype=bool))
    plan = plan_sddmm(8, 2, mask=mask, accelerator=machine)
    assert plan.program.accelerator.index.format != "auto"
    reruns = Reruns(machine, "event")
    reruns.add([projection(random_mask(16, 64, 0.3, 3))])
    assert reruns.gains
