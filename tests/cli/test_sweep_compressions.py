"""``sslc sweep`` of compressed models and machines, as a user runs it, kills it and enlarges it."""

import itertools
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import accelerator_sim
import sslc as face
from reports.codesign import compressed_models, model_quality
from tests.cli.conftest import Run, document, kill_when, results_of
from workloads.artifact.read import open_artifact

SPACE = """
accelerator = "array-64x64"
cycle_model = "published"
objectives = ["perplexity", "tokens_per_second", "stored_bits"]

[compression]
model = "{model}"
method = ["magnitude", "sslc"]
kept_fraction = [0.4, 0.5]
calibration = "{calibration}"
windows = 2
window_tokens = 32
text = "{text}"
text_window_tokens = 64
max_tokens = 256

[compression.sslc]
rank_share = 0.1
iterations = 2

[fields]
lines = [16, 64]
"""


@dataclass
class Made:
    """What was compressed and evaluated since somebody looked."""

    compressed: list[str]
    evaluated: list[str]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    seen = Made([], [])

    def compressing(model: str, out: Path, **options: Any) -> Any:
        seen.compressed.append(out.name)
        return face.compress(model, out, **options)

    def evaluating(model: Any, **options: Any) -> Any:
        seen.evaluated.append(getattr(model, "path", Path("dense")).name)
        return face.evaluate(model, **options)

    monkeypatch.setattr(compressed_models, "compress", compressing)
    monkeypatch.setattr(model_quality, "evaluate", evaluating)
    return seen


@pytest.fixture(scope="module")
def text(llama: Path, short_texts: tuple[Path, Path]) -> str:
    return SPACE.format(model=llama, calibration=short_texts[0], text=short_texts[1])


@pytest.fixture(scope="module")
def whole(sslc: Run, text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep, which is copied and never changed."""
    folder = tmp_path_factory.mktemp("whole")
    done = sslc("sweep", _space(folder, text), "--out", folder / "out", "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "Pareto front of llama0 on array-64x64: Perplexity, Tokens/s" in done.stdout
    assert "Change of each objective by parameter" in done.stdout
    return folder / "out"


def _space(folder: Path, text: str) -> Path:
    path = folder / "space.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _rows(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "shards" / "000000.parquet").to_pylist()
    return rows


def _by_hand(out: Path, text: Path) -> Iterator[tuple[tuple[Any, ...], tuple[float, float, float]]]:
    """Every artifact on every machine through the other commands: less is better in each value."""
    for folder in sorted((out / "artifacts").iterdir()):
        artifact = open_artifact(folder)
        settings = artifact.settings.method["settings"]
        perplexity = face.evaluate(artifact, text=str(text), window_tokens=64, max_tokens=256)
        records = [record for block in artifact.blocks for record in block.projections]
        bits = sum(
            r.m * -(-r.n // 8) * 8 + 32 * (r.nonzeros + r.rank * (r.m + r.n)) for r in records
        ) / sum(r.m * r.n for r in records)
        for lines in (16, 64):
            run = accelerator_sim.simulate(
                artifact, models="published", overrides={"lines": lines}
            )["published"]
            cycles = sum(part.sum_cycles for part in run.total.values())
            key = (artifact.settings.method["name"], settings["kept_fraction"], lines)
            yield key, (perplexity.perplexity, cycles, bits)


def test_front_is_that_of_brute_force_over_the_other_commands(
    whole: Path, short_texts: tuple[Path, Path]
) -> None:
    points = dict(_by_hand(whole, short_texts[1]))
    assert len(points) == 8
    best = {
        key
        for key, value in points.items()
        if not any(
            all(a <= b for a, b in zip(other, value, strict=True)) and other != value
            for other in points.values()
        )
    }
    [result] = [json.loads(path.read_text()) for path in (whole / "results").glob("sweep-*.json")]
    front = {(row["method"], row["kept_fraction"], row["lines"]) for row in result["front"]}
    assert front == best
    assert 0 < len(best) < 8
    for row in _rows(whole):
        perplexity, _, bits = points[row["method"], row["kept_fraction"], row["lines"]]
        assert (row["perplexity"], row["stored_bits"]) == pytest.approx((perplexity, bits))


def test_finished_sweep_makes_nothing_again_and_adding_values_makes_only_the_new(
    sslc: Run, whole: Path, text: str, tmp_path: Path, made: Made
) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    before = {path: path.stat().st_mtime_ns for path in _kept(out)}
    again = sslc("sweep", _space(tmp_path, text), "--out", out, "--workers", 1)
    assert again.returncode == 0, again.stderr
    assert made == Made([], [])
    larger = text.replace("[0.4, 0.5]", "[0.4, 0.5, 0.6]").replace("[16, 64]", "[16, 32, 64]")
    space = _space(tmp_path, larger)
    dry = document(sslc("sweep", space, "--out", out, "--workers", 1, "--dry-run", "--json"))
    counts = dry["details"]
    assert (counts["points"], counts["finished"]) == (18, 8)
    assert (counts["compressions"], counts["compressed"], counts["evaluations"]) == (2, 4, 2)
    done = sslc("sweep", space, "--out", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert len(made.compressed) == len(made.evaluated) == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    fresh = [path for path in _kept(out) if path not in before and path.parent.name == "shards"]
    numbers = [number for path in fresh for number in pq.read_table(path)["lines"].to_pylist()]
    assert sorted(numbers) == [16] * 2 + [32] * 6 + [64] * 2  # of the two new models, all lines
    combinations = {(r["method"], r["kept_fraction"], r["lines"]) for r in _rows(out)}
    expected = itertools.product(("magnitude", "sslc"), (0.4, 0.5, 0.6), (16, 32, 64))
    assert combinations == set(expected)
    assert sslc("report", out, "--out", tmp_path / "page").returncode == 0


def _kept(out: Path) -> list[Path]:
    """Files that are finished once: tensors, manifests, perplexities, shards of the machines."""
    patterns = ("blocks/*", "manifest.json", "results/*")
    models = [path for each in patterns for path in out.glob(f"artifacts/*/{each}")]
    return [*models, *out.glob("sweeps/*/*/*/shards/*")]


def test_killed_sweep_goes_on_without_repeating_what_was_finished(
    sslc: Run, whole: Path, text: str, tmp_path: Path, made: Made
) -> None:
    space, out = _space(tmp_path, text), tmp_path / "killed"
    finished = f"artifacts/*-{'?' * 16}/manifest.json"  # and not those of *.partial

    def two_are_finished() -> bool:
        time.sleep(0.02)  # looking takes processor time from the run
        return len(list(out.glob(finished))) >= 2

    kill_when(two_are_finished, "sweep", space, "--out", out, "--workers", 1)
    before = {path: path.stat().st_mtime_ns for path in out.glob(finished)}
    evaluated = list(out.glob("artifacts/*/results/perplexity-*.json"))
    assert 2 <= len(before) < 4
    done = sslc("sweep", space, "--out", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert len(made.compressed) == 4 - len(before)
    assert len(made.evaluated) == 4 - len(evaluated)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert _rows(out) == _rows(whole)


def test_models_that_cannot_be_on_the_front_are_not_evaluated(
    sslc: Run, whole: Path, text: str, tmp_path: Path, made: Made
) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    for path in out.glob("artifacts/*/results/*.json"):
        path.unlink()
    bits = sorted({row["stored_bits"] for row in _rows(whole)})
    limit = f"[constraints]\nstored_bits = {{ most = {bits[0] + 0.01} }}\n"
    relative = "perplexity = { most_times_dense = 1000 }\n"
    done = sslc("sweep", _space(tmp_path, text + limit + relative), "--out", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert len(made.evaluated) == 3  # two models of 0.4, and the dense one
    assert made.evaluated[-1] == "dense"
    assert "2 models not evaluated" in done.stdout
    kept = {row["kept_fraction"]: row["perplexity"] is not None for row in _rows(out)}
    assert kept == {0.4: True, 0.5: False}
    dense = [json.loads(p.read_text()) for p in (out / "results").glob("perplexity-*.json")]
    sweep = [json.loads(p.read_text()) for p in (out / "results").glob("sweep-*.json")]
    bounds = next(s["identity"]["constraints"] for s in sweep if s["identity"]["constraints"])
    assert bounds["perplexity"]["most"] == pytest.approx(1000 * dense[0]["perplexity"])


def test_budgets_that_do_not_fit_are_infeasible_and_values_that_never_do_are_refused(
    sslc: Run, text: str, tmp_path: Path, made: Made
) -> None:
    cheap = text.replace('"perplexity", ', "").replace('["magnitude", "sslc"]', '"magnitude"')
    cheap = cheap.partition("[compression.sslc]")[0] + "[fields]\nlines = 16\n"
    grouped = cheap.replace("windows =", 'group = ["row", "2:4"]\nwindows =')
    space = _space(tmp_path, grouped)
    done = sslc("sweep", space, "--out", tmp_path / "out", "--workers", 1, "--json")
    [result] = results_of(done)
    assert (result["points"], result["infeasible"]) == (4, 1)
    assert "2:4 and rank 0 keep 0.5000" in result["infeasible_reasons"][0]["reason"]
    assert (len(made.compressed), made.evaluated) == (3, [])
    never = _space(tmp_path, grouped.replace("[0.4, 0.5]", "0.4"))
    done = sslc("sweep", never, "--out", tmp_path / "never", "--workers", 1)
    assert done.returncode == 2
    assert "group = 2:4: " in done.stderr
    assert not (tmp_path / "never").exists()


def test_shares_divide_the_models_and_the_last_gives_the_front(
    sslc: Run, whole: Path, text: str, tmp_path: Path, made: Made
) -> None:
    space, out = _space(tmp_path, text), tmp_path / "out"
    shutil.copytree(whole, out)
    for model in sorted((out / "artifacts").iterdir())[:2]:
        shutil.rmtree(model)
        shutil.rmtree(out / "sweeps" / model.name)
    first = sslc("sweep", space, "--out", out, "--workers", 1, "--shard", "1/2")
    assert (first.returncode, first.stdout) == (0, "")
    assert "2 points of others are missing" in first.stderr
    assert len(made.compressed) == 1
    last = sslc("sweep", space, "--out", out, "--workers", 1, "--shard", "2/2")
    assert last.returncode == 0, last.stderr
    assert len(made.compressed) == 2
    assert "Pareto front of llama0" in last.stdout
    assert _rows(out) == _rows(whole)


def test_directory_of_something_else_is_refused(sslc: Run, text: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = sslc("sweep", _space(tmp_path, text), "--out", tmp_path)
    assert done.returncode == 2
    assert "not empty; give another --out" in done.stderr
