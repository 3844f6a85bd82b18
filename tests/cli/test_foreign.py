"""``sslc simulate`` on what others pruned: a checkpoint's zeros, or one mask."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from accelerator_sim.machine.catalog import load_accelerator
from tests.accelerator_sim.machines import block_by
from tests.cli.conftest import Run, by_model, results_of, stored
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.results.codec import to_json
from workloads.shapes.gemm import Gemm
from workloads.shapes.transformer import PROJECTION_MODULES


def test_simulate_pruned_checkpoint_counts_its_nonzeros(sslc: Run, pruned: Path) -> None:
    done = sslc("simulate", pruned, "--json", "--tokens", 2)
    results = by_model(done)
    assert set(results) == {"published", "roofline", "event"}
    weights = load_file(pruned / "model.safetensors")
    for index in range(3):
        for projection in results["published"]["blocks"][index]["projections"]:
            name = projection["name"]
            part = "self_attn" if PROJECTION_MODULES[name] == "MHA" else "mlp"
            kept = np.count_nonzero(weights[f"model.layers.{index}.{part}.{name}.weight"])
            assert projection["sparse_cycles"] == -(-2 * kept // 4096)
            assert projection["low_rank_cycles"] == 0
    subject = results["event"]["identity"]["subject"]
    assert subject["masks"] == f"real ({pruned.name})"
    assert subject["model"] == pruned.name
    assert subject["kept_fraction"] == pytest.approx(0.25, abs=0.01)
    assert f"{subject['kept_fraction']:.2%} of the weights in 3 blocks" in done.stderr
    assert "dense" not in done.stderr
    assert sorted(path.name for path in pruned.iterdir()) == ["model.safetensors"]


def test_simulate_dense_checkpoint_is_said_to_be_dense(sslc: Run, llama: Path) -> None:
    before = sorted(llama.iterdir())
    done = sslc("simulate", llama, "--cycle-model", "roofline", "--blocks", 1, "--json")
    assert done.returncode == 0, done.stderr
    assert "100.00% of the weights in 1 block are not zero; the checkpoint is dense" in done.stderr
    [result] = results_of(done)
    assert len(result["blocks"]) == 1
    assert result["identity"]["subject"]["kept_fraction"] == 1
    assert sorted(llama.iterdir()) == before


def test_simulate_checkpoint_with_nan_is_refused(sslc: Run, pruned: Path, tmp_path: Path) -> None:
    weights = load_file(pruned / "model.safetensors")
    weights["model.layers.2.mlp.up_proj.weight"][0, 0] = np.nan
    save_file(weights, tmp_path / "model.safetensors")
    done = sslc("simulate", tmp_path, "--cycle-model", "published", "--save", tmp_path / "out")
    assert done.returncode == 2
    assert "layers.2.mlp.up_proj.weight' holds values that are not finite" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_simulate_one_mask_is_the_simulated_projection(sslc: Run, tmp_path: Path) -> None:
    mask = np.random.default_rng(3).random((96, 160)) < 0.4
    np.save(tmp_path / "mine.npy", mask)
    done = sslc(
        "simulate", "--mask", tmp_path / "mine.npy", "--rank", 8, "--tokens", 3, "--module", "FFN",
        "--accelerator", "vitcod", "--set", "lines=32", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    machine = load_accelerator("vitcod", {"lines": 32})
    item = SparseLowRankGemm(Gemm("mine", "FFN", 96, 160, 3), PackedMask.pack(mask), 8)
    for model, result in by_model(done).items():
        expected = to_json(block_by(model, [item], machine))
        assert result["blocks"] == [json.loads(json.dumps(expected))]
        identity = result["identity"]
        assert identity["machine"]["label"] == "vitcod + lines=32"
        assert identity["subject"]["masks"] == "real (mine)"
        kept = (mask.sum() + 8 * (96 + 160)) / (96 * 160)
        assert identity["subject"]["kept_fraction"] == pytest.approx(kept)


def test_simulate_saved_mask_result_is_reported(sslc: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.tri(64, 64, dtype=np.uint8))
    out = tmp_path / "results-of-mine"
    done = sslc("simulate", "--mask", tmp_path / "mine.npy", "--save", out)
    assert done.returncode == 0, done.stderr
    assert "MHA" not in done.stdout
    names = sorted(name.rpartition("-")[0] for name in stored(out))
    assert names == [f"cycles-{m}-1-array-64x64" for m in ("event", "published", "roofline")]
    report = sslc("report", out, "--out", tmp_path / "report")
    assert report.returncode == 0, report.stderr
    assert "real (mine)" in report.stdout
    assert len(list((tmp_path / "report").glob("*.svg"))) == 2


def test_simulate_artifact_saves_where_asked(sslc: Run, artifact: Path, tmp_path: Path) -> None:
    machine = ("--accelerator", "vitcod", "--cycle-model", "published", "--tokens", 7)
    done = sslc("simulate", artifact, *machine, "--save", tmp_path)
    assert done.returncode == 0, done.stderr
    [(name, saved)] = stored(tmp_path).items()
    assert name not in stored(artifact)
    assert sslc("simulate", artifact, *machine).returncode == 0
    own = stored(artifact)[name]
    assert {key for key in own if own[key] != saved[key]} == {"provenance"}


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[0.5]]), "row 0, column 0 is 0.5"),
        (np.ones(3, bool), "two dimensions"),
        (np.array([["x"]]), "got dtype"),
    ],
)
def test_simulate_unusable_mask_is_refused(
    sslc: Run, tmp_path: Path, array: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "m.npy", array)
    done = sslc("simulate", "--mask", tmp_path / "m.npy")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("index.format=2:4", {"index.format": "2:4"}),
        ("index.format=run_length", {"index.format": "run_length"}),
        ("loop_order=weight_stationary", {"loop_order": "weight_stationary"}),
        ("loop_order=activation_stationary", {"loop_order": "activation_stationary"}),
    ],
)
def test_simulate_index_format_and_loop_order_are_set_as_typed(
    sslc: Run, tmp_path: Path, setting: str, value: dict[str, str]
) -> None:
    mask = np.tile([True, False, False, False], (64, 40))
    np.save(tmp_path / "mine.npy", mask)
    done = sslc(
        "simulate", "--mask", tmp_path / "mine.npy", "--tokens", 40, "--cycle-model", "compiled",
        "--set", "tile.tokens=8", "--set", "tile.columns=32", "--set", setting, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tile = {"tile.tokens": 8, "tile.columns": 32}
    item = SparseLowRankGemm(Gemm("mine", "FFN", 64, 160, 40), PackedMask.pack(mask), 0)
    machines = (load_accelerator("array-64x64", tile | more) for more in ({}, value))
    plain, expected = (to_json(block_by("compiled", [item], made)) for made in machines)
    (result,) = results_of(done)
    assert result["blocks"] == [json.loads(json.dumps(expected))]
    assert plain["projections"][0]["sum_run"] != expected["projections"][0]["sum_run"]


def test_simulate_mask_that_is_not_n_of_m_is_refused(sslc: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.tri(64, 64, dtype=np.uint8))
    done = sslc("simulate", "--mask", tmp_path / "mine.npy", "--set", "index.format=2:4")
    assert done.returncode == 2
    assert (
        "mine: index.format = 2:4 keeps at most 2 nonzeros in 4 columns, and row 2" in done.stderr
    )
    assert done.stdout == ""
