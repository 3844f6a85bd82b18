"""Random machines and projections of the tests, as many as are asked for: for benchmarks."""

import sys
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.planner import plan_projection
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import InputError

Case = tuple[SparseLowRankGemm, Accelerator]


def for_each(
    strategy: st.SearchStrategy[Case],
    visit: Callable[[Case], None],
    *,
    trials: int,
    chosen_seed: int,
) -> None:
    """Draw cases and visit each; none is shrunk or kept.

    Args:
        strategy: What to draw.
        visit: Called with every case.
        trials: How many.
        chosen_seed: Of the draws.
    """

    @seed(chosen_seed)
    @settings(
        max_examples=trials,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def draw(case: Case) -> None:
        visit(case)

    draw()


def plan_or_none(item: SparseLowRankGemm, machine: Accelerator) -> Plan | None:
    """The plan of a case; None where no tile fits."""
    try:
        return plan_projection(item, machine)
    except InputError:
        return None


def trials_and_seed(trials: int) -> tuple[int, int]:
    """What the command line gives, or so many trials and seed 0."""
    given_arguments = [int(argument) for argument in sys.argv[1:3]]
    defaults = (trials, 0)
    wanted, chosen_seed = (*given_arguments, *defaults[len(given_arguments) :])
    return wanted, chosen_seed
