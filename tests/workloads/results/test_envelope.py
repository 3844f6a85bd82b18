from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from tests.workloads.results.results import PROVENANCE, TEXT, perplexity, runtime, zero_shot
from workloads.results.envelope import file_name, result_from_json, result_schema, result_to_json
from workloads.results.identity import Provenance
from workloads.results.kinds import PerplexityResult, Result, ZeroShotResult
from workloads.results.runtime import RuntimeResult
from workloads.support.errors import InputError

KINDS = (PerplexityResult, ZeroShotResult, RuntimeResult)


@pytest.mark.parametrize("result", [perplexity(), zero_shot(), runtime()])
def test_result_written_and_read_is_the_same_and_fits_the_schema(result: Result) -> None:
    written = result_to_json(result)
    jsonschema.validate(written, result_schema(KINDS))
    assert result_from_json(written, KINDS, "f.json") == result


def test_file_name_follows_identity_and_not_provenance() -> None:
    first = perplexity()
    later = replace(first, provenance=Provenance("9.9.9", None, "python", "2030-01-01T00:00:00Z"))
    other_value = replace(first, perplexity=1.0)
    longer = perplexity(text=replace(TEXT, window_tokens=128))
    assert file_name(first) == file_name(later) == file_name(other_value)
    assert file_name(first) != file_name(longer)
    assert file_name(first).startswith("perplexity-embedded-")


def test_file_name_hostile_text_stays_a_short_file_name() -> None:
    name = file_name(perplexity(text=replace(TEXT, source="../../é\n" + "x" * 300)))
    assert "/" not in name
    assert name.isascii()
    assert len(name) < 120


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 1}, "make it anew"),
        ({"kind": "other"}, "kind must be one of"),
        ({"sha256": "00"}, "sha256 is not that of its identity"),
        ({"perplexity": "12"}, "perplexity: must be number"),
        ({"more": 1}, "unknown field 'more'"),
    ],
)
def test_result_from_json_damage_is_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        result_from_json(result_to_json(perplexity()) | change, KINDS, "f.json")


def test_result_from_json_old_form_says_which_command_makes_it_anew() -> None:
    old = {"kind": "cycles", "subject": {"model": "m"}, "blocks": []}
    with pytest.raises(InputError, match="run `sslc simulate`"):
        result_from_json(old, KINDS, "f.json")


def test_result_from_json_changed_setting_is_refused() -> None:
    written = result_to_json(perplexity())
    written["identity"]["text"]["window_tokens"] = 128
    with pytest.raises(InputError, match="sha256"):
        result_from_json(written, KINDS, "f.json")


def test_provenance_is_not_part_of_the_schema_s_freedom() -> None:
    written = result_to_json(replace(perplexity(), provenance=PROVENANCE))
    del written["provenance"]["version"]
    with pytest.raises(InputError, match="field 'version' is missing"):
        result_from_json(written, KINDS, "f.json")
