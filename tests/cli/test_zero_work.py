"""Projections that keep nothing: every command takes them, and there is no speedup."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from tests.accelerator_sim.spaces import BASE
from tests.cli.conftest import Run, by_model, results_of
from workloads.shapes.transformer import SEPARATE

EVERY_MODEL = ("published", "roofline", "event", "compiled")


def _without(llama: Path, directory: Path, names: tuple[str, ...]) -> Path:
    """The small model with some projections all zero."""
    weights = load_file(llama / "model.safetensors")
    for name, values in weights.items():
        if name.split(".")[-2] in names:
            values[:] = -0.0
    directory.mkdir()
    save_file(weights, directory / "model.safetensors")
    (directory / "config.json").write_bytes((llama / "config.json").read_bytes())
    return directory


@pytest.mark.parametrize("rank", [0, 3])
def test_simulate_mask_of_zeros_has_work_only_by_its_rank(
    sslc: Run, tmp_path: Path, rank: int
) -> None:
    np.save(tmp_path / "zero.npy", np.zeros((40, 72), bool))
    for model in EVERY_MODEL:
        ask = ("--mask", tmp_path / "zero.npy", "--rank", rank, "--tokens", 5)
        done = sslc("simulate", *ask, "--cycle-model", model, "--json", "--save", tmp_path / "out")
        [result] = results_of(done)
        [projection] = result["blocks"][0]["projections"]
        assert (projection["speedup"] is None) is (rank == 0)
        assert projection["has_work"] is (rank > 0)
        assert projection["dense_cycles"] > 0
    report = sslc("report", tmp_path / "out", "--out", tmp_path / "report")
    assert report.returncode == 0, report.stderr


@pytest.mark.parametrize("names", [("k_proj",), SEPARATE])
def test_simulate_checkpoint_with_zero_matrices_has_speedups_of_the_others(
    sslc: Run, llama: Path, tmp_path: Path, names: tuple[str, ...]
) -> None:
    pruned = _without(llama, tmp_path / "pruned", names)
    ask = ("simulate", pruned, "--blocks", 2, "--context", 9, "--save", tmp_path / "out")
    for result in by_model(sslc(*ask, "--json")).values():
        for projection in result["blocks"][1]["projections"]:
            assert (projection["speedup"] is None) is (projection["name"] in names)
        mean = result["mean_per_block"]
        assert (mean["FFN"]["speedup"] is None) is ("up_proj" in names)
        assert mean["MHA"]["speedup"] > 0  # attention is work of its own
    whole = sslc("simulate", pruned, "--whole", "--prompt", 4, "--output", 2)
    assert whole.returncode == 0, whole.stderr


def test_compress_to_nothing_is_simulated_without_speedup(
    sslc: Run, llama: Path, tmp_path: Path
) -> None:
    cut = ("--windows", 2, "--window-tokens", 16, "--method", "magnitude")
    kept = ("--kept-fraction", 0.5, "--overrides", tmp_path / "o.toml")
    (tmp_path / "o.toml").write_text("['*.mlp.*']\nkept_fraction = 0.0\n")
    done = sslc("compress", llama, "--out", tmp_path / "a", *cut, *kept)
    assert done.returncode == 0, done.stderr
    done = sslc("simulate", tmp_path / "a", "--format", "csv")
    assert done.returncode == 0, done.stderr
    for result in by_model(sslc("simulate", tmp_path / "a", "--json")).values():
        assert result["mean_per_block"]["FFN"]["speedup"] is None
        assert result["mean_per_block"]["MHA"]["speedup"] > 0


@pytest.mark.parametrize(
    "objectives", ['["speedup"]', '["cycles", "tokens_per_second"]', '["cycles"]']
)
def test_sweep_of_nothing_is_feasible_and_has_no_speedup(
    sslc: Run, tmp_path: Path, objectives: str
) -> None:
    text = BASE.replace("0.5", "0.0").replace("rank = 16", "rank = 0")
    (tmp_path / "space.toml").write_text(f"objectives = {objectives}\n{text}")
    out = tmp_path / "out"
    done = sslc("sweep", tmp_path / "space.toml", "--out", out, "--workers", 1, "--json")
    assert done.returncode == 0, done.stderr
    rows = [row for shard in (out / "shards").iterdir() for row in pq.read_table(shard).to_pylist()]
    assert all(row["feasible"] and row["cycles"] == 0 for row in rows)
    assert {row.get("speedup") for row in rows} == {None}
    front = json.loads(done.stdout)["results"][0]["front"]
    assert len(front) == (2 if objectives == '["cycles"]' else 0)
