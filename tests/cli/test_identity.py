"""Different settings never meet in one file, and the same settings replace it."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, document, results_of, stored

ONE = ("--cycle-model", "roofline")


@pytest.fixture
def own(artifact: Path, tmp_path: Path) -> Path:
    """An artifact without results."""
    copy = tmp_path / "own"
    shutil.copytree(artifact, copy, ignore=shutil.ignore_patterns("results"))
    return copy


def _cost_table(path: Path) -> Path:
    from importlib import resources

    text = resources.files("accelerator_sim.machine") / "cost_tables" / "28nm.toml"
    path.write_text(text.read_text(encoding="utf-8").replace('"28nm"', '"other"'))
    return path


def _rows(tables: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    [table] = [table for table in tables if table["name"] == name]
    rows: list[dict[str, Any]] = table["rows"]
    return rows


def test_simulate_other_settings_stand_side_by_side_in_files_and_report(
    sslc: Run, own: Path, tmp_path: Path
) -> None:
    other = _cost_table(tmp_path / "other.toml")
    settings = (
        (),
        ("--set", "lines=16"),
        ("--set", "bits.weight=4"),
        ("--blocks", 1),
        ("--energy", other),
        ("--tokens", 2),
        ("--context", 64),
        ("--accelerator", "vitcod"),
    )
    results = [results_of(sslc("simulate", own, *ONE, *more, "--json"))[0] for more in settings]
    labels = [result["identity"]["machine"]["label"] for result in results]
    assert labels[:4] == [
        "array-64x64", "array-64x64 + lines=16", "array-64x64 + bits.weight=4", "array-64x64",
    ]  # fmt: skip
    assert len(stored(own)) == len({result["sha256"] for result in results}) == len(settings)
    assert all(f"-{r['sha256'][:8]}.json" in " ".join(stored(own)) for r in results)
    tables = document(sslc("report", own, "--json"))["tables"]
    rows = _rows(tables, "speedup")
    assert len(rows) == 2 * len(settings)
    said = [tuple(v for k, v in row.items() if not isinstance(v, float)) for row in rows]
    assert len(set(said)) == len(rows)
    assert {row["Bits W/UV/X"] for row in rows} == {"8/8/8", "4/8/8"}
    assert {row["Costs"] for row in rows} == {"28nm", "other"}
    assert {row["Blocks"] for row in rows} == {"3 of 3", "1 of 3"}


@pytest.mark.parametrize(
    "more",
    [
        ("--set", "lines=64"),
        ("--set", "clock_hz=500000000"),
        ("--blocks", 3),
        ("--energy", "28nm"),
        ("--accelerator", "array-64x64", "--tokens", 1),
    ],
)
def test_simulate_same_settings_in_other_words_replace_the_file(
    sslc: Run, own: Path, more: tuple[object, ...]
) -> None:
    [first] = results_of(sslc("simulate", own, *ONE, "--json"))
    [second] = results_of(sslc("simulate", own, *ONE, *more, "--json"))
    assert second["provenance"]["command"] != first["provenance"]["command"]
    assert list(stored(own).values()) == [second]
    assert {key for key in first if first[key] != second[key]} <= {"provenance"}


def test_simulate_artifact_by_another_path_or_moved_is_the_same(
    sslc: Run, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    moved = tmp_path / "moved"
    shutil.copytree(own, moved)
    for path in (own, Path("own"), Path(os.path.relpath(own, "/")), moved):
        monkeypatch.chdir("/" if path.parts[0] not in ("/", "own") else tmp_path)
        assert sslc("simulate", path, *ONE, "--save", tmp_path / "all").returncode == 0
    assert len(stored(tmp_path / "all")) == 1


def test_simulate_machine_file_is_labelled_by_what_was_set_on_it(
    sslc: Run, own: Path, tmp_path: Path
) -> None:
    from importlib import resources

    text = resources.files("accelerator_sim.machine") / "presets" / "vitcod.toml"
    mine = tmp_path / "mine.toml"
    mine.write_text(text.read_text(encoding="utf-8").replace('"vitcod"', '"mine"'))
    run = ("simulate", own, *ONE, "--accelerator", mine, "--json")
    labels = [
        results_of(sslc(*run, *more))[0]["identity"]["machine"]["label"]
        for more in ((), ("--set", "lines=64"), ("--set", "lines=32"))
    ]
    assert labels == ["mine", "mine", "mine + lines=32"]
    assert len(stored(own)) == 2


def test_evaluate_two_windows_stand_side_by_side_and_the_same_replaces(
    sslc: Run, own: Path
) -> None:
    cuts = ((32, 256), (64, 512), (64, 1024), (64, 512))
    for window, most in cuts:
        cut = ("--window-tokens", window, "--max-tokens", most)
        assert sslc("evaluate", own, *cut).returncode == 0
    rows = _rows(document(sslc("report", own, "--json"))["tables"], "perplexity")
    assert [(row["Window"], row["Predicted"]) for row in rows] == [
        (32, 8 * 31), (64, 8 * 63), (64, 16 * 63),
    ]  # fmt: skip
    assert len(stored(own)) == 3


def test_evaluate_stride_of_a_window_is_no_other_setting(sslc: Run, own: Path) -> None:
    cut = ("--window-tokens", 32, "--max-tokens", 256)
    for more in ((), ("--stride", 32), ("--text", "embedded"), ("--device", "cpu")):
        assert sslc("evaluate", own, *cut, *more).returncode == 0
    assert len(stored(own)) == 1


def test_results_carry_machine_workload_and_origin(sslc: Run, own: Path) -> None:
    [result] = results_of(sslc("simulate", own, *ONE, "--set", "lines=32", "--json"))
    identity, origin = result["identity"], result["provenance"]
    assert identity["machine"]["fields"]["lines"] == 32
    assert identity["machine"]["overrides"] == {"lines": 32}
    assert identity["subject"]["stored_dtype"] == "F32"
    assert identity["subject"]["settings"]["calibration"]["window_tokens"] == 32
    assert identity["workload"] | {"sha256": ""} == {
        "sha256": "", "blocks": 3, "of_blocks": 3, "tokens": 1, "context": None,
    }  # fmt: skip
    assert origin["command"].startswith("sslc simulate")
    assert "lines=32" in origin["command"]
    assert (origin["threads"], bool(origin["device"]), bool(origin["version"])) == (1, True, True)


def test_attention_saves_where_asked_and_keeps_settings_apart(sslc: Run, tmp_path: Path) -> None:
    run = ("attention", "deit-tiny", "--cycle-model", "published", "--save", tmp_path)
    for more in ((), ("--density", 0.1), ("--density", 0.05), ("--seed", 1), ("--set", "lines=32")):
        assert sslc(*run, *more).returncode == 0
    assert len(stored(tmp_path)) == 4


def test_measure_keeps_tokens_and_blocks_apart(sslc: Run, own: Path) -> None:
    for more in (("--tokens", 1), ("--tokens", 2), ("--tokens", 1, "--block", 1), ("--tokens", 1)):
        assert sslc("measure", own, "--seconds", 0.001, *more).returncode == 0
    assert len(stored(own)) == 3
