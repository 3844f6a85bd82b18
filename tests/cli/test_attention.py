"""``sslc attention`` as a user types it: synthetic masks, a file of masks, errors."""

from pathlib import Path

import numpy as np
import pytest

from accelerator_sim.attention.masked import simulate_heads
from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
from tests.cli.conftest import Run, by_model, results_of
from workloads.masks.head_masks import HeadMask
from workloads.masks.packed import PackedMask
from workloads.results.codec import to_json


def test_attention_table_has_every_stage_and_its_provenance(sslc: Run) -> None:
    done = sslc("attention", "deit-tiny", "--density", 0.05, "--seed", 3)
    assert done.returncode == 0, done.stderr
    lines = [line.split("  ")[0] for line in done.stdout.splitlines()]
    products = ["Q K (SDDMM)", "A V (SpMM)"]
    stages = [products[0], "softmax", products[1], "all"]
    found = [line for line in lines if line in (*products, "softmax", "all")]
    assert found == [*products, "all", *stages, *stages]
    assert "synthetic (global columns, diagonal, scattered; density 0.05, seed 3)" in done.stdout
    assert "5.00% of 197 x 197 scores kept, 36 heads of 64" in done.stdout
    assert "simulated (event)" in done.stdout


def test_attention_one_mask_for_all_heads_is_one_head_counted_often(
    sslc: Run, tmp_path: Path
) -> None:
    mask = np.random.default_rng(2).random((197, 197)) < 0.1
    mask[:, 0] = True
    np.save(tmp_path / "mine.npy", mask)
    done = sslc(
        "attention", "deit-small", "--mask", tmp_path / "mine.npy", "--cycle-model", "compiled",
        "--set", "dense_threshold=0.9", "--json",
    )  # fmt: skip
    [result] = results_of(done)
    assert result["identity"]["masks"] == "real (mine.npy)"
    assert result["kept_fraction"] == pytest.approx(mask.mean())
    machine = load_accelerator("vitcod", {"dense_threshold": 0.9})
    item = HeadMask("every head", PackedMask.pack(mask), 72)
    simulated = simulate_heads(
        [item], machine, head_dim=64, models=["compiled"], costs=load_cost_table()
    )
    [head] = (by_model["compiled"] for by_model in simulated)
    assert result["heads"] == [to_json(head)]
    for name, stage in zip(("sddmm", "softmax", "spmm"), head.stages, strict=True):
        assert result["stages"][name]["sparse_cycles"] == 72 * stage.sum_cycles
        assert result["stages"][name]["dense_cycles"] == 72 * stage.dense_cycles
    sddmm = result["stages"]["sddmm"]
    detail = sddmm["detail"]
    assert detail["dense_columns_per_head"] == 1
    run = head.stages[0].sum_run
    assert run is not None
    assert detail["stalls"]["sparser"]["compute"] == 72 * run.sparser.compute
    assert detail["traffic"]["weights"] == 72 * run.traffic.weights
    assert detail["utilisation"] == pytest.approx(run.utilisation)
    assert 0 < detail["utilisation"] < 1


def test_attention_default_threshold_is_more_than_fifty_queries(sslc: Run, tmp_path: Path) -> None:
    mask = np.zeros((197, 197), dtype=bool)
    mask[:50, 0] = mask[:51, 1] = True
    np.save(tmp_path / "m.npy", mask)
    run = ("attention", "vit-base", "--mask", tmp_path / "m.npy", "--cycle-model", "compiled")
    [result] = results_of(sslc(*run, "--json"))
    assert result["stages"]["sddmm"]["detail"]["dense_columns_per_head"] == 1


def test_attention_models_agree_on_their_order(sslc: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.random.default_rng(5).random((12, 3, 197, 197)) < 0.08)
    run = ("attention", "deit-tiny", "--mask", tmp_path / "m.npy", "--json", "--accelerator")
    results = by_model(sslc(*run, "array-64x64"))
    assert len(results["event"]["heads"]) == 36
    for name in ("dense_cycles", "sparse_cycles"):
        assert results["roofline"]["total"][name] <= results["event"]["total"][name]
    assert list(results["published"]["stages"]) == ["sddmm", "spmm"]


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("unknown vision transformer 'deit-tny': did you mean deit-tiny", ["deit-tny"]),
        ("density must be in (0, 1]", ["deit-tiny", "--density", "1.5"]),
        ("--density and --seed are for synthetic", ["deit-tiny", "--mask", "m.npy", "--seed", "1"]),
        ("have shape 197x197 or 3x197x197 or 12x3x197x197", ["deit-tiny", "--mask", "m.npy"]),
        ("nothere.npy: No such file", ["deit-tiny", "--mask", "nothere.npy"]),
        (
            "keys need 12608 bytes and a slot",
            ["deit-tiny", "--set", "activation_buffer.capacity_bytes=2048"],
        ),
        ("tile.columns must be auto or at least 197", ["deit-tiny", "--set", "tile.columns=64"]),
        ("unknown cycle model", ["deit-tiny", "--cycle-model", "exact"]),
        ("unknown key 'dense_thresh'", ["deit-tiny", "--set", "dense_thresh=0.5"]),
    ],
)
def test_attention_bad_input_is_refused(
    sslc: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "m.npy", np.ones((4, 4), dtype=bool))
    done = sslc("attention", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_list_vit_has_the_shapes(sslc: Run) -> None:
    done = sslc("list", "vit")
    assert done.returncode == 0, done.stderr
    names = [line.split()[0] for line in done.stdout.splitlines() if "197" in line]
    assert names == ["deit-base", "deit-small", "deit-tiny", "vit-base"]
