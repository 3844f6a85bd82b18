"""What belongs to a product and not to its machine."""

import pytest

from accelerator_sim.machine.hardware import Buffer
from accelerator_sim.mapping.configuration import Configuration, Flow, allowed_flows
from tests.accelerator_sim.machines import small_machine


@pytest.mark.parametrize(("flow", "other"), [("reduction", "token"), ("token", "reduction")])
def test_configuration_sampled_product_takes_the_other_flows_arithmetic(
    flow: Flow, other: Flow
) -> None:
    assert Configuration(flow, 8).timed_as == flow
    assert Configuration(flow, 8, sampled=True).timed_as == other


def test_configuration_scores_on_chip_leave_half_of_the_output_buffer() -> None:
    machine = small_machine(output_buffer=Buffer(101, 2))
    assert Configuration("token", 8).output_buffer(machine) is machine.output_buffer
    left = Configuration("token", 8, weights_on_chip=True).output_buffer(machine)
    assert left == Buffer(50, 1)


@pytest.mark.parametrize(
    ("dataflow", "flows"),
    [("reduction", ("reduction",)), ("token", ("token",)), ("auto", ("reduction", "token"))],
)
def test_allowed_flows_are_both_for_auto_alone(dataflow: str, flows: tuple[str, ...]) -> None:
    assert allowed_flows(small_machine(dataflow=dataflow)) == flows
