"""Loop orders: cases worked out by hand, what stays and what is fetched again, what must fit."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

from accelerator_sim.machine.hardware import Accelerator, Bits, Buffer, LoopOrder, TileChoice
from accelerator_sim.mapping.bounds import lower_bound
from accelerator_sim.mapping.program import S, U, V
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.result import EventResult
from accelerator_sim.simulation.tables import build_tables
from tests.accelerator_sim.machines import (
    PLENTY,
    cases,
    projection,
    random_mask,
    small_machine,
)
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import InputError

ORDERS: tuple[LoopOrder, ...] = ("output_stationary", "weight_stationary", "activation_stationary")


def machine(order: str, **changes: Any) -> Accelerator:
    """No hand-off, weights of 7 bits: a full tile of 2x4 with its bitmap is 8 bytes, 2 cycles."""
    made = small_machine(
        handoff_cycles=0, tile=TileChoice(2, 4, 1), bits=Bits(7, 8, 8, 32), loop_order=order
    )
    return dataclasses.replace(made, **changes)


def both(item: SparseLowRankGemm, made: Accelerator) -> EventResult:
    """The result of both engines."""
    plan = plan_projection(item, made)
    result = run_event(plan)
    assert run_compiled(plan) == result
    assert lower_bound(plan.program, plan.storage) <= result.cycles
    return result


def test_weight_stationary_loads_each_weight_once_and_matches_hand_count() -> None:
    """A full 2x8 matrix and 2 tokens in tiles of 2x4x1, one weight slot, all else plenty.

    A tile's weights take 2 cycles at the port, a chunk of 4 inputs 1, 2 outputs a half; latency 2.
    A tile runs for 2 cycles. Output stationary, (q0 j0), (q0 j1), (q1 j0), (q1 j1): weights 0 to 2,
    inputs 2 to 3, there at 5, run 5 to 7; likewise 7 to 9, 9 to 10, 12, run 12 to 14; weights 14 to
    16, inputs 16 to 17, the first write-back 17 to 17.5, run 19 to 21; 21 to 23, 23 to 24, run 26
    to 28, write-back 28 to 28.5, there at 31.
    Weight stationary, (j0 q0), (j0 q1), (j1 q0), (j1 q1): weights 0 to 2, inputs 2 to 3 and 3 to 4,
    run 5 to 7 and 7 to 9, when the slot is free; weights 9 to 11, inputs 11 to 12 and 12 to 13, run
    14 to 16 and 16 to 18, write-back 18 to 18.5, there at 21.
    """
    item = projection(np.ones((2, 8), dtype=bool), tokens=2)
    single = {"weight_buffer": Buffer(PLENTY, 1)}
    output, weight = (both(item, machine(order, **single)) for order in ORDERS[:2])
    assert (output.cycles, weight.cycles) == (31, 21)
    assert (output.traffic.weights, weight.traffic.weights) == (32, 16)
    assert (output.traffic.refetched, weight.traffic.refetched) == (16, 0)
    assert output.actions.weight_buffer_bytes == 32 + 32
    assert weight.actions.weight_buffer_bytes == 16 + 32
    assert (weight.sparser.fill, weight.sparser.weights) == (2 * 5, 2 * (13 - 9))
    assert weight.roofline_cycles == output.roofline_cycles
    assert weight.loop_order == "weight_stationary"


def test_activation_stationary_loads_each_chunk_once_and_matches_hand_count() -> None:
    """A full 4x8 matrix and a token in tiles of 2x4, one slot of 4 inputs, all else plenty.

    Output stationary, (i0 j0), (i0 j1), (i1 j0), (i1 j1): weights 0 to 2 and 2 to 4, inputs 4 to 5,
    there at 7, run 7 to 9; the third weights 9 to 11, inputs 11 to 12, run 14 to 16; the fourth
    weights 16 to 18, inputs 18 to 19, write-back 19 to 19.5, run 21 to 23; inputs 23 to 24, run 26
    to 28, write-back 28 to 28.5, there at 31.
    Activation stationary, (j0 i0), (j0 i1), (j1 i0), (j1 i1): run 7 to 9 as before and, with the
    same inputs, 9 to 11; the third weights 9 to 11, the fourth 11 to 13, inputs 13 to 14, run 16 to
    18 and 18 to 20, write-back 20 to 20.5, there at 23.
    """
    item = projection(np.ones((4, 8), dtype=bool))
    tight = {"activation_buffer": Buffer(4, 1)}
    output, activation = (both(item, machine(order, **tight)) for order in ORDERS[::2])
    assert (output.cycles, activation.cycles) == (31, 23)
    assert (output.traffic.activations, activation.traffic.activations) == (16, 8)
    assert (output.traffic.refetched, activation.traffic.refetched) == (8, 0)
    assert output.actions.activation_buffer_bytes == 16 + 16
    assert activation.actions.activation_buffer_bytes == 8 + 16
    assert (activation.sparser.weights, activation.sparser.activations) == (2 * 2, 2 * 3)


def test_activation_stationary_v_and_s_share_a_chunk_that_both_read_in_a_row() -> None:
    """V reads chunks 0 and 1, S both again; or, with nothing kept in block 0, chunk 1 at once."""
    mask = np.ones((4, 8), dtype=bool)
    made = machine("activation_stationary", activation_buffer=Buffer(4, 1))
    assert both(projection(mask, rank=2), made).traffic.activations == 4 * 4
    mask[:, :4] = False
    assert both(projection(mask, rank=2), made).traffic.activations == 2 * 4


def order_of(plan_order: str, **changes: Any) -> list[tuple[int, ...]]:
    item = projection(np.ones((4, 8), dtype=bool), rank=6, tokens=2)
    main = plan_projection(item, machine(plan_order, **changes)).program.main
    return list(
        zip(
            main.kind.tolist(),
            main.token_block.tolist(),
            main.row_block.tolist(),
            main.column_block.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("order", ORDERS)
def test_build_program_tiles_follow_the_loops_of_their_order(order: str) -> None:
    """4x8, rank 6 and 2 tokens in tiles of 2x4x1: V has 3x2, S 2x2 and U 2x2 tiles a token."""
    two, three = range(2), range(3)
    s_and_u = [(S, j) for j in two] + [(U, j) for j in two]
    if order == "output_stationary":
        expected = [
            tile
            for q in two
            for tile in [(V, q, i, j) for i in three for j in two]
            + [(kind, q, i, j) for i in two for kind, j in s_and_u]
        ]
    elif order == "weight_stationary":
        expected = [(V, q, i, j) for i in three for j in two for q in two]
        expected += [(kind, q, i, j) for i in two for kind, j in s_and_u for q in two]
    else:
        expected = [
            tile
            for q in two
            for tile in [(V, q, i, j) for j in two for i in three]
            + [(kind, q, i, j) for kind, j in s_and_u for i in two]
        ]
    assert order_of(order) == expected


def test_weight_stationary_v_of_all_tokens_does_not_wait_for_u() -> None:
    """Vᵀx of every token block has its place: only the last gate, which is open, is before V."""
    item = projection(np.zeros((4, 8), dtype=bool), rank=2, tokens=3)
    output, weight = (plan_projection(item, machine(order)) for order in ORDERS[:2])
    gates = [
        np.unique(build_tables(plan).streams[0]["gate"][plan.program.main.kind == V]).tolist()
        for plan in (output, weight)
    ]
    assert gates == [[0, 2, 4], [7]]
    assert weight.storage.needs[-1].available == output.storage.needs[-1].available - 2 * 2 * 4 // 2
    factors = [both(item, machine(order)).traffic.factors for order in ORDERS[:2]]
    assert factors == [3 * 24, 24]


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(case=cases())
def test_weight_stationary_one_token_block_equals_output_stationary(
    case: tuple[SparseLowRankGemm, Accelerator],
) -> None:
    item, made = case
    made = dataclasses.replace(made, tile=dataclasses.replace(made.tile, tokens=5))
    results = []
    for order in ORDERS[:2]:
        try:
            results.append(both(item, dataclasses.replace(made, loop_order=order)))
        except InputError:
            assume(False)
    assert results[0] == dataclasses.replace(results[1], loop_order=ORDERS[0])


def test_plan_projection_accumulators_of_an_order_that_do_not_fit_are_named() -> None:
    """4 rows and 2 tokens in tiles of 4x4x1, accumulators of 4 bytes, one slot of 31, then 15."""
    item = projection(np.ones((4, 8), dtype=bool), tokens=2)

    def planned(order: str, slot: int) -> None:
        buffer = Buffer(slot, 1)
        plan_projection(item, machine(order, tile=TileChoice(4, 4, 1), output_buffer=buffer))

    planned("output_stationary", 31)
    planned("activation_stationary", 31)
    message = r"accumulators of a tile's rows for all tokens need 32 bytes and a slot has 31; "
    with pytest.raises(InputError, match=message + "rows = 2, .* would fit"):
        planned("weight_stationary", 31)
    message = r"accumulators of all rows need 16 bytes and a slot has 15; no other tile of the "
    with pytest.raises(InputError, match=message + "search does; loop_order = output_stationary"):
        planned("activation_stationary", 15)


@pytest.mark.parametrize("order", ORDERS)
def test_plan_projection_auto_tile_fits_what_the_order_holds(order: str) -> None:
    """Accumulators of 16 x 12 values would need 768 bytes; the slot has 256."""
    item = projection(random_mask(16, 24, 0.5, seed=1), rank=2, tokens=12)
    made = machine(order, tile=TileChoice(), output_buffer=Buffer(256 + 96, 1))
    plan = plan_projection(item, made)
    tile, tokens = plan.program.tiled.tile, plan.program.held_tokens
    rows = 16 if order == "activation_stationary" else tile.rows
    assert 4 * rows * tokens <= 352 - 4 * 2 * tokens
    assert both(item, made).cycles > 0


@pytest.mark.parametrize("schedule", ["sequential", "overlapped"])
def test_loop_orders_move_the_bytes_that_stay_or_come_again(schedule: str) -> None:
    """3 token blocks, activations that are resident only for one: what each order loads."""
    mask = random_mask(20, 24, 0.5, seed=2)
    item = projection(mask, rank=4, tokens=3)
    tight = {"activation_buffer": Buffer(2 * 24, 2), "schedule": schedule}
    tight |= {"lines": 3, "denser_lines": 1}
    output, weight, activation = (both(item, machine(order, **tight)) for order in ORDERS)
    assert weight.traffic.weights * 3 == output.traffic.weights == activation.traffic.weights
    assert weight.traffic.factors * 3 == output.traffic.factors == activation.traffic.factors
    assert output.activations_resident
    assert not weight.activations_resident
    assert activation.traffic.activations == output.traffic.activations == 3 * 24
    tiles = 10 * 6 + 2 * 6
    assert weight.traffic.activations == 3 * 4 * tiles
    assert weight.traffic.refetched == weight.traffic.activations - 3 * 24
    assert weight.traffic.outputs == output.traffic.outputs
    assert weight.actions.decoded == output.actions.decoded


def test_plan_projection_weight_stationary_auto_tile_may_have_fewer_rows_than_lines() -> None:
    """16 lines and 12 tokens: 16 rows need 768 bytes, 4 rows 192; Vᵀx of rank 2 has 96."""
    item = projection(random_mask(32, 24, 0.5, seed=1), rank=2, tokens=12)
    buffer = Buffer(200 + 96, 1)
    made = machine("weight_stationary", lines=16, tile=TileChoice(), output_buffer=buffer)
    assert plan_projection(item, made).program.tiled.tile.rows == 4
