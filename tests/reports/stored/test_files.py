"""Results as files: written, read back, and refused where they are not whole."""

import dataclasses
import json
from pathlib import Path

import pytest

from reports.stored.files import KINDS, AnyResult, load_results, save_result
from tests.reports.results import cycles
from tests.workloads.results.results import perplexity, runtime, zero_shot
from workloads.support.errors import InputError


def test_save_result_of_each_kind_is_read_back_equal(tmp_path: Path) -> None:
    results: list[AnyResult] = [perplexity(), zero_shot(), runtime(), cycles("event", 0.5)]
    paths = [save_result(tmp_path, result) for result in results]
    assert {path.parent for path in paths} == {tmp_path / "results"}
    loaded = load_results(tmp_path)
    assert len(loaded) == len(results)
    assert all(result in loaded for result in results)


def test_save_result_other_identity_stands_beside_and_same_replaces(tmp_path: Path) -> None:
    first, other = cycles("roofline", 0.5), cycles("roofline", 0.5, of_blocks=4)
    again = dataclasses.replace(
        first, provenance=dataclasses.replace(first.provenance, command="another")
    )
    paths = [save_result(tmp_path, result) for result in (first, other, again)]
    assert paths[0] == paths[2] != paths[1]
    assert {result.provenance.command for result in load_results(tmp_path)} == {
        "another", first.provenance.command,
    }  # fmt: skip


def test_load_results_of_nothing_or_of_an_older_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results yet"):
        load_results(tmp_path)
    path = save_result(tmp_path, perplexity())
    value = json.loads(path.read_text())
    del value["format"]
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match="run `sslc evaluate` to make it anew"):
        load_results(tmp_path)


def test_kinds_have_names_of_their_own() -> None:
    assert len({kind.KIND for kind in KINDS}) == len(KINDS)
