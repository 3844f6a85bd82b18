"""Machines without the effects that were modelled later do what they did before."""

import json
from pathlib import Path

import pytest

from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from tests.golden import machines

KEPT = json.loads(Path(machines.__file__).with_name("machines.json").read_text())


def test_run_compiled_kept_machines_give_the_kept_numbers() -> None:
    assert len(KEPT) > 600
    for number, runs in KEPT.items():
        found = [machines.numbers(run_compiled(plan)) for plan in machines.plans(int(number))]
        assert found == runs, number


@pytest.mark.parametrize("offset", range(5))
def test_run_event_every_fifth_kept_machine_gives_the_kept_numbers(offset: int) -> None:
    for number in list(KEPT)[offset::25]:
        found = [machines.numbers(run_event(plan)) for plan in machines.plans(int(number))]
        assert found == KEPT[number], number
