"""``sslc show``: what commands left behind, told apart and counted."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, document


def details(sslc: Run, path: Path) -> dict[str, Any]:
    found = document(sslc("show", path, "--json"))["details"]
    assert isinstance(found, dict)
    return found


def test_show_artifact_counts_what_is_kept(sslc: Run, artifact: Path) -> None:
    shown = details(sslc, artifact)
    assert shown["kind"] == "artifact"
    assert shown["artifact"]["blocks"] == 3
    assert shown["artifact"]["kept_share"] == pytest.approx(0.5, abs=0.01)
    assert "self_attn.q_proj" in sslc("show", artifact).stdout


def test_show_results_says_who_made_them(sslc: Run, artifact: Path, tmp_path: Path) -> None:
    out = tmp_path / "cycles"
    done = sslc("simulate", artifact, "--cycle-model", "published", "--save", out)
    assert done.returncode == 0, done.stderr
    (result,) = details(sslc, out)["results"]
    assert result["kind"] == "cycles"
    assert result["command"].startswith(f"sslc simulate {artifact}")
    assert "analytic (published)" in result["about"]
    (file,) = (out / "results").iterdir()
    alone = details(sslc, file)
    assert alone["kind"] == "result"
    assert alone["results"] == [result]
    above = details(sslc, tmp_path)
    assert above["kind"] == "folder"
    assert above["inside"] == [{"path": str(out), "kind": "results", "results": 1}]


def test_show_checkpoint_unfinished_run_and_accelerator(
    sslc: Run, llama: Path, tmp_path: Path
) -> None:
    assert details(sslc, llama)["kind"] == "checkpoint"
    partial = tmp_path / "a.partial"
    partial.mkdir()
    (partial / "progress.json").write_text("{}")
    assert details(sslc, partial)["kind"] == "unfinished"
    machine = tmp_path / "mine.toml"
    machine.write_text(sslc("list", "accelerators", "--toml", "vitcod").stdout)
    assert details(sslc, machine)["kind"] == "accelerator"


def test_show_space_study_and_report(sslc: Run, artifact: Path, tmp_path: Path) -> None:
    for kind, names, name in (("space", "spaces", "llama2-7b"), ("study", "studies", "tiny")):
        file = tmp_path / f"{kind}.toml"
        file.write_text(sslc("list", names, "--toml", name).stdout)
        assert details(sslc, file)["kind"] == kind
    out, report = tmp_path / "cycles", tmp_path / "report"
    for command in (
        ("simulate", artifact, "--cycle-model", "published", "--save", out),
        ("report", out, "--out", report),
    ):
        done = sslc(*command)
        assert done.returncode == 0, done.stderr
    assert details(sslc, report)["kind"] == "report"
    assert "index.html" in sslc("show", report).stdout


def test_show_refuses_what_is_not_ours_or_damaged(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    copy = tmp_path / "copy"
    shutil.copytree(artifact, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["dtype"] = "F16"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "note.json").write_text("[]")
    for path, message in (
        (tmp_path / "nowhere", "no such file"),
        (empty, "nothing of sslc"),
        (copy, "manifest.json"),
        (tmp_path / "note.json", "neither a result"),
    ):
        done = sslc("show", path)
        assert (done.returncode, done.stdout) == (2, ""), path
        assert message in done.stderr
