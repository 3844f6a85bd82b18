"""The best of many tilings, for ``mapper``: which there are, which are run, how far off a plan is.

Run is everything where there are at most ``WHOLE`` tilings; otherwise the best estimates, at most
``MOST`` (``MOST_LARGE`` of large projections), none of which, times ``LEAST``, is above the
planner's cycles. That is no bound: how little a run ever took of its estimate is counted, and
``AUDITED`` of the others are drawn and run too.
"""

import itertools
import math
import random
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from accelerator_sim.mapping.candidates import candidate_plan
from accelerator_sim.mapping.search import Search
from accelerator_sim.mapping.tile_search import Candidate, estimated
from accelerator_sim.mapping.tiling import TileShape
from accelerator_sim.planning.trials import best_of
from accelerator_sim.simulation.compiled import run_compiled
from workloads.support.errors import InputError

LEAST = 0.8
MOST = 3_000
MOST_LARGE = 200
WHOLE = 3_000
AUDITED = 100
FARTHEST = 64
"""Quarters of the lines or of the MACs that an extent has at most, unless it is the whole."""
SPLITS = 16
"""Splits of large projections, evenly over all, at the most."""


class Distance(NamedTuple):
    """How far a plan is from the best tiling.

    Attributes:
        loss: Cycles over the fewest, less 1.
        tilings: That there are, those that do not fit included.
        runs: Tilings that were run, or did not fit after all.
        least_ratio: The least that a run took of its estimate.
        audited: Tilings drawn from those that were not run, and run.
        audited_better: Of these, those of fewer cycles than the best of the others.
        fewest: Cycles of the best tiling that was run, the planner's own among them.
    """

    loss: float
    tilings: int
    runs: int
    least_ratio: float
    audited: int
    audited_better: int
    fewest: int


def distance(search: Search, *, small: bool) -> Distance:
    """How far the planner's choice is from the best.

    Args:
        search: Product and machine.
        small: Every extent and split; otherwise fractions of lines and MACs.

    Raises:
        InputError: Nothing fits.
    """
    found = cycles(search)
    tilings = list(dict.fromkeys(every_tiling(search) if small else fractions(search)))
    ranking = estimated(search, tilings)
    if len(tilings) > WHOLE:
        worth = [item.candidate for item in ranking if item.cycles * LEAST <= found]
        worth = worth[: MOST if small else MOST_LARGE]
    else:
        worth = tilings
    estimates = {item.candidate: item.cycles for item in ranking}
    taken = {candidate: _taken(search, candidate) for candidate in worth}
    ratios = [taken[item] / estimates[item] for item in worth if item in estimates]
    best = min([float(found), *taken.values()])
    others = [candidate for candidate in tilings if candidate not in taken]
    audited = random.Random(0).sample(others, min(AUDITED, len(others)))
    better = [run for run in (_taken(search, item) for item in audited) if run < best]
    fewest = int(min([best, *better]))
    return Distance(
        found / fewest - 1,
        len(tilings),
        len(worth),
        min(ratios, default=1.0),
        len(audited),
        len(better),
        fewest,
    )


def _taken(search: Search, candidate: Candidate) -> float:
    """Cycles; infinite where it does not fit."""
    plan = candidate_plan(search, candidate)
    return math.inf if plan is None else run_compiled(plan).cycles


def cycles(search: Search) -> int:
    """Of the planner's choice.

    Raises:
        InputError: Nothing fits.
    """
    plan = best_of(search)
    if plan is None:
        raise InputError("nothing fits")
    return run_compiled(plan).cycles


def every_tiling(search: Search) -> Iterator[Candidate]:
    """Every extent, whole groups, every dataflow and split."""
    gemm = search.gemm
    rows, columns, tokens = (range(1, extent + 1) for extent in (gemm.m, gemm.n, gemm.tokens))
    return _tilings(search, rows, columns, tokens, search.splits)


def fractions(search: Search) -> Iterator[Candidate]:
    """Multiples of a quarter of the lines and of the MACs of a line; tokens by equal blocks."""
    gemm, machine = search.gemm, search.accelerator
    tokens = sorted({math.ceil(gemm.tokens / count) for count in range(1, gemm.tokens + 1)})
    rows, columns = (
        [*range(step, min(extent, FARTHEST * step), step), extent]
        for extent, step in (
            (gemm.m, max(machine.lines // 4, 1)),
            (gemm.n, max(machine.macs_per_line // 4, 1)),
        )
    )
    splits = sorted(search.splits)
    return _tilings(search, rows, columns, tokens, splits[:: -(-len(splits) // SPLITS)])


def _tilings(
    search: Search,
    rows: Iterable[int],
    columns: Iterable[int],
    tokens: Iterable[int],
    splits: Iterable[int],
) -> Iterator[Candidate]:
    pattern = search.accelerator.index.n_of_m if search.mask is not None else None
    group = pattern[1] if pattern else 1
    whole = [width for width in columns if width % group == 0 or width == search.gemm.n]
    for r, c, t, flow, lines in itertools.product(rows, whole, tokens, search.flows, splits):
        yield Candidate(TileShape(r, c, t), flow, lines)
