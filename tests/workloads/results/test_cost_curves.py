import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from workloads.results.cost_curves import (
    CostCurve,
    CostCurves,
    CostPoint,
    cost_curves_schema,
    read_cost_curves,
    write_cost_curves,
)
from workloads.support.errors import InputError

POINTS = (CostPoint(0.3, 0.0, {"cycles": 30.0}), CostPoint(0.5, 0.0625, {"cycles": 51.5}))
CURVES = CostCurves((CostCurve("up_proj", {"cycles": 80.0}, POINTS),), {"tokens": 1})


def written(path: Path) -> Any:
    write_cost_curves(path, CURVES)
    return json.loads(path.read_text())


def test_file_is_read_as_it_was_written_and_meets_the_shipped_schema(tmp_path: Path) -> None:
    value = written(tmp_path / "c.json")
    assert read_cost_curves(tmp_path / "c.json") == CURVES
    shipped = resources.files("reports.stored") / "cost_curves.schema.json"
    assert json.loads(shipped.read_text(encoding="utf-8")) == cost_curves_schema()
    jsonschema.Draft202012Validator(cost_curves_schema()).validate(value)


def with_change(value: Any, path: str, new: object) -> Any:
    *way, last = path.split("/")
    place = value
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = new
    return value


@pytest.mark.parametrize(
    ("path", "new", "sentence"),
    [
        ("format", "sslc-result", "not cost curves"),
        ("version", 2, "version: must be one of 1"),
        ("more", 1, "unknown field 'more'"),
        ("curves/0/points", [], "points of 'up_proj' are missing"),
        ("curves/0/points/0/kept_fraction", 1.5, r"curves\[0\].points\[0\]: kept_fraction"),
        ("curves/0/points/0/kept_fraction", "half", "must be number"),
        ("curves/0/points/0/costs", {"cycles": -1}, "not negative, cycles is -1"),
        ("curves/0/points/0/costs", {"seconds": 1}, "other costs than dense"),
        ("curves/0/points/0", {"kept_fraction": 0.5, "rank_share": 0.0625, "costs": {"cycles": 1}},
         "a share twice"),
        ("curves/0/dense", {"cycles": "many"}, "must be number"),
        ("curves", 5, "must be a list"),
    ],
)  # fmt: skip
def test_files_of_another_form_are_refused(
    tmp_path: Path, path: str, new: object, sentence: str
) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(with_change(written(file), path, new)))
    with pytest.raises(InputError, match=sentence) as error:
        read_cost_curves(file)
    assert str(file) in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": "sslc-cost-curves"}'])
def test_files_that_hold_no_curves_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(InputError, match=r"c\.json"):
        read_cost_curves(tmp_path / "c.json")


def test_unknown_cost_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="cycles"):
        CURVES.check_cost("cycle")
