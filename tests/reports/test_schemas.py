"""The shipped schemas are what the dataclasses give, and results of every kind meet them."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reports.schemas import COST_CURVES, DOCUMENT, RESULT, schemas, write_schemas
from reports.stored.files import AnyResult
from tests.reports.results import cycles
from tests.workloads.results.results import perplexity, runtime, zero_shot
from workloads.results.document import document
from workloads.results.envelope import result_to_json


def _shipped(name: str) -> Any:
    return json.loads((resources.files("reports.stored") / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [RESULT, DOCUMENT, COST_CURVES])
def test_shipped_schema_is_what_the_code_gives(name: str, tmp_path: Path) -> None:
    write_schemas(tmp_path)
    shipped = (resources.files("reports.stored") / name).read_text(encoding="utf-8")
    assert shipped == (tmp_path / name).read_text(encoding="utf-8"), "run python -m reports.schemas"
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


def test_results_and_documents_meet_the_schemas_and_others_do_not() -> None:
    cycle_results = [cycles(model, 0.5) for model in ("event", "published")]
    results: list[AnyResult] = [perplexity(), zero_shot(), runtime(), *cycle_results]
    of_result, of_document = (
        jsonschema.Draft202012Validator(_shipped(name)) for name in (RESULT, DOCUMENT)
    )
    for result in results:
        of_result.validate(result_to_json(result))
    tables = [cycles("event", 0.5).to_table()]
    of_document.validate(document(tables, results))
    value = result_to_json(results[0])
    assert not of_result.is_valid(value | {"perplexity": "20"})
    assert not of_result.is_valid(value | {"more": 1})
    assert not of_result.is_valid({k: v for k, v in value.items() if k != "sha256"})
