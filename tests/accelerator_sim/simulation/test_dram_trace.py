"""DRAM traces: one tile by hand, bytes of the account, addresses that stay."""

from collections import Counter

import pytest
from hypothesis import given

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.dram_trace import (
    REGION_BYTES,
    Request,
    dram_requests,
    dramsim3_lines,
    memory_clock_hz,
    ramulator_lines,
)
from accelerator_sim.simulation.trace import run_traced
from tests.accelerator_sim.machines import (
    machines,
    plain_dram,
    projection,
    projections,
    random_mask,
    small_machine,
    with_rows,
)
from tests.accelerator_sim.simulation.test_event import SLOW, plan_or_skip
from workloads.masks.packed import SparseLowRankGemm

DDR4 = plain_dram(25_600_000_000, 1.0, 2, 64, 1)


def test_memory_clock_of_a_ddr4_3200_channel() -> None:
    assert memory_clock_hz(small_machine(dram=DDR4)) == 1.6e9


def test_dram_requests_one_tile_by_hand() -> None:
    """12 bytes of weights and index at cycle 0, 8 of inputs at 3, 4 of outputs at 12; bursts of 4.

    The memory's clock is 4000 bytes a second over 16: a quarter of the machine's.
    """
    dram = plain_dram(4000, 1.0, 2, 4, 1)
    plan = plan_projection(projection(with_rows([4, 1, 2, 1], 8)), small_machine(dram=dram))
    _, operations = run_traced(plan)
    requests = list(dram_requests(plan, operations))
    inputs, outputs = 2 * REGION_BYTES, 3 * REGION_BYTES
    assert requests == [
        *(Request(0, 4 * index, False) for index in range(3)),
        *(Request(0, inputs + 4 * index, False) for index in range(2)),
        Request(3, outputs, True),
    ]
    assert list(dramsim3_lines(requests))[-1] == "0xc0000000 WRITE 3\n"
    assert list(ramulator_lines(requests))[:2] == ["LD 0x0\n", "LD 0x4\n"]
    assert list(ramulator_lines(requests))[-1] == "ST 0xc0000000\n"


@given(machine=machines(), item=projections())
@SLOW
def test_dram_requests_move_at_least_the_bytes_of_the_account(
    machine: Accelerator, item: SparseLowRankGemm
) -> None:
    plan = plan_or_skip(item, machine)
    result, operations = run_traced(plan)
    moved = Counter(request.write for request in dram_requests(plan, operations))
    burst, channels = machine.dram.burst_bytes, machine.dram.channels
    transfers = Counter(
        operation.unit == "dram write-back"
        for operation in operations
        if operation.unit.startswith("dram")
    )
    counted = {True: result.actions.dram_write_bytes, False: result.actions.dram_read_bytes}
    for write, count in counted.items():
        padding = transfers[write] * (channels - 1) * burst
        assert count <= moved[write] * burst <= count + padding


def test_dram_requests_weights_fetched_again_have_the_same_addresses() -> None:
    machine = small_machine()
    plan = plan_projection(projection(random_mask(8, 16, 0.5, seed=1), tokens=16), machine)
    result, operations = run_traced(plan)
    assert result.traffic.refetched
    weights = [r.address for r in dram_requests(plan, operations) if r.address < REGION_BYTES]
    assert len(weights) == pytest.approx(2 * len(set(weights)))
