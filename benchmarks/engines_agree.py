"""Random machines and projections: the compiled engine against the event engine, field by field.

python -m benchmarks.engines_agree [TRIALS] [SEED]
"""

import sys

from hypothesis import HealthCheck, Phase, given, seed, settings

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from tests.accelerator_sim.machines import cases
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import InputError


def main(trials: int, chosen_seed: int) -> None:
    compared = 0

    @seed(chosen_seed)
    @settings(
        max_examples=trials,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases())
    def agree(case: tuple[SparseLowRankGemm, Accelerator]) -> None:
        nonlocal compared
        item, machine = case
        try:
            plan = plan_projection(item, machine)
        except InputError:
            return
        assert run_compiled(plan) == run_event(plan), (item, machine)
        compared += 1

    agree()
    print(f"seed {chosen_seed}: {trials:,} machines drawn, {compared:,} ran, all results equal")


if __name__ == "__main__":
    given_arguments = [int(argument) for argument in sys.argv[1:]]
    main(*given_arguments, *(10_000, 0)[len(given_arguments) :])
