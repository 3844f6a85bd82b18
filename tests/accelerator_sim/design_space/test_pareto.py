"""The Pareto front against its definition, checked pair by pair."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelerator_sim.design_space.pareto import knee, pareto_front, within_tolerance

SMALL = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, float("inf")])
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[SMALL] * width), min_size=1, max_size=40)
)


def by_definition(points: list[tuple[float, ...]]) -> list[int]:
    def beaten(mine: tuple[float, ...]) -> bool:
        return any(
            all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine
            for other in points
        )

    return [place for place, point in enumerate(points) if not beaten(point)]


@given(TABLES)
def test_pareto_front_any_points_is_the_definition(points: list[tuple[float, ...]]) -> None:
    assert pareto_front(points).tolist() == by_definition(points)


def test_pareto_front_many_points_is_the_definition() -> None:
    points = np.random.default_rng(0).integers(0, 60, (600, 3)).astype(float)
    expected = by_definition([tuple(point) for point in points.tolist()])
    assert 5 < len(expected) < 200
    assert pareto_front(points).tolist() == expected


def test_pareto_front_equal_points_stand_together() -> None:
    assert pareto_front([[1, 2], [2, 1], [1, 2], [2, 2]]).tolist() == [0, 1, 2]


def test_pareto_front_no_points_is_empty() -> None:
    assert pareto_front(np.zeros((0, 2))).tolist() == []


@pytest.mark.parametrize("values", [[[1.0, float("nan")]], [1.0, 2.0]])
def test_pareto_front_unusable_values_are_refused(values: list[Any]) -> None:
    with pytest.raises(ValueError, match="values must"):
        pareto_front(values)


POSITIVE = st.lists(
    st.tuples(st.floats(0.1, 100), st.floats(0.1, 100)), min_size=1, max_size=30, unique=True
)


@given(POSITIVE, st.floats(0, 0.5))
def test_within_tolerance_every_point_is_near_one_that_stays(
    points: list[tuple[float, float]], tolerance: float
) -> None:
    table = np.array(points)
    stay = within_tolerance(table, tolerance)
    assert stay[0] == 0
    for point in table:
        assert (table[stay] <= point * (1 + tolerance)).all(axis=1).any()


def test_within_tolerance_values_of_which_more_is_better_are_negative() -> None:
    assert within_tolerance([[-100.0], [-105.0], [-120.0]], 0.1).tolist() == [0, 2]


def test_knee_is_where_little_of_one_buys_much_of_the_other() -> None:
    assert knee([[1.0, 100.0], [2.0, 10.0], [100.0, 9.0]]) == 1
    assert knee([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0]]) == 1
    assert knee([[1.0, -1.0], [2.0, -90.0], [100.0, -100.0]]) == 1


def test_knee_needs_three_points_and_two_objectives() -> None:
    assert knee([[1.0, 2.0], [2.0, 1.0]]) is None
    assert knee([[1.0], [2.0], [3.0]]) is None
