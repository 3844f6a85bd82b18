"""Every kind of table that commands print as LaTeX, set by pdflatex without an overfull box."""

import json
from pathlib import Path

import pytest

from tests.accelerator_sim.spaces import BASE, FIELDS
from tests.cli.conftest import Run
from tests.workloads.results.test_latex import compiled_text

ONE = ("--blocks", 1)
HASTE = ("--seconds", 0.001, "--tokens", 1, "--tokens", 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables")
    (path / "space.toml").write_text(BASE + FIELDS)
    return path


def test_latex_of_every_command_fits_the_text(
    sslc: Run, llama: Path, artifact: Path, folder: Path
) -> None:
    save, space = folder / "results", folder / "space.toml"
    runs: list[tuple[object, ...]] = [
        ("compress", llama, "--dry-run"),
        ("evaluate", artifact, "--window-tokens", 32, "--max-tokens", 128, "--save", save),
        ("simulate", artifact, *ONE, "--context", 64, "--save", save),
        ("simulate", artifact, "--cycle-model", "roofline", "--set", "lines=32", "--save", save),
        ("simulate", artifact, *ONE, "--whole", "--prompt", 8, "--output", 2, "--save", save),
        ("simulate", artifact, *ONE, "--what-if", "--save", save),
        ("attention", "deit-tiny", "--cycle-model", "roofline", "--save", save),
        ("measure", artifact, *HASTE, "--save", save),
        ("sweep", space, "--out", folder / "sweep", "--workers", 1),
        ("report", save),
        ("report", "--measured", "docs/measured/nvidia-h100-80gb-hbm3.json"),
        ("show", artifact),
        ("show", save),
        ("doctor",),
    ]
    texts = []
    for run in runs:
        done = sslc(*run, "--format", "latex")
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout)
    assert compiled_text(texts, folder) == []


def test_columns_choose_and_order(sslc: Run, artifact: Path, tmp_path: Path) -> None:
    save = tmp_path / "results"
    sslc("simulate", artifact, "--cycle-model", "published", "--save", save)
    done = sslc("report", save, "--columns", "speedup,Module", "--columns", "dense", "--json")
    assert done.returncode == 0, done.stderr
    tables = {table["name"]: table for table in json.loads(done.stdout)["tables"]}
    assert list(tables["speedup"]["rows"][0]) == ["Speedup", "Module", "Dense"]
    assert all(set(t["rows"][0]) == {"Speedup", "Module", "Dense"} for t in tables.values())
    refused = sslc("report", save, "--columns", "Modul")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "did you mean Module" in refused.stderr
