"""``sslc sweep`` on what a user brings: pruned checkpoints, saved masks, machines, short lists."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from accelerator_sim.machine.catalog import load_accelerator
from tests.accelerator_sim.machines import block_by
from tests.cli.conftest import Run, results_of
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm

HEAD = 'accelerator = "mine.toml"\ncycle_model = "compiled"\ntokens = 3\n'
MASK = HEAD + '[workload]\nmask = "m.npy"\nrank = 4\n[fields]\n'
CHECKPOINT = HEAD + '[workload]\ncheckpoint = "{}"\nblocks = 2\n[fields]\n'


@pytest.fixture
def folder(sslc: Run, tmp_path: Path) -> Path:
    """A machine of one's own and a mask."""
    text = sslc("list", "accelerators", "--toml", "vitcod").stdout
    text = text.replace('name = "vitcod"', 'name = "mine"').replace("lines = 64", "lines = 24")
    (tmp_path / "mine.toml").write_text(text)
    np.save(tmp_path / "m.npy", np.random.default_rng(3).random((48, 64)) < 0.4)
    return tmp_path


def _swept(sslc: Run, folder: Path, text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result and the rows of a sweep."""
    (folder / "space.toml").write_text(text)
    out = folder / "out"
    done = sslc("sweep", folder / "space.toml", "--out", out, "--workers", 1, "--json")
    [result] = results_of(done)
    rows: list[dict[str, Any]] = pq.read_table(out / "shards").to_pylist()
    return result, rows


def test_sweep_mask_on_a_machine_of_ones_own_is_the_simulated_projection(
    sslc: Run, folder: Path
) -> None:
    result, rows = _swept(sslc, folder, MASK + "lines = [16, 24]\n")
    mask = PackedMask.pack(np.load(folder / "m.npy"))
    item = SparseLowRankGemm(Gemm("m", "FFN", 48, 64, 3), mask, 4)
    machines = [load_accelerator(folder / "mine.toml", {"lines": lines}) for lines in (16, 24)]
    expected = [block_by("compiled", [item], machine).total.sum_cycles for machine in machines]
    assert [row["cycles"] for row in rows] == expected
    assert expected[0] != expected[1]
    assert result["identity"]["workload"] == {"mask": "m.npy", "blocks": 1, "masks": "real (m.npy)"}
    assert result["identity"]["machine"]["label"] == "mine"


def test_sweep_pruned_checkpoint_runs_the_zeros_of_its_first_blocks(
    sslc: Run, folder: Path, pruned: Path
) -> None:
    result, rows = _swept(sslc, folder, CHECKPOINT.format(pruned) + "macs_per_line = [4, 8]\n")
    done = sslc(
        "simulate", pruned, "--blocks", 2, "--tokens", 3, "--cycle-model", "compiled",
        "--accelerator", folder / "mine.toml", "--json",
    )  # fmt: skip
    [simulated] = results_of(done)
    blocks = simulated["blocks"]
    total = sum(item["sum_cycles"] for block in blocks for item in block["projections"])
    assert len(blocks) == 2
    assert rows[1]["cycles"] == total
    assert rows[0]["cycles"] > total
    assert result["identity"]["workload"]["masks"] == f"real ({pruned.name})"


def test_sweep_list_of_one_float_is_the_whole_number(sslc: Run, folder: Path) -> None:
    fields = "dram.bytes_per_second = [6.4e9]\nclock_hz = [5e8]\nlines = [24.0]\n"
    result, rows = _swept(sslc, folder, MASK + fields)
    [row] = rows
    values = {"dram.bytes_per_second": 6_400_000_000, "clock_hz": 500_000_000, "lines": 24}
    assert {key: row[key] for key in values} == values
    mask = PackedMask.pack(np.load(folder / "m.npy"))
    item = SparseLowRankGemm(Gemm("m", "FFN", 48, 64, 3), mask, 4)
    machine = load_accelerator(folder / "mine.toml", {"dram.bytes_per_second": 6_400_000_000})
    assert row["cycles"] == block_by("compiled", [item], machine).total.sum_cycles
    assert result["points"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MASK + "dram.bytes_per_second = [6.4]\n", "dram.bytes_per_second = 6.4"),
        (MASK + 'dram.bytes_per_second = ["6.4e9"]\n', "bytes_per_second must be int"),
        (MASK + 'index.format = ["bitmap", "2:4"]\n', "m: index.format = 2:4 keeps at most 2"),
        (MASK + "denser_lines = [48]\nlines = [32]\n", "denser_lines = 48: mine: denser_lines"),
        (MASK.replace("rank = 4", "rank = 49") + "lines = 8\n", "rank must be from 0 to 48"),
        (MASK.replace("m.npy", "half.npy") + "lines = 8\n", "half.npy: a mask is bool"),
        (MASK.replace("mine.toml", "bad.toml") + "lines = 8\n", "did you mean lines"),
        (CHECKPOINT.replace("= 2", "= 4") + "lines = 8\n", "blocks must be at most 3, got 4"),
    ],
)
def test_sweep_what_no_point_can_use_is_refused_before_anything_is_written(
    sslc: Run, folder: Path, pruned: Path, text: str, message: str
) -> None:
    np.save(folder / "half.npy", np.full((4, 4), 0.5))
    machine = (folder / "mine.toml").read_text()
    (folder / "bad.toml").write_text(machine.replace("lines = 24", "linse = 24"))
    (folder / "space.toml").write_text(text.format(pruned))
    done = sslc("sweep", folder / "space.toml", "--out", folder / "out", "--workers", 1)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (folder / "out").exists()


def test_sweep_checkpoint_with_nan_is_refused(sslc: Run, folder: Path, pruned: Path) -> None:
    weights = load_file(pruned / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][0, 0] = np.nan
    (folder / "broken").mkdir()
    save_file(weights, folder / "broken" / "model.safetensors")
    (folder / "space.toml").write_text(CHECKPOINT.format("broken") + "lines = 8\n")
    done = sslc("sweep", folder / "space.toml", "--out", folder / "out", "--workers", 1)
    assert done.returncode == 2
    assert "layers.0.mlp.up_proj.weight' holds values that are not finite" in done.stderr
    assert done.stdout == ""


def test_sweep_n_of_m_mask_takes_its_own_pattern_and_the_dense_columns_beside_it(
    sslc: Run, folder: Path
) -> None:
    """A dense column fills groups, but at one threshold of two it is not stored by the index."""
    mask = np.tile([True, False, False, True], (48, 16))
    mask[:, 1] = True
    mask[1::2, :] = False
    mask[1::2, 1] = True
    np.save(folder / "m.npy", mask)
    fields = 'index.format = "2:4"\ndense_threshold = [0.6, 1.0]\n'
    _, rows = _swept(sslc, folder, MASK + fields)
    assert [row["feasible"] for row in rows] == [True, False]
    assert "keeps at most 2 nonzeros in 4 columns" in rows[1]["reason"]
