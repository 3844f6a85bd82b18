"""No torch where none is needed: each command in a process in which importing it fails."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.accelerator_sim.spaces import BASE, FIELDS
from tests.cli.conftest import Run

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
        "list methods",
        "list hardware-keys",
        "show artifact",
        "doctor",
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


def test_command_line_itself_loads_no_library_of_numbers() -> None:
    code = "import sys, reports.cli; print({'numpy', 'numba', 'pyarrow', 'torch'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
