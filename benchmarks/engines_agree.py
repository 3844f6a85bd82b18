"""Random machines and projections: compiled engine, event engine and the slow machine, all equal.

python -m benchmarks.engines_agree [TRIALS] [SEED]

The engines are compared field by field; the slow machine, written from the specification alone, in
cycles, accounts and bytes. Half of the matrices are wide, so that many tiles add to each output.
"""

import dataclasses

from hypothesis import strategies as st

from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.result import EventResult
from benchmarks.random_cases import Case, for_each, plan_or_none, trials_and_seed
from tests.accelerator_sim.machines import cases, n_of_m_part, projection, random_mask
from tests.reference import slow_machine
from workloads.masks.packed import SparseLowRankGemm


def main(trials: int, chosen_seed: int) -> None:
    compared = 0

    def agree(case: Case) -> None:
        nonlocal compared
        item, machine = case
        plan = plan_or_none(item, machine)
        if plan is None:
            return
        result = run_event(plan)
        assert run_compiled(plan) == result, (item, machine)
        assert slow(plan, item) == found(result), (item, machine)
        compared += 1

    cases_of_both = st.one_of(cases(), wide_cases())
    for_each(cases_of_both, agree, trials=trials, chosen_seed=chosen_seed)
    print(f"seed {chosen_seed}: {trials:,} machines drawn, {compared:,} ran, all results equal")


@st.composite
def wide_cases(draw: st.DrawFn) -> Case:
    """The same machines with few rows of many columns."""
    item, machine = draw(cases())
    density = draw(st.sampled_from([0.1, 0.5, 0.9]))
    mask = random_mask(draw(st.integers(1, 6)), draw(st.integers(20, 90)), density, item.rank)
    if machine.index.n_of_m:
        mask = n_of_m_part(mask, *machine.index.n_of_m)
    return projection(mask, item.rank, item.gemm.tokens), machine


def found(result: EventResult) -> tuple[object, ...]:
    """What the slow machine counts too."""
    accounts = (dataclasses.asdict(account) for account in (result.denser, result.sparser))
    return (result.cycles, *accounts, result.traffic.total)


def slow(plan: Plan, item: SparseLowRankGemm) -> tuple[object, ...]:
    """The same projection on the slow machine, at the dataflow and the split of a plan."""
    program, mask = plan.program, item.mask.unpack()
    machine = program.accelerator
    dense = (mask.sum(axis=0) > machine.dense_threshold * len(mask)).tolist()
    resolved = dataclasses.replace(machine, dataflow=program.configuration.dataflow)
    rows, columns, tokens = dataclasses.astuple(machine.tile)
    return slow_machine.simulate(
        mask.tolist(),
        item.gemm.tokens,
        item.rank,
        resolved,
        (rows, columns, tokens),
        program.denser_lines,
        dense,
    )


if __name__ == "__main__":
    main(*trials_and_seed(10_000))
