"""Lower bounds that choose tiles: no run is faster."""

from hypothesis import HealthCheck, assume, given, settings

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.bounds import lower_bound
from accelerator_sim.mapping.roofline import roofline_cycles
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from tests.accelerator_sim.machines import cases
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import InputError


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(case=cases())
def test_lower_bound_is_between_the_roofline_and_the_run(
    case: tuple[SparseLowRankGemm, Accelerator],
) -> None:
    try:
        plan = plan_projection(*case)
    except InputError:
        assume(False)
    assert lower_bound(plan.program, plan.storage) <= run_compiled(plan).cycles
    assert roofline_cycles(plan.program) <= run_compiled(plan).cycles
