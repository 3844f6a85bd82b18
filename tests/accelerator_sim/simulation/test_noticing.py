"""Ends that the compiled engine looks at late: nothing comes of when it looks."""

from dataclasses import replace

import pytest

from accelerator_sim.machine.hardware import Buffer, Dram, LoopOrder, Schedule, Slots, TileChoice
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from tests.accelerator_sim.machines import PLENTY, projection, random_mask, small_machine


@pytest.mark.parametrize("pipeline", [0, 1, 5])
@pytest.mark.parametrize("handoff", [0, 1])
@pytest.mark.parametrize("order", ["output_stationary", "weight_stationary"])
def test_run_compiled_many_tiles_to_an_output_equal_run_event(
    pipeline: int, handoff: int, order: LoopOrder
) -> None:
    """100 and more tiles add to each output, so that most ends complete nothing; few requests and
    many slots, so that nobody waits for what they free; one engine, both, and two streams."""
    machine = small_machine(
        tile=TileChoice(4, 1, 3), pipeline_cycles=pipeline, handoff_cycles=handoff, loop_order=order
    )
    few = replace(machine.dram, requests_per_cycle=1, outstanding_requests=1)
    kinds: list[tuple[Schedule, float, Dram, Slots]] = [
        ("sequential", 1.0, few, "auto"),
        ("sequential", 0.5, few, "auto"),
        ("overlapped", 0.5, few, 3),
        ("overlapped", 1.0, Dram(800, 1.0, 1e6, burst_bytes=1, channels=1), 2),
    ]
    for schedule, threshold, dram, slots in kinds:
        item = projection(random_mask(8, 120, 0.5, seed=pipeline), rank=2, tokens=4)
        changed = replace(
            machine,
            schedule=schedule,
            dense_threshold=threshold,
            dram=dram,
            weight_buffer=Buffer(PLENTY, slots),
        )
        plan = plan_projection(item, changed)
        assert run_compiled(plan) == run_event(plan)
