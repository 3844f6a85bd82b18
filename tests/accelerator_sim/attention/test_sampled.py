"""Sampled products: one by hand, two engines, accounts, and counts from the mask itself."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accelerator_sim.attention.sampled import plan_sddmm, plan_spmm, scores_stay
from accelerator_sim.machine.hardware import Accelerator, Buffer, TileChoice
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.roofline import roofline_cycles
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from tests.accelerator_sim.machines import PLENTY, machines, plain_dram, random_mask, small_machine
from workloads.masks.packed import PackedMask
from workloads.support.errors import InputError

# Key 0 is seen by queries 0, 1 and 3: more than half of 4, so it is a denser column.
MASK = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]], dtype=bool)


def hand_machine(**changes: Any) -> Accelerator:
    return small_machine(dense_threshold=0.5, denser_lines=1, tile=TileChoice(4, 4, 3), **changes)


@pytest.mark.parametrize("run", [run_event, run_compiled])
def test_plan_sddmm_four_queries_by_hand(run: Any) -> None:
    """4 queries, 4 keys of width 3; a line for each engine, 2 MACs a line, 4 bytes a cycle.

    A score takes ⌈3/2⌉ = 2 cycles. Denser: column 0, four queries: 8 cycles. Sparser, line by line:
    1, 2, 0 and 1 places: 2 + 4 + 1 + 2 = 9 cycles, where the empty row's bitmap takes a cycle.
    Bitmap of 4 x 3 places and four queries of 3 bytes: 13.5, so 14 bytes, 3.5 cycles at the port;
    keys 12 bytes, 3 cycles: they arrive at 7 + 2 and are seen at 10. The sparser engine ends at 19,
    which is seen at 20. The 7 scores stay.
    """
    result = run(plan_sddmm(4, 3, mask=PackedMask.pack(MASK), accelerator=hand_machine()))
    assert result.cycles == 20
    assert (result.denser.compute, result.denser.idle) == (8, 1)
    assert (result.sparser.compute, result.sparser.index_decode) == (8, 1)
    assert (result.denser.fill, result.sparser.fill) == (10, 10)
    assert result.traffic == dataclasses.replace(
        result.traffic, weights=14, activations=12, outputs=0, refetched=0
    )
    assert (result.actions.macs, result.actions.executed_zeros) == (8 * 3, 3)
    assert result.actions.link_elements == 0
    assert result.actions.output_buffer_bytes == 2 * 7 * 4
    assert result.dense_columns == 1


@pytest.mark.parametrize("run", [run_event, run_compiled])
def test_plan_sddmm_scores_that_leave_are_written_back(run: Any) -> None:
    """One slot of output buffer: from 20 on, 7 bytes take 1.75 cycles and 2 to arrive."""
    machine = hand_machine(output_buffer=Buffer(PLENTY, 1))
    result = run(plan_sddmm(4, 3, mask=PackedMask.pack(MASK), accelerator=machine))
    assert result.cycles == 24
    assert result.traffic.outputs == 7


def test_plan_sddmm_lines_that_serve_tokens_take_places_of_a_row_at_a_time() -> None:
    """Sparser: rows of 1, 2, 0 and 1 places take 1 step of 2 for each of 3; the empty row 1."""
    machine = hand_machine(dataflow="token")
    result = run_event(plan_sddmm(4, 3, mask=PackedMask.pack(MASK), accelerator=machine))
    assert result.sparser.compute == 9
    assert result.denser.compute == 4 * 3


def test_plan_sddmm_auto_dataflow_is_no_slower_than_either_bound() -> None:
    mask = PackedMask.pack(random_mask(20, 20, 0.3, seed=3))
    wide = {"tile": TileChoice(), "dram": plain_dram(10**9, 1.0, 0, 1, 1)}
    cycles = {
        flow: run_event(
            plan_sddmm(20, 3, mask=mask, accelerator=small_machine(dataflow=flow, **wide))
        ).cycles
        for flow in ("reduction", "token", "auto")
    }
    assert cycles["auto"] == min(cycles.values())
    assert cycles["token"] != cycles["reduction"]


def test_plan_sddmm_dense_run_is_every_score_on_all_lines() -> None:
    """6 queries of 4 on 2 lines of 2: three a line, 6 keys, 2 steps; no index: queries alone."""
    plan = plan_sddmm(6, 4, mask=None, accelerator=small_machine(tile=TileChoice(6, 8, 8)))
    result = run_event(plan)
    assert result.denser.compute == 6 * 6 * 2
    assert result.denser.imbalance == 0
    assert (result.traffic.weights, result.traffic.activations) == (24, 24)
    assert result.actions.macs == 6 * 6 * 4


def test_plan_spmm_scores_on_chip_load_indices_alone() -> None:
    """A bitmap of 3 sparser keys and 4 queries is 12 bits; the 7 scores and a zero are 8 bytes."""
    mask = PackedMask.pack(MASK)
    inside = run_event(plan_spmm(4, 3, mask=mask, accelerator=hand_machine(), on_chip=True))
    outside = run_event(plan_spmm(4, 3, mask=mask, accelerator=hand_machine(), on_chip=False))
    assert inside.traffic.weights == 2
    assert outside.traffic.weights == 10
    assert inside.traffic.outputs == outside.traffic.outputs == 12
    assert inside.actions.macs == outside.actions.macs == 8 * 3


def test_plan_spmm_scores_on_chip_leave_one_slot_of_outputs() -> None:
    machine = hand_machine(output_buffer=Buffer(2 * 48, 2))
    program = plan_spmm(4, 3, mask=PackedMask.pack(MASK), accelerator=machine, on_chip=True).program
    assert program.output_buffer == Buffer(48, 1)
    assert program.accelerator is machine


@pytest.mark.parametrize(
    ("capacity", "slots", "stays"),
    [(56, 2, True), (55, 2, False), (1000, 1, False)],
)
def test_scores_stay_when_one_slot_of_two_holds_them(
    capacity: int, slots: int, stays: bool
) -> None:
    """7 scores of 4 bytes."""
    assert scores_stay(7, small_machine(output_buffer=Buffer(capacity, slots))) is stays


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile": TileChoice(4, 3, 3)}, "a tile holds all 4 of keys: tile.columns must be auto or"),
        ({"tile": TileChoice(4, 4, 2)}, "all 3 of the head's width: tile.tokens must be auto or"),
        ({"activation_buffer": Buffer(23, 2)}, "keys need 12 bytes and a slot of small has"),
        ({"weight_buffer": Buffer(26, 2)}, "queries and indices need 14 bytes"),
        ({"output_buffer": Buffer(27, 1)}, "scores need 28 bytes and a slot of small has 2"),
    ],
)
def test_plan_sddmm_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    machine = dataclasses.replace(hand_machine(), **change)
    with pytest.raises(InputError, match=message):
        plan_sddmm(4, 3, mask=PackedMask.pack(MASK), accelerator=machine)


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """Queries by keys: bands, dense columns, scattered places, everything; one place at least."""
    keys, seed = draw(st.integers(1, 12)), draw(st.integers(0, 999))
    mask = random_mask(keys, keys, draw(st.sampled_from([0, 0.1, 0.4, 1])), seed)
    dense = draw(st.integers(0, keys))
    mask[:, :dense] |= random_mask(keys, dense, 0.9, seed + 1)
    mask[draw(st.integers(0, keys - 1)), draw(st.integers(0, keys - 1))] = True
    return mask


def plans_or_skip(mask: np.ndarray, head_dim: int, machine: Accelerator) -> list[Plan]:
    packed, keys = PackedMask.pack(mask), len(mask)
    tile = dataclasses.replace(machine.tile, columns="auto", tokens="auto")
    machine = dataclasses.replace(machine, tile=tile)
    try:
        return [
            plan
            for chosen, scores in ((packed, packed.nnz), (None, keys * keys))
            for plan in (
                plan_sddmm(keys, head_dim, mask=chosen, accelerator=machine),
                plan_spmm(
                    keys,
                    head_dim,
                    mask=chosen,
                    accelerator=machine,
                    on_chip=scores_stay(scores, machine),
                ),
            )
        ]
    except InputError:
        assume(False)
        raise


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(mask=masks(), head_dim=st.integers(1, 7), machine=machines())
def test_plans_random_mask_engines_agree_and_accounts_sum(
    mask: np.ndarray, head_dim: int, machine: Accelerator
) -> None:
    for plan in plans_or_skip(mask, head_dim, machine):
        result = run_event(plan)
        assert run_compiled(plan) == result
        assert result.cycles >= roofline_cycles(plan.program)
        program = plan.program
        assert result.denser.total == program.denser_lines * result.cycles
        assert result.sparser.total == program.sparser_lines * result.cycles
        for stalls in (result.denser, result.sparser):
            assert min(dataclasses.astuple(stalls)) >= 0


@pytest.mark.parametrize("density", [0.05, 0.4, 1])
def test_plans_of_a_head_execute_head_dim_products_per_place(density: float) -> None:
    """Counted from the mask alone: places, and zeros of columns that most queries see."""
    mask = random_mask(50, 50, density, seed=2)
    mask[:, 7] |= random_mask(1, 50, 0.9, seed=4)[0]
    machine = small_machine(dense_threshold=0.3, tile=TileChoice())
    columns = mask.sum(axis=0)
    dense = columns > 0.3 * 50
    zeros = int((50 - columns[dense]).sum())
    packed = PackedMask.pack(mask)
    for plan in (
        plan_sddmm(50, 16, mask=packed, accelerator=machine),
        plan_spmm(50, 16, mask=packed, accelerator=machine, on_chip=True),
    ):
        actions = run_compiled(plan).actions
        assert actions.macs - actions.executed_zeros == mask.sum() * 16
        assert actions.executed_zeros == zeros * 16
