"""The event model: cases worked out by hand, the independent slow machine, and truths."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

from accelerator_sim.machine.hardware import Accelerator, Bits, Buffer, TileChoice
from accelerator_sim.mapping.bounds import lower_bound
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.result import EventResult
from tests.accelerator_sim.machines import (
    PLENTY,
    cases,
    plain_dram,
    plain_index,
    projection,
    projection_by,
    random_mask,
    small_machine,
    with_rows,
)
from tests.reference import slow_machine
from tests.reference.slow_tiles import tile_lists
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError

SLOW = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def run(item: SparseLowRankGemm, machine: Accelerator) -> EventResult:
    return run_event(plan_projection(item, machine))


def plan_or_skip(item: SparseLowRankGemm, machine: Accelerator) -> Plan:
    try:
        return plan_projection(item, machine)
    except InputError:
        assume(False)
        raise


def without_limits(machine: Accelerator) -> Accelerator:
    """The same machine with one or two slots, and every request raised at once."""
    buffers = ("weight_buffer", "activation_buffer", "output_buffer")
    changes: dict[str, Any] = {}
    for name in buffers:
        buffer = getattr(machine, name)
        changes[name] = dataclasses.replace(buffer, slots=1 if buffer.slots == 1 else 2)
    dram = dataclasses.replace(
        machine.dram, requests_per_cycle="unlimited", outstanding_requests="unlimited"
    )
    return dataclasses.replace(machine, dram=dram, **changes)


def test_run_event_one_tile_on_two_lines_matches_hand_count() -> None:
    """A 4x8 tile whose rows keep 4, 1, 2, 1 columns; 2 lines of 2 MACs; 4 bytes a cycle.

    Weights: 8 values and 32 bitmap bits are 12 bytes: port 0 to 3, latency 2, seen at 6 (hand-off).
    Inputs: 8 bytes: port 3 to 5, arrive at 7, seen at 8. The engine starts at 8 (fill: 8).
    Rows take ⌈4/2⌉, ⌈1/2⌉, ⌈2/2⌉, ⌈1/2⌉ = 2, 1, 1, 1 cycles, the bitmap row (8 bits) 1: no more.
    Line 0 has rows 0 and 2: 3 cycles; line 1 rows 1 and 3: 2. The tile takes 3, to 11: 5 line
    cycles of MACs, 1 of imbalance. Seen at 12; write-back of 4 bytes: port 12 to 13, there at 15.
    """
    result = run(projection(with_rows([4, 1, 2, 1], 8)), small_machine())
    assert result.cycles == 15
    assert dataclasses.asdict(result.sparser) == {
        **dict.fromkeys(dataclasses.asdict(result.sparser), 0),
        "compute": 5,
        "imbalance": 1,
        "fill": 16,
        "drain": 8,
    }
    assert result.traffic.total == 12 + 8 + 4


def test_run_event_both_engines_matches_hand_count() -> None:
    """The same tile with column 0 on the denser engine, one line each, link of 2 a cycle.

    Outside column 0 rows keep 3, 0, 1, 0: 2 + 0 + 1 + 0 cycles of MACs, each row at least 1 for its
    7 bitmap bits: 5 cycles, 2 of them decode. Bits: 8·8 + 4·7 = 92, so 12 bytes as before; both
    engines start at 8. Denser: 4 rows of ⌈1/2⌉ cycle, to 12, seen at 13; its 4 sums cross from 13
    to 15, seen at 16. Sparser: to 13, seen at 14. Write-back at 16: port to 17, there at 19.
    """
    machine = small_machine(dense_threshold=0.9, denser_lines=1)
    result = run(projection(with_rows([4, 1, 2, 1], 8)), machine)
    assert result.cycles == 19
    assert result.dense_columns == 1
    zeros = dict.fromkeys(dataclasses.asdict(result.denser), 0)
    assert dataclasses.asdict(result.denser) == zeros | {
        "fill": 8,
        "compute": 4,
        "idle": 1,
        "drain": 6,
    }
    assert dataclasses.asdict(result.sparser) == zeros | {
        "fill": 8,
        "compute": 3,
        "index_decode": 2,
        "drain": 6,
    }


def test_run_event_lines_that_wait_for_one_bank_match_hand_count() -> None:
    """Rows of columns 0, 1 and 2, 3 on two lines, two tokens side by side, one bank, one port.

    Every step asks for two columns of the one bank: 2 steps of 2 cycles; MACs take 2.
    """
    mask = np.kron(np.eye(2, dtype=bool), np.ones((1, 2), dtype=bool))
    machine = small_machine(dataflow="token", index=plain_index("csr", 8), activation_banks=1)
    item = projection(mask, tokens=2)
    ideal, banked = (run(item, dataclasses.replace(machine, gather=g)) for g in ("ideal", "banked"))
    assert banked.cycles == ideal.cycles + 2
    assert (ideal.sparser.compute, ideal.sparser.gather, ideal.sparser.imbalance) == (4, 0, 0)
    assert (banked.sparser.compute, banked.sparser.gather, banked.sparser.imbalance) == (4, 4, 0)


@SLOW
@given(case=cases())
def test_run_event_random_machine_equals_slow_machine(
    case: tuple[SparseLowRankGemm, Accelerator],
) -> None:
    item, machine = case
    plan = plan_or_skip(item, machine)
    result = run_event(plan)
    mask = item.mask.unpack()
    dense = (mask.sum(axis=0) > machine.dense_threshold * len(mask)).tolist()
    rows, columns, tokens = dataclasses.astuple(machine.tile)
    split = plan.program.denser_lines
    resolved = dataclasses.replace(machine, dataflow=plan.program.configuration.dataflow)
    expected = slow_machine.simulate(
        mask.tolist(), item.gemm.tokens, item.rank, resolved, (rows, columns, tokens), split, dense
    )
    accounts = dataclasses.asdict(result.denser), dataclasses.asdict(result.sparser)
    assert (result.cycles, *accounts, result.traffic.total) == expected
    [tiles, _] = tile_lists(
        mask.tolist(), item.gemm.tokens, item.rank, resolved, _cut(item, machine), split, dense
    )
    gathered = np.sum([t["gathered"] for t in tiles if t["kind"] == "S"] or [[0] * 4], axis=0)
    found = result.actions
    assert (found.bank_reads, found.crossbar_words, found.copied_bytes) == tuple(gathered[:3])
    assert found.copy_read_bytes == -(-gathered[3] // 8)


def _cut(item: SparseLowRankGemm, machine: Accelerator) -> tuple[int, int, int]:
    rows, columns, tokens = dataclasses.astuple(machine.tile)
    return min(rows, item.gemm.m), min(columns, item.gemm.n), min(tokens, item.gemm.tokens)


@SLOW
@given(case=cases())
def test_run_event_random_machine_keeps_accounts_and_bound(
    case: tuple[SparseLowRankGemm, Accelerator],
) -> None:
    item, machine = case
    plan = plan_or_skip(item, machine)
    result = run_event(plan)
    assert result.denser.total == plan.program.denser_lines * result.cycles
    assert result.sparser.total == plan.program.sparser_lines * result.cycles
    assert min(min(dataclasses.astuple(stalls)) for stalls in result.stalls.values()) >= 0
    assert result.cycles >= result.roofline_cycles
    assert result.cycles >= lower_bound(plan.program, plan.storage)
    useful = item.mask.nnz * item.gemm.tokens + item.gemm.low_rank_macs(item.rank)
    assert result.actions.macs == useful + result.actions.executed_zeros
    assert run_event(plan) == result


@SLOW
@given(case=cases())
def test_run_event_one_stream_and_more_hardware_takes_no_longer(
    case: tuple[SparseLowRankGemm, Accelerator],
) -> None:
    item, machine = case
    machine = without_limits(dataclasses.replace(machine, schedule="sequential"))
    plan = plan_or_skip(item, machine)
    base, dataflow = run_event(plan), plan.program.configuration.dataflow
    # an open dataflow is chosen by a bound, which another machine has for another dataflow
    machine = dataclasses.replace(machine, denser_lines=base.denser_lines, dataflow=dataflow)
    dram = machine.dram
    for better in (
        {"dram": dataclasses.replace(dram, bytes_per_second=2 * dram.bytes_per_second)},
        {"dram": dataclasses.replace(dram, latency_ns=0.0)},
        {"dram": dataclasses.replace(dram, write_latency_ns=0.0)},
        {"dram": dataclasses.replace(dram, refresh_share=0.0)},
        {"handoff_cycles": 0},
        {"gather": "ideal"},
        {"activation_banks": 2 * machine.activation_banks},
        {"activation_ports": 2 * machine.activation_ports},
        {"index": dataclasses.replace(machine.index, decode="ideal")},
        {"weight_buffer": Buffer(PLENTY, machine.weight_buffer.slots)},
        {"activation_buffer": Buffer(PLENTY, machine.activation_buffer.slots)},
        {"output_buffer": Buffer(PLENTY, machine.output_buffer.slots)},
    ):
        found = run(item, dataclasses.replace(machine, **better))
        if found.activations_resident == base.activations_resident:
            assert found.cycles <= base.cycles, better


def test_run_event_room_for_all_activations_can_be_slower_than_for_a_tile_s() -> None:
    """V of 7 tiles of a byte for 3 tokens, weights stationary, half a byte a cycle, a weight slot.

    With room for all activations the loads of all inputs join the queue at once, and the next
    weights wait behind inputs of tiles that cannot start before them.
    """
    item = projection(np.zeros((1, 7), dtype=bool), rank=1, tokens=3)
    machine = small_machine(
        lines=1, macs_per_line=1, tile=TileChoice(1, 1, 1), loop_order="weight_stationary",
        bits=Bits(8, 8, 8, 8), dram=plain_dram(500, latency_cycles=0), handoff_cycles=0,
        weight_buffer=Buffer(PLENTY, 1), output_buffer=Buffer(PLENTY, 1),
    )  # fmt: skip
    few, all_of_them = (
        run(item, dataclasses.replace(machine, activation_buffer=Buffer(capacity, 2)))
        for capacity in (10, PLENTY)
    )
    assert (few.activations_resident, all_of_them.activations_resident) == (False, True)
    assert (few.cycles, all_of_them.cycles) == (79, 86)


def test_run_event_static_rows_on_three_lines_can_be_slower_than_on_two() -> None:
    """Rows of 10, 0, 0, 10, 0, 0 nonzeros: on 2 lines one long row each, on 3 both on line 0."""
    item = projection(with_rows([10, 0, 0, 10, 0, 0], 10))
    machine = small_machine(macs_per_line=1, tile=TileChoice(6, 10, 1))
    machine = dataclasses.replace(
        machine, index=dataclasses.replace(machine.index, format="csr", decode_per_cycle=1)
    )
    busy = {}
    for lines in (2, 3, 4, 6):
        sparser = run(item, dataclasses.replace(machine, lines=lines)).sparser
        busy[lines] = (sparser.compute + sparser.imbalance) / lines
    assert busy == {2: 10, 3: 20, 4: 10, 6: 10}


def test_run_event_wider_link_can_be_slower_through_the_dram_queue() -> None:
    """A sooner write-back goes before weights that the slower crossing let pass: 68, then 74."""
    machine = small_machine(
        lines=4,
        denser_lines=2,
        dense_threshold=0.7,
        link_elements_per_cycle=1,
        handoff_cycles=0,
        tile=TileChoice(5, 3, 3),
        bits=Bits(weight=4, activation=15, factor=7, accumulator=5),
        index=plain_index("csr", decode_per_cycle=3),
        weight_buffer=Buffer(PLENTY, 1),
        dram=plain_dram(4665, 0.72, 7, 1, 2),
    )
    item = projection(with_rows([1, 1, 2, 2, 2, 2], 4), tokens=4)
    wider = dataclasses.replace(machine, link_elements_per_cycle=2)
    assert (run(item, machine).cycles, run(item, wider).cycles) == (68, 74)


def test_run_event_all_dense_and_free_memory_takes_ideal_cycles() -> None:
    """Infinite bandwidth, one engine, no latency: all MACs busy between fill and drain."""
    machine = small_machine(
        lines=4,
        macs_per_line=4,
        handoff_cycles=0,
        tile=TileChoice(8, 8, 2),
        dram=plain_dram(10**15, 1.0, 0, 1, 1),
    )
    result = run_event(plan_dense(Gemm("p", "FFN", 32, 16, 4), machine))
    ideal = 32 * 16 * 4 // 16
    assert result.denser.compute == 4 * ideal
    assert 4 * result.cycles == 4 * ideal + result.denser.fill + result.denser.drain
    assert (result.denser.fill, result.denser.drain) == (4, 4)


def test_run_event_rows_permuted_on_the_same_line_changes_nothing() -> None:
    mask = random_mask(8, 16, 0.4, seed=3)
    order = [2, 5, 0, 7, 6, 1, 4, 3]
    machine = small_machine(tile=TileChoice(8, 8, 1))
    assert run(projection(mask), machine) == run(projection(mask[order]), machine)


def test_run_event_empty_mask_only_writes_back() -> None:
    """Nothing to load or compute: 4 zeros are written, one cycle at the port and 2 of latency."""
    result = run(projection(np.zeros((4, 8), dtype=bool)), small_machine())
    assert (result.cycles, result.tiles, result.actions.macs) == (3, 0, 0)
    assert result.sparser.total == result.sparser.drain == 2 * 3


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_run_event_no_or_every_column_dense_runs_on_one_engine(threshold: float) -> None:
    result = run(projection(np.ones((4, 8), dtype=bool)), small_machine(dense_threshold=threshold))
    assert result.dense_columns == (0 if threshold == 1.0 else 8)
    assert result.denser_lines == (0 if threshold == 1.0 else 2)


def test_simulate_projection_every_column_dense_equals_dense_run() -> None:
    mask = np.ones((12, 16), dtype=bool)
    cycles = projection_by("event", projection(mask), small_machine(dense_threshold=0.5))
    assert cycles.sum_cycles == cycles.dense_cycles


def test_plan_projection_auto_dataflow_is_reduction_for_one_token_and_token_for_many() -> None:
    """8 MACs a line, about 6 nonzeros a row: ⌈6/8⌉ cycles a token, or 6·⌈16/8⌉ for 16 tokens."""
    machine = small_machine(macs_per_line=8, dataflow="auto", tile=TileChoice(16, 32, 16))
    mask = random_mask(32, 32, 0.2, seed=1)
    assert run(projection(mask), machine).dataflow == "reduction"
    assert run(projection(mask, tokens=16), machine).dataflow == "token"


def test_plan_projection_too_large_tile_says_what_fits() -> None:
    machine = small_machine(weight_buffer=Buffer(16, 2))
    item = SparseLowRankGemm(Gemm("q", "MHA", 8, 8), PackedMask.pack(np.ones((8, 8), bool)), 0)
    with pytest.raises(
        InputError, match=r"q: a tile of rows = 4, .* weights need 36 bytes .* 8; rows"
    ):
        plan_projection(item, machine)


def test_plan_projection_too_many_tiles_is_an_error() -> None:
    item = projection(np.zeros((4096, 4096), dtype=bool))
    with pytest.raises(InputError, match="make 16777216 tiles, more than 4000000"):
        plan_projection(item, small_machine(tile=TileChoice(1, 1, 1)))


def test_plan_projection_no_line_left_for_an_engine_is_an_error() -> None:
    mask = with_rows([4, 1, 2, 1], 8)
    with pytest.raises(InputError, match="denser_lines = 2 of 2 leaves no line for S"):
        run(projection(mask), small_machine(denser_lines=2))
    with pytest.raises(InputError, match="one line cannot serve two engines"):
        run(projection(mask), small_machine(lines=1, dense_threshold=0.5))
