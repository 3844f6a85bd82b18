"""The binding resource and the place under the roofline, by hand and on random machines."""

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given

from accelerator_sim.machine.hardware import Accelerator, TileChoice
from accelerator_sim.mapping.roofline import Roofline
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.binding import RESOURCES, Binding, binding
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.result import Stalls
from tests.accelerator_sim.machines import (
    machines,
    projection,
    projections,
    random_mask,
    small_machine,
    with_rows,
)
from tests.accelerator_sim.simulation.test_event import SLOW, plan_or_skip
from workloads.masks.packed import SparseLowRankGemm
from workloads.results.codec import to_json

NOTHING = dict.fromkeys((field.name for field in dataclasses.fields(Stalls)), 0)


def test_resources_take_every_reason_of_an_account_once() -> None:
    taken = [reason for reasons in RESOURCES.values() for reason in reasons]
    assert sorted(taken) == sorted(NOTHING)


@pytest.mark.parametrize("resource", RESOURCES)
def test_binding_most_cycles_of_both_engines_win(resource: str) -> None:
    """Every other resource has 4 on one engine; this one has 3 and 2 on the two."""
    first = NOTHING | {reasons[0]: 4 for reasons in RESOURCES.values()}
    mine = RESOURCES[resource]
    denser, sparser = first | {mine[0]: 3}, NOTHING | {mine[-1]: 2}
    assert binding([denser, sparser]) == Binding(resource, 5 / (4 * (len(RESOURCES) - 1) + 5))


def test_binding_equal_cycles_go_to_the_first_resource() -> None:
    bound = binding([NOTHING | {"weights": 2, "fill": 1, "drain": 1}])
    assert bound is not None
    assert bound.resource == "DRAM: weights"


def test_binding_without_cycles_is_none() -> None:
    assert binding([NOTHING]) is None


def test_roofline_position_by_hand() -> None:
    """8 MACs and 16 bytes on 4 MACs and 2 bytes a cycle: 2 cycles of compute, 8 of memory."""
    at = Roofline(macs=8, bits=128, peak_macs=4, peak_bytes_per_cycle=Fraction(2))
    assert (at.cycles, at.bound, at.macs_per_byte, at.balance_macs_per_byte) == (
        8,
        "memory",
        0.5,
        2,
    )
    ridge = dataclasses.replace(at, macs=32)
    assert (ridge.cycles, ridge.bound, ridge.macs_per_byte) == (8, "compute", 2.0)
    assert at.times(3).cycles == 24
    assert at.times(3).macs_per_byte == at.macs_per_byte


def test_roofline_nothing_moved_has_no_intensity() -> None:
    at = Roofline(macs=5, bits=0, peak_macs=4, peak_bytes_per_cycle=Fraction(2))
    assert (at.cycles, at.bound, at.macs_per_byte) == (2, "compute", None)


@pytest.mark.parametrize(
    ("bytes_per_second", "lines", "tokens", "resource", "bound"),
    [
        (500, 2, 1, "DRAM: weights", "memory"),
        (10**6, 2, 1, "compute", "compute"),
        (10**6, 16, 64, "imbalance", "compute"),
    ],
)
def test_event_result_binding_follows_the_machine(
    bytes_per_second: int, lines: int, tokens: int, resource: str, bound: str
) -> None:
    """512 weights, half kept: slow DRAM, fast DRAM, and 16 lines for the 4 rows of a tile."""
    item = projection(random_mask(16, 32, 0.5, seed=1), tokens=tokens)
    dram = dataclasses.replace(small_machine().dram, bytes_per_second=bytes_per_second)
    machine = small_machine(tile=TileChoice(4, 8, tokens), dram=dram, lines=lines)
    values = to_json(run_event(plan_projection(item, machine)))
    assert values["binding"]["resource"] == resource
    assert values["roofline"]["bound"] == bound


def test_event_result_roofline_counts_macs_and_bytes_by_hand() -> None:
    """8 of 4 x 8 kept: 8 bytes, 32 bitmap bits, 8 inputs, 4 outputs: 24 bytes at 4 a cycle."""
    run = run_event(plan_projection(projection(with_rows([4, 1, 2, 1], 8)), small_machine()))
    assert to_json(run)["roofline"] == {
        "bound": "memory",
        "macs": 8,
        "bits": 192,
        "bytes": 24.0,
        "peak_macs": 4,
        "peak_bytes_per_cycle": "4",
        "macs_per_byte": 8 / 24,
        "balance_macs_per_byte": 1.0,
    }
    assert run.times(7).roofline.macs == 56


@given(machine=machines(), item=projections())
@SLOW
def test_event_result_random_machine_position_agrees_with_the_bound(
    machine: Accelerator, item: SparseLowRankGemm
) -> None:
    run = run_event(plan_or_skip(item, machine))
    at = run.roofline
    assert at.cycles == run.roofline_cycles <= run.cycles
    assert at.macs == run.actions.macs - run.actions.executed_zeros
    assert run.denser.total + run.sparser.total == machine.lines * run.cycles
    assert run.binding is not None
    assert 1 / len(RESOURCES) <= run.binding.share <= 1
