"""What is written: names that tell settings apart, one JSON document, the same in every format."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from reports.reproduce.study import Reproduced, Study, text_names
from reports.reproduce.writing import write_reproduced
from reports.schemas import schemas
from tests.reports.results import cycles
from workloads.results.table import Column, Table

RESULTS = (cycles("published", 0.5),)
TABLE = Table("table4", "Cycles", (Column("Model"), Column("Sum", ".1f")), (("m", 2.5),), ("ours",))
MADE = Reproduced((TABLE,), RESULTS)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(None, tmp_path)


def _names(made: Reproduced, study: Study) -> set[str]:
    return {path.name for path in write_reproduced({"table4": made}, study, study.directory)}


def test_write_reproduced_the_same_results_replace_what_is_there(study: Study) -> None:
    first = _names(MADE, study)
    renamed = replace(RESULTS[0].provenance, command="another", created="2030-01-01T00:00:00Z")
    again = Reproduced((TABLE,), (replace(RESULTS[0], provenance=renamed),))
    assert _names(again, study) == first == {path.name for path in study.directory.iterdir()}
    (document,) = (study.directory / name for name in first if name.endswith(".json"))
    assert json.loads(document.read_text())["results"][0]["provenance"]["command"] == "another"


def test_write_reproduced_other_identity_or_published_model_has_other_files(study: Study) -> None:
    first = _names(MADE, study)
    identity = RESULTS[0].identity
    workload = replace(identity.workload, tokens=2)
    other = Reproduced(
        (TABLE,), (replace(RESULTS[0], identity=replace(identity, workload=workload)),)
    )
    assert not first & _names(other, study)
    assert not first & _names(MADE, replace(study, published="llama3-8b"))


def test_write_reproduced_json_is_one_document_of_the_shipped_schema(study: Study) -> None:
    second = replace(TABLE, name="table4-curve")
    paths = write_reproduced(
        {"table4": Reproduced((TABLE, second), RESULTS)}, study, study.directory
    )
    (path,) = [path for path in paths if path.suffix == ".json"]
    kept = json.loads(path.read_text())
    jsonschema.Draft202012Validator(schemas()["document.schema.json"]).validate(kept)
    assert [table["name"] for table in kept["tables"]] == ["table4", "table4-curve"]
    assert [result["kind"] for result in kept["results"]] == ["cycles"]
    sheets = [path for path in paths if path.suffix == ".csv"]
    assert len(sheets) == 2
    for sheet in sheets:
        assert list(csv.DictReader(io.StringIO(sheet.read_text()))) == [
            {"Model": "m", "Sum": "2.5"}
        ]


def test_text_names_of_files_with_one_name_are_their_paths() -> None:
    texts = ("a/x.txt", "b/x.txt", "c/y.txt", "halves:d/z.txt", "embedded")
    assert list(text_names(texts).values()) == [
        "a/x.txt", "b/x.txt", "y.txt", "halves:z.txt", "embedded",
    ]  # fmt: skip


def test_write_reproduced_files_bear_the_name_that_people_gave(study: Study) -> None:
    names = _names(MADE, replace(study, name="My model/7B"))
    assert all("My-model-7B" in name for name in names if name.startswith("table4-"))
