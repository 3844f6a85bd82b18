"""``sslc sweep`` as a user runs it, and what a SIGKILL leaves of it."""

import csv
import io
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.accelerator_sim.design_space.test_evaluation import TIGHT, shards
from tests.accelerator_sim.spaces import BASE, FIELDS
from tests.cli.conftest import Run, command, document, results_of, stored

SLOW = BASE.replace("published", "event").replace("batch_points = 3", "batch_points = 1") + (
    "[fields]\ntile.rows = 64\ntile.columns = 64\nlines = [16, 32, 64]\nmacs_per_line = [8, 64]\n"
)


def _space(folder: Path, text: str) -> Path:
    path = folder / "space.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_sweep_writes_shards_front_and_figure(sslc: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    objectives = 'objectives = ["cycles", "speedup"]\n'
    done = sslc("sweep", _space(tmp_path, objectives + BASE + FIELDS), "--out", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "Pareto front of smollm2-135m on array-64x64: Cycles, Speedup" in done.stdout
    assert "sweep: 12/12" in done.stderr
    [found] = stored(out).values()
    rows = [row for path in sorted((out / "shards").iterdir()) for row in _rows(path)]
    assert len(rows) == found["points"] == 12
    for row in rows:
        rivals = [other for other in rows if other["tokens"] == row["tokens"]]
        beaten = any(
            other["cycles"] <= row["cycles"]
            and other["speedup"] >= row["speedup"]
            and (other["cycles"], other["speedup"]) != (row["cycles"], row["speedup"])
            for other in rivals
        )
        assert beaten == (row["point"] not in [best["point"] for best in found["front"]])
    table = list(csv.DictReader(io.StringIO((out / "front.csv").read_text())))
    assert [int(row["Point"]) for row in table] == [row["point"] for row in found["front"]]
    moved = list(csv.DictReader(io.StringIO((out / "sensitivity.csv").read_text())))
    assert [row["Parameter"] for row in moved] == ["tokens", "lines", "dense_threshold"]
    assert (out / "front.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "front.svg").read_text()


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def test_sweep_json_says_what_it_swept(sslc: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = sslc("sweep", _space(tmp_path, TIGHT), "--out", out, "--workers", 1, "--json")
    [found] = results_of(done)
    identity = found["identity"]
    assert found["basis"] == "simulated (event)"
    assert identity["workload"]["masks"] == "synthetic (wanda-lognormal, seed 0)"
    assert identity["objectives"] == ["seconds", "energy_pj"]
    assert found["infeasible"] == 2
    assert "would fit" in found["infeasible_reasons"][0]["reason"]
    assert list(stored(out).values()) == [found]


def test_sweep_one_objective_and_nothing_feasible_still_end_well(sslc: Run, tmp_path: Path) -> None:
    one = 'objectives = ["cycles"]\n' + BASE + FIELDS
    done = sslc("sweep", _space(tmp_path, one), "--out", tmp_path / "one", "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one" / "front.png").is_file()
    none = TIGHT.replace("[64, 4096]", "4096")
    done = sslc("sweep", _space(tmp_path, none), "--out", tmp_path / "none", "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "2 points are infeasible" in done.stdout
    assert not (tmp_path / "none" / "front.png").exists()


def test_sweep_dry_run_counts_and_writes_nothing(sslc: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    space = _space(tmp_path, BASE + FIELDS)
    done = sslc("sweep", space, "--out", out, "--dry-run", "--workers", 2, "--json")
    found = document(done)["details"]
    assert (found["points"], found["workers"]) == (12, 2)
    assert found["seconds"] > 0
    assert not out.exists()


def test_sweep_artifact_uses_its_real_masks(sslc: Run, artifact: Path, tmp_path: Path) -> None:
    head = BASE.partition("[workload]")[0]
    text = f'{head}[workload]\nartifact = "{artifact}"\nblocks = 2\n[fields]\nlines = [1, 2]\n'
    out = tmp_path / "out"
    done = sslc("sweep", _space(tmp_path, text), "--out", out, "--workers", 1, "--json")
    [result] = results_of(done)
    assert result["identity"]["workload"] == {
        "artifact": artifact.name, "blocks": 2, "masks": "real",
    }  # fmt: skip
    cycles = sslc("simulate", artifact, "--blocks", 2, "--cycle-model", "published", "--json",
                  "--set", "lines=2")  # fmt: skip
    [simulated] = results_of(cycles)
    total = sum(module["sum_cycles"] for module in simulated["total"].values())
    rows = [row for path in sorted((out / "shards").iterdir()) for row in _rows(path)]
    assert rows[1]["cycles"] == pytest.approx(total)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lines =", "lins =", "did you mean lines"),
        ("published", "evnt", "cycle_model must be one of"),
        ("[fields]", "[fields", "space.toml"),
    ],
)
def test_sweep_bad_space_is_refused(
    sslc: Run, tmp_path: Path, old: str, new: str, message: str
) -> None:
    space = _space(tmp_path, (BASE + FIELDS).replace(old, new))
    done = sslc("sweep", space, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_sweep_shards_are_told_what_is_missing_and_the_last_gives_the_front(
    sslc: Run, tmp_path: Path
) -> None:
    space, out = _space(tmp_path, BASE + FIELDS), tmp_path / "out"
    first = sslc("sweep", space, "--out", out, "--workers", 1, "--shard", "2/2")
    assert (first.returncode, first.stdout) == (0, "")
    assert "shard 2/2 is finished; 6 points of others are missing" in first.stderr
    assert not (out / "front.csv").exists()
    last = sslc("sweep", space, "--out", out, "--workers", 1, "--shard", "1/2")
    assert last.returncode == 0, last.stderr
    whole = sslc("sweep", space, "--out", tmp_path / "whole", "--workers", 1)
    assert last.stdout == whole.stdout.replace(str(tmp_path / "whole"), str(out))
    assert (out / "front.csv").read_bytes() == (tmp_path / "whole" / "front.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "3/2"], "i from 1 to N, such as 1/4; got 3/2"),
        (["--shard", "half"], "--shard must be i/N such as 1/4, got 'half'"),
        (["--backend", "dask"], "--backend dask needs --scheduler HOST:PORT"),
        (["--backend", "ray"], "--backend ray needs --address HOST:PORT"),
        (["--scheduler", "host:1"], "--scheduler belongs to --backend dask"),
        (
            ["--backend", "dask", "--scheduler", "h:1", "--address", "h:1"],
            "belongs to --backend ray",
        ),
        (["--dry-run", "--shard", "1/2"], "--dry-run times the whole space on this machine"),
        (["--backend", "rays"], "unknown backend 'rays': did you mean ray"),
    ],
)
def test_sweep_wrong_cluster_options_are_refused(
    sslc: Run, tmp_path: Path, options: list[str], message: str
) -> None:
    done = sslc("sweep", _space(tmp_path, BASE + FIELDS), "--out", tmp_path / "out", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def _finished(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (out / "shards").glob("*.parquet")}


@pytest.mark.parametrize("workers", [1, 2])
def test_sweep_killed_and_restarted_repeats_no_finished_batch(
    sslc: Run, tmp_path: Path, workers: int
) -> None:
    space, out = _space(tmp_path, SLOW), tmp_path / "killed"
    process = subprocess.Popen(
        command("sweep", space, "--out", out, "--workers", workers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(_finished(out)) < 2:
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = _finished(out)
    assert 2 <= len(before) < 12
    done = sslc("sweep", space, "--out", out, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert f"sweep: {len(before)}/12" in done.stderr
    after = _finished(out)
    assert len(after) == 12
    assert {name: after[name] for name in before} == before
    whole = sslc("sweep", space, "--out", tmp_path / "whole", "--workers", 1)
    assert whole.returncode == 0, whole.stderr
    assert shards(out) == shards(tmp_path / "whole")
