import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sslc.allocation.knapsack import Division, divide
from workloads.support.errors import InputError

Table = list[list[float]]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Table, Table, float]:
    """Up to five items of up to four candidates, and a budget between the cheapest and the dearest.

    Costs and budget are whole, so that sums are exact; losses need not fall as costs rise.
    """
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    losses = [[draw(st.integers(0, 1000)) / 7 for _ in range(size)] for size in sizes]
    costs = [[float(draw(st.integers(0, 50))) for _ in range(size)] for size in sizes]
    least, most = sum(map(min, costs)), sum(map(max, costs))
    return losses, costs, float(draw(st.integers(int(least), int(most))))


def by_brute_force(losses: Table, costs: Table, budget: float) -> float:
    ways = itertools.product(*(range(len(row)) for row in losses))
    return min(
        math.fsum(row[i] for row, i in zip(losses, way, strict=True))
        for way in ways
        if sum(row[i] for row, i in zip(costs, way, strict=True)) <= budget
    )


def by_dynamic_programming(losses: Table, costs: Table, budget: int) -> float:
    """Least loss for every whole cost up to the budget, item by item."""
    best = [0.0] * (budget + 1)
    for loss, cost in zip(losses, costs, strict=True):
        best = [
            min(
                (best[spent - int(c)] + x for x, c in zip(loss, cost, strict=True) if c <= spent),
                default=math.inf,
            )
            for spent in range(budget + 1)
        ]
    return best[budget]


def sums(found: Division, losses: Table, costs: Table) -> tuple[float, float]:
    loss = sum(row[i] for row, i in zip(losses, found.chosen, strict=True))
    return loss, sum(row[i] for row, i in zip(costs, found.chosen, strict=True))


@given(problems())
@settings(max_examples=60)
def test_division_loses_as_little_as_the_best_of_all_choices(
    problem: tuple[Table, Table, float],
) -> None:
    losses, costs, budget = problem
    found = divide(losses, costs, budget=budget, gap=0)
    assert (found.loss, found.cost) == pytest.approx(sums(found, losses, costs))
    assert found.cost <= budget
    assert found.loss == pytest.approx(by_brute_force(losses, costs, budget), abs=1e-3)


def test_stated_gap_holds_against_dynamic_programming_on_a_hundred_items() -> None:
    random.seed(1)
    costs = [[float(c) for c in sorted(random.sample(range(1, 60), 6))] for _ in range(100)]
    losses = [[100 * random.random() / cost for cost in row] for row in costs]
    budget = 100 * 12
    best = by_dynamic_programming(losses, costs, budget)
    exact = divide(losses, costs, budget=budget, gap=0)
    assert exact.loss == pytest.approx(best, rel=1e-6)
    rough = divide(losses, costs, budget=budget, gap=0.05)
    for found in (exact, rough):
        assert found.cost <= budget
        assert found.least_loss <= best * (1 + 1e-9)
        assert best <= found.loss <= best / (1 - found.gap) * (1 + 1e-9)
    assert rough.gap <= 0.05


def test_dearer_candidate_that_loses_more_is_never_taken() -> None:
    found = divide([[3.0, 1.0, 2.0]], [[1.0, 2.0, 3.0]], budget=10)
    assert found.chosen == (1,)
    assert found.gap == 0


def test_budget_of_exactly_the_cheapest_is_enough() -> None:
    found = divide([[3.0, 1.0], [5.0, 0.5]], [[0.1, 0.2], [0.2, 0.3]], budget=math.fsum([0.1, 0.2]))
    assert found.chosen == (0, 0)


@pytest.mark.parametrize("excess", [1e-9, 1e-7])
def test_budget_holds_where_the_solver_would_let_it_be_broken(excess: float) -> None:
    costs = [[1.0, 2.0 + excess], [1.0, 2.0]]
    found = divide([[9.0, 0.0], [1.0, 0.0]], costs, budget=4.0, gap=0)
    assert found.cost <= 4.0
    assert found.loss == 1.0


def test_budget_below_the_cheapest_is_refused_with_what_would_do() -> None:
    with pytest.raises(InputError, match=r"a budget of 2 is below 3"):
        divide([[1.0, 0.0], [1.0, 0.0]], [[1.0, 9.0], [2.0, 9.0]], budget=2)


@pytest.mark.parametrize(
    ("losses", "costs"),
    [([[math.nan]], [[1.0]]), ([[1.0]], [[-1.0]]), ([[]], [[]]), ([[1.0, 2.0]], [[1.0]])],
)
def test_tables_that_mean_nothing_are_refused(losses: Table, costs: Table) -> None:
    with pytest.raises(ValueError, match="item 0"):
        divide(losses, costs, budget=5)
