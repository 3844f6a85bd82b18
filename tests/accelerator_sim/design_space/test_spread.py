"""How far objectives move by one parameter, against sums by hand."""

import pyarrow as pa
import pytest

from accelerator_sim.design_space.spread import mean_changes


def _points(*rows: tuple[object, ...]) -> pa.Table:
    names = ("method", "rank", "lines", "feasible", "seconds")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


POINTS = _points(
    ("a", None, 1, True, 10.0),
    ("a", None, 2, True, 5.0),
    ("b", 1, 1, True, 8.0),
    ("b", 1, 2, True, 2.0),
    ("b", 3, 1, True, 4.0),
    ("b", 3, 2, False, None),
)
PARAMETERS = ("method", "rank", "lines")


def _change(parameter: str, points: pa.Table = POINTS) -> float | None:
    own = {"method": ["rank"]}
    return mean_changes(points, parameter, ["seconds"], parameters=PARAMETERS, own=own)["seconds"]


def test_mean_changes_weighs_groups_alike_and_leaves_out_those_of_one_value() -> None:
    assert _change("lines") == pytest.approx(((10 - 5) / 5 + (8 - 2) / 2) / 2)
    assert _change("rank") == pytest.approx((8 - 4) / 4)


def test_mean_changes_of_a_method_takes_the_mean_over_settings_that_others_lack() -> None:
    one_line, two_lines = (10 - (8 + 4) / 2) / 6, (5 - 2) / 2
    assert _change("method") == pytest.approx((one_line + two_lines) / 2)


def test_mean_changes_is_none_without_two_values_and_zero_where_nothing_moves() -> None:
    assert _change("method", POINTS.slice(0, 2)) is None
    assert _change("lines", _points(("a", 1, 1, True, 0.0), ("a", 1, 2, True, 0.0))) == 0.0
