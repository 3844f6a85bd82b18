"""One choice for each of many, of least loss within a budget: the multiple-choice knapsack. Pure.

Solved by HiGHS's branch and bound (``scipy.optimize.milp``) to a gap that is asked for. A
thousandth takes a second for the demo model's 210 projections, a ten-thousandth can take minutes.
Only a search that is cut after twenty seconds may end elsewhere on another processor.
"""

import contextlib
import ctypes
import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from workloads.support.errors import InputError

_LOSS_SCALE = 1e2
"""Largest sum of losses as the solver sees it: it takes differences below 1e-6 for none."""
_SECONDS = 20.0
"""Of the search at most; beyond them the best choice so far stands, with its gap."""
_SLACK = 2e-6
"""Twice the share by which the solver lets a constraint be broken."""
Table = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Division:
    """One candidate for each item.

    Attributes:
        chosen: Index of each item's candidate.
        loss: Of all items, in the unit of the losses.
        cost: Of all items, in the unit of the costs; at most the budget.
        least_loss: No choice within the budget loses less than this.
    """

    chosen: tuple[int, ...]
    loss: float
    cost: float
    least_loss: float

    @property
    def gap(self) -> float:
        """Share of the loss by which a better choice could at most be better; 0: none is."""
        return max(0.0, (self.loss - self.least_loss) / self.loss) if self.loss else 0.0


def divide(losses: Table, costs: Table, *, budget: float, gap: float = 1e-3) -> Division:
    """Choose one candidate for each item: least total loss at a total cost within a budget.

    Args:
        losses: Of each item's candidates, finite and not negative; all in one unit.
        costs: Of the same candidates, likewise; all in the budget's unit.
        budget: Of all items together.
        gap: Share of the loss at which the search may end, in [0, 1); 0 searches to the end.

    Raises:
        InputError: Not even the cheapest candidates fit the budget.
        ValueError: A number is not finite or is negative, or an item has no candidate.
    """
    _check(losses, costs)
    cheapest = _cheapest(losses, costs)
    fallback = _division(cheapest, losses, costs)
    if fallback.cost > budget:
        raise InputError(
            f"a budget of {budget:,.6g} is below {fallback.cost:,.6g}, the least that the "
            "candidates cost; a larger budget, or smaller kept fractions among the candidates"
        )
    found, bound = _solved(losses, costs, budget, gap)
    if found is not None and _division(found, losses, costs).cost > budget:
        found, _ = _solved(losses, costs, budget * (1 - _SLACK), gap)
    chosen = fallback if found is None else _division(found, losses, costs)
    best = chosen if chosen.cost <= budget and chosen.loss <= fallback.loss else fallback
    return Division(best.chosen, best.loss, best.cost, min(bound, best.loss))


def _check(losses: Table, costs: Table) -> None:
    for item, (of_loss, of_cost) in enumerate(zip(losses, costs, strict=True)):
        if not of_loss or len(of_loss) != len(of_cost):
            raise ValueError(f"item {item} has {len(of_loss)} losses and {len(of_cost)} costs")
        if not all(math.isfinite(each) and each >= 0 for each in (*of_loss, *of_cost)):
            raise ValueError(f"item {item}: a loss or a cost is negative or not finite")


def _cheapest(losses: Table, costs: Table) -> list[int]:
    """Of the cheapest candidates of each item, the one that loses least."""
    return [
        min(range(len(cost)), key=lambda i, c=cost, x=loss: (c[i], x[i]))  # type: ignore[misc]
        for loss, cost in zip(losses, costs, strict=True)
    ]


def _division(chosen: Sequence[int], losses: Table, costs: Table) -> Division:
    loss = math.fsum(row[i] for row, i in zip(losses, chosen, strict=True))
    cost = math.fsum(row[i] for row, i in zip(costs, chosen, strict=True))
    return Division(tuple(chosen), loss, cost, 0.0)


def _solved(
    losses: Table, costs: Table, budget: float, gap: float
) -> tuple[list[int] | None, float]:
    """The solver's choice, None if it has none, and its lower bound of the loss."""
    sizes = [len(row) for row in losses]
    flat_losses = np.concatenate([np.asarray(row, dtype=float) for row in losses])
    flat_costs = np.concatenate([np.asarray(row, dtype=float) for row in costs])
    unit = math.fsum(max(row) for row in losses) / _LOSS_SCALE or 1.0
    share = budget / len(sizes) or 1.0  # of one item: coefficients near 1 are solved fastest
    constraints = [
        LinearConstraint(_one_of_each(sizes), 1, 1),
        LinearConstraint(flat_costs[None] / share, ub=budget / share),
    ]
    with _quiet():
        solution = milp(
            flat_losses / unit,
            integrality=np.ones(len(flat_losses)),
            bounds=Bounds(0, 1),
            constraints=constraints,
            options={"mip_rel_gap": gap, "time_limit": _SECONDS},
        )
    bound = 0.0 if solution.mip_dual_bound is None else float(solution.mip_dual_bound) * unit
    if solution.x is None:
        return None, bound
    starts = np.cumsum([0, *sizes[:-1]])
    parts = [solution.x[start : start + size] for start, size in zip(starts, sizes, strict=True)]
    return [int(np.argmax(part)) for part in parts], max(bound, 0.0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the lines that HiGHS writes to the process's standard output whatever it is told."""
    flush = ctypes.CDLL(None).fflush  # what C holds back would come out later
    sys.stdout.flush()
    flush(None)
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _one_of_each(sizes: Sequence[int]) -> csr_array:
    """A row for each item with a 1 at each of its candidates."""
    rows: NDArray[np.int64] = np.repeat(np.arange(len(sizes)), sizes)
    columns = np.arange(len(rows))
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(sizes), len(rows)))
