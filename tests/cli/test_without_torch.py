"""No torch where none is needed: each command in a process in which importing it fails."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.accelerator_sim.spaces import BASE, FIELDS
from tests.cli.conftest import Run, document

BLOCKED = """
import sys
for name in ("torch", "transformers"):
    sys.modules[name] = None  # importing it raises ImportError
from reports.cli import main
sys.argv[0] = "sslc"
main()
"""


def blocked(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in a folder, in a process of its own that cannot import torch."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(sslc: Run, artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact with results, a mask, a checkpoint's weights and a space."""
    path = tmp_path_factory.mktemp("blocked")
    (path / "artifact").symlink_to(artifact)
    for run in (
        ("simulate", artifact, "--cycle-model", "roofline"),
        ("evaluate", artifact, "--window-tokens", 32, "--max-tokens", 128),
        ("measure", artifact, "--seconds", 0.001, "--tokens", 1),
    ):
        assert sslc(*run).returncode == 0
    np.save(path / "mask.npy", np.tri(64, 64, dtype=np.uint8))
    (path / "space.toml").write_text(BASE + FIELDS)
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        "--version",
        "--help",
        "list models",
        "list vit",
        "list accelerators",
        "simulate artifact --blocks 1 --context 64",
        "simulate --mask mask.npy --rank 4 --save out --trace out/trace.json",
        "attention deit-tiny --cycle-model roofline",
        "sweep space.toml --out out-sweep --workers 1",
        "sweep space.toml --out out-sweep --dry-run",
        "report artifact --out out-report",
    ],
)
def test_command_runs_with_torch_blocked(folder: Path, arguments: str) -> None:
    done = blocked(folder, *arguments.split())
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_command_that_needs_torch_is_blocked(folder: Path) -> None:
    """The block works: the same process cannot evaluate."""
    done = blocked(folder, "evaluate", "artifact")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr or "ImportError" in done.stderr


def test_reproduce_table4_by_shape_runs_blocked_and_adds_attention_over_a_context(
    tmp_path: Path,
) -> None:
    """Without a context S and factors take 8,192, 9,216, 3,584 and 4,288 cycles; Q K and A V of
    32 or 28 heads of 128 over 4,096 tokens take 2 * 32 * 128 or 2 * 28 * 128 more."""
    run = ("reproduce", "table4", "--cycle-model", "published", "--context", 4096)
    done = blocked(tmp_path, *run, "--json", "--out", tmp_path)
    found = {
        (
            result["identity"]["subject"]["model"],
            result["identity"]["subject"]["settings"]["budget_reading"],
        ): result["mean_per_block"]["MHA"]
        for result in document(done)["results"]
        if result["kind"] == "cycles"
    }
    inside, on_top = "S keeps p minus the low-rank share", "S keeps p"
    expected = {
        ("llama2-7b", inside): 7168 + 1024 + 8192,
        ("llama2-7b", on_top): 8192 + 1024 + 8192,
        ("qwen2.5-7b", inside): 2880 + 704 + 7168,
        ("qwen2.5-7b", on_top): 3584 + 704 + 7168,
    }
    assert {key: cycles["sum_cycles"] for key, cycles in found.items()} == expected
    table = next(tmp_path.glob("table4-shapes-*.txt")).read_text()
    assert "MHA, context 4,096" in table
    lines = [line for line in table.splitlines() if "7b" in line.lower()]
    assert "MHA" in lines[0]
