"""Every stage from the command line, each reading what the one before it wrote."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL_CUT, Run, by_model, document, results_of, stored
from workloads.artifact.read import open_artifact
from workloads.support.devices import cpu_name


def test_compress_prints_what_each_projection_kept(sslc: Run, llama: Path, tmp_path: Path) -> None:
    out = tmp_path / "a"
    done = sslc(
        "compress", llama, "--out", out, *SMALL_CUT, "--kept-fraction", "0.4",
        "--set", "iterations=2", "--rank-share", "0.1", "--json",
    )  # fmt: skip
    summary = document(done)["details"]
    assert summary["subject"]["settings"]["iterations"] == 2
    assert summary["kept_share"] == pytest.approx(0.4, abs=1e-4)
    artifact = open_artifact(out)
    kept = sum(r.nonzeros for block in artifact.blocks for r in block.projections)
    assert summary["nonzeros"] == kept


def test_evaluate_artifact_and_dense_leave_results(
    sslc: Run, llama: Path, artifact: Path, tmp_path: Path
) -> None:
    for model in (artifact, llama):
        cut = ("--window-tokens", 64, "--max-tokens", 640)
        [result] = results_of(sslc("evaluate", model, *cut, "--save", tmp_path, "--json"))
        assert result["predicted_tokens"] == 10 * 63
        assert result in stored(tmp_path).values()
    assert len(stored(tmp_path)) == 2


def test_simulate_three_models_agree_on_what_must_hold(sslc: Run, artifact: Path) -> None:
    results = by_model(sslc("simulate", artifact, "--tokens", 4, "--json"))
    assert set(results) == {"published", "roofline", "event"}
    event, bound = results["event"], results["roofline"]
    assert len(event["blocks"]) == 3
    for module in ("MHA", "FFN"):
        for part in ("dense_cycles", "sparse_cycles", "sum_cycles"):
            assert event["mean_per_block"][module][part] >= bound["mean_per_block"][module][part]
            mean = event["total"][module][part] / 3
            assert event["mean_per_block"][module][part] == pytest.approx(mean)


def test_simulate_published_sparse_is_counted_from_the_masks(sslc: Run, artifact: Path) -> None:
    [result] = results_of(sslc("simulate", artifact, "--cycle-model", "published", "--json"))
    block = open_artifact(artifact).blocks[0]
    expected = sum(-(-r.nonzeros // 4096) for r in block.projections if r.module == "FFN")
    assert result["blocks"][0]["modules"]["FFN"]["sparse_cycles"] == expected


def test_measure_reports_every_projection(sslc: Run, artifact: Path) -> None:
    tokens = ("--tokens", 1, "--tokens", 8)
    [result] = results_of(sslc("measure", artifact, "--seconds", 0.001, *tokens, "--json"))
    assert len(result["projections"]) == 14
    assert result["identity"]["device"]["name"] == cpu_name()
    for entry in result["projections"]:
        assert {"torch dense", "kernel cpu"} <= {one["backend"] for one in entry["runtimes"]}
        assert min(one["lower_quartile_seconds"] for one in entry["runtimes"]) > 0


@pytest.fixture
def finished(sslc: Run, artifact: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "finished"
    shutil.copytree(artifact, copy, ignore=shutil.ignore_patterns("results"))
    for stage in (["evaluate"], ["simulate"], ["measure", "--seconds", 0.001]):
        done = sslc(stage[0], copy, *stage[1:])
        assert done.returncode == 0, done.stderr
    return copy


def test_report_writes_the_same_numbers_in_every_format(
    sslc: Run, finished: Path, tmp_path: Path
) -> None:
    done = sslc("report", finished, "--out", tmp_path / "tables")
    assert done.returncode == 0, done.stderr
    for title in ("Perplexity", "Cycles of one block", "Measured runtime"):
        assert title in done.stdout
    kinds = ("perplexity", "speedup", "runtime")
    styles = ("txt", "md", "tex", "csv", "json")
    names = [f"{kind}.{style}" for kind in kinds for style in styles]
    text = {name: (tmp_path / "tables" / name).read_text() for name in names}
    rows = list(csv.DictReader(io.StringIO(text["speedup.csv"])))
    same = json.loads(text["speedup.json"])["rows"]
    assert [float(row["Sum"]) for row in rows] == [row["Sum"] for row in same]
    assert [row["Cycles are"] for row in rows[::2]] == [
        "analytic (published)",
        "analytic (roofline)",
        "simulated (event)",
    ]
    assert r"\toprule" in text["speedup.tex"]
    assert f"{same[0]['Sum']:,.1f}" in text["speedup.md"]


def test_export_writes_a_checkpoint_that_evaluates(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    said = document(sslc("export", artifact, "--out", tmp_path / "dense", "--json"))
    assert said["details"] == {"path": str(tmp_path / "dense"), "layout": "dense"}
    cut = ("--window-tokens", 64, "--max-tokens", 640)
    ours, dense = (
        results_of(sslc("evaluate", path, *cut, "--json"))[0]
        for path in (artifact, tmp_path / "dense")
    )
    assert dense["perplexity"] == pytest.approx(ours["perplexity"], rel=1e-5)


@pytest.mark.parametrize("kind", ["models", "methods", "accelerators"])
def test_list_names_every_preset(sslc: Run, kind: str) -> None:
    [table] = document(sslc("list", kind, "--json"))["tables"]
    names = [next(iter(row.values())) for row in table["rows"]]
    expected = {
        "models": "qwen2.5-7b",
        "methods": "sslc",
        "accelerators": "vitcod",
    }[kind]
    assert expected in names


@pytest.mark.parametrize(
    "name",
    [
        "compress",
        "recover",
        "evaluate",
        "simulate",
        "attention",
        "sweep",
        "measure",
        "report",
        "reproduce",
        "export",
        "list",
        "demo",
    ],
)
def test_help_of_every_command_shows_an_example(sslc: Run, name: str) -> None:
    done = sslc(name, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout
    assert f"Example: sslc {name}" in " ".join(done.stdout.split())
