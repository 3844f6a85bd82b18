"""The Pareto front against its definition, checked pair by pair."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelerator_sim.design_space.pareto import pareto_front

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
