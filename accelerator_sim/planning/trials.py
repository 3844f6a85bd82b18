"""The best few candidates, run by the compiled engine: the fewest cycles, energy of nearly equals.

After ``models``, before ``planner``.
"""

import dataclasses
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from accelerator_sim.machine.catalog import load_cost_table
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.bounds import lower_bound
from accelerator_sim.mapping.candidates import Plan, candidate_plan
from accelerator_sim.mapping.search import Search
from accelerator_sim.mapping.tile_search import Candidate, Ranked, estimated, neighbours, ranked
from accelerator_sim.models.energy import energy
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.result import EventResult
from workloads.support.errors import InputError

TIE = 1.01
"""Cycles over the fewest at which a plan may still be chosen for its energy."""
PATIENCE = 20
"""Percents of energy that a percent of cycles is worth."""
_HOPE = 1.005
_NEAR = 1.03
_MOST_RUNS = 12
_MOST_RUNS_LARGE = 6
_MOST_BUILT = 40
_MOST_NEAR = 6
_ROUNDS = 2
_FRUGAL = 4
_FEW_SLOTS = (3,)
_FEWER_SLOTS = (2, 3, 4, 8)
_Kind = tuple[str, int]
"""Dataflow and columns of a tile."""


class Trial(NamedTuple):
    """A plan and its run; no run where the compiled engine refuses the machine."""

    plan: Plan
    cycles: float
    energy_pj: float


def best_of(search: Search) -> Plan | None:
    """The plan of a search; None if nothing fits.

    Args:
        search: Product and machine.

    Raises:
        InputError: The split or the mask cannot be.
    """
    order = _sequence(ranked(search))
    runs = _Runs(search)
    runs.run(order, _MOST_RUNS_LARGE if search.large else _MOST_RUNS)
    if not runs.trials:
        return None
    if not search.large:
        for _ in range(_ROUNDS):
            start = runs.best
            runs.run(estimated(search, neighbours(search, start)), _MOST_NEAR)
            if runs.best == start:
                break
    fastest = min(runs.trials, key=_cycles)
    return _chosen([*runs.trials, *_with_fewer_slots(search, fastest.plan, _FEWER_SLOTS)])


def quickest(plans: Iterable[Plan], accelerator: Accelerator) -> Plan:
    """The plan of a few that all are run: by cycles, and by energy of nearly equals.

    Args:
        plans: At least one.
        accelerator: On which they run.
    """
    return _chosen([_run(accelerator, plan) for plan in plans])


def _cycles(trial: Trial) -> float:
    return trial.cycles


def _chosen(trials: Sequence[Trial]) -> Plan:
    fewest = min(trial.cycles for trial in trials)
    near = [trial for trial in trials if trial.cycles <= TIE * fewest]
    chosen = min(near, key=lambda trial: (spent(trial, fewest), trial.cycles)).plan
    how = f"fewest cycles of {len(trials)} runs, less energy of nearly equals"
    return dataclasses.replace(chosen, tile_chosen_by=how)


def spent(trial: Trial, fewest: float) -> float:
    """What the choice of nearly equals makes least: energy times a power of the cycles."""
    return trial.energy_pj * float((trial.cycles / fewest) ** PATIENCE)


def _sequence(candidates: list[Ranked]) -> list[Ranked]:
    """By cycles; but of those nearly as fast as the first, the most frugal ones come soon."""
    if not candidates:
        return []
    near = [item for item in candidates if item.cycles <= _NEAR * candidates[0].cycles]
    frugal = sorted(near, key=lambda item: item.dram_bytes)[:_FRUGAL]
    return list(dict.fromkeys([candidates[0], *frugal, *candidates]))


class _Runs:
    """Candidates of a search that were run, each once."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._run: dict[Candidate, Trial | None] = {}
        self._ratios: dict[_Kind, list[float]] = {}

    @property
    def trials(self) -> list[Trial]:
        """Of all that fit."""
        return [trial for trial in self._run.values() if trial is not None]

    @property
    def best(self) -> Candidate:
        """Of the fewest cycles, the first of equals; there must be one."""
        ran = ((trial.cycles, item) for item, trial in self._run.items() if trial is not None)
        return min(ran, key=lambda pair: pair[0])[1]

    def run(self, order: Sequence[Ranked], most: int) -> None:
        """Run candidates until those left can hardly be faster.

        Args:
            order: The most promising first.
            most: Runs at the most.
        """
        runs, new = 0, [item for item in order if item.candidate not in self._run]
        for built, item in enumerate(self._by_promise(new)):
            fewest = min((trial.cycles for trial in self.trials), default=math.inf)
            if runs == most or (built > _FRUGAL and self._promise(item) > fewest * _HOPE):
                return
            plan = candidate_plan(self._search, item.candidate)
            if plan is None or lower_bound(plan.program, plan.storage) > fewest * TIE:
                self._run[item.candidate] = None
                continue
            whole = _run(self._search.accelerator, plan)
            trial = min([whole, *_with_fewer_slots(self._search, plan, _FEW_SLOTS)], key=_cycles)
            runs += 1
            self._run[item.candidate] = trial
            self._ratios.setdefault(_kind(item), []).append(trial.cycles / item.cycles)

    def _by_promise(self, order: Sequence[Ranked]) -> Iterator[Ranked]:
        """The first few, then those that promise the fewest cycles by the runs so far."""
        left: dict[_Kind, deque[Ranked]] = {}
        for item in order:
            left.setdefault(_kind(item), deque()).append(item)
        for built in range(min(_MOST_BUILT, len(order))):
            kind = _kind(order[built])
            if built > _FRUGAL:
                kind = min(left, key=lambda kind: self._promise(left[kind][0]))
            yield left[kind].popleft()
            if not left[kind]:
                del left[kind]

    def _promise(self, item: Ranked) -> float:
        """Cycles, if the estimate is as far off as those of its kind; if none of that kind was run,
        as far as the farthest, and half of their spread more."""
        alike = self._ratios.get(_kind(item))
        if alike:
            return item.cycles * min(alike)
        every = [ratio for ratios in self._ratios.values() for ratio in ratios] or [1.0]
        return item.cycles * (min(*every, 1.0) - (max(every) - min(every)) / 2)


def _kind(item: Ranked) -> _Kind:
    """Of candidates whose estimates are off for the same reasons."""
    return item.candidate.flow, item.candidate.tile.columns


def _with_fewer_slots(search: Search, plan: Plan, counts: Sequence[int]) -> Iterator[Trial]:
    """A plan with fewer slots of weights or inputs than fit, where slots are open."""
    storage, machine = plan.storage, search.accelerator
    options = []
    if machine.weight_buffer.slots == "auto":
        for count in counts:
            main, factors = storage.weight_slots
            fewer = (min(count, main), min(count, factors))
            options.append(dataclasses.replace(storage, weight_slots=fewer))
    if machine.activation_buffer.slots == "auto":
        options += [
            dataclasses.replace(storage, input_slots=min(count, storage.input_slots))
            for count in counts
        ]
    for option in dict.fromkeys(options):
        if option != storage:
            yield _run(machine, dataclasses.replace(plan, storage=option))


def _run(accelerator: Accelerator, plan: Plan) -> Trial:
    try:
        run = run_compiled(plan)
    except InputError:  # more cycles than the compiled engine counts
        return Trial(plan, float(lower_bound(plan.program, plan.storage)), 0.0)
    return Trial(plan, float(run.cycles), _energy(accelerator, run))


def _energy(accelerator: Accelerator, run: EventResult) -> float:
    """By the built-in table; bytes of DRAM where it does not know the machine's."""
    table = _table()
    if accelerator.dram.technology not in table.energy.dram_pj_per_byte:
        return float(run.traffic.total)
    return energy(run, table, accelerator=accelerator).total_pj


@lru_cache(maxsize=1)
def _table() -> CostTable:
    return load_cost_table()
