"""A directory in which the commands of a page can run: everything that they name, small."""

import gzip
import json
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from docs.programs.pages import ROOT
from tests.cli.conftest import Run, sslc
from workloads.texts.windows import load_text

__all__ = ["sslc"]

CUT = ("--windows", "2", "--window-tokens", "32")
ARTIFACTS = {"sslc": ("DIR", "runs/sslc", "runs/a"), "wanda": ("runs/wanda",)}
SPACE = """
accelerator = "array-64x64"
cycle_model = "compiled"
tokens = 1
workload = { artifact = "DIR", blocks = 1 }
fields = { lines = [32, 64] }
"""


@pytest.fixture(scope="session")
def things(sslc: Run, llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pages name without making it: a model, artifacts, texts, masks, machines."""
    folder = tmp_path_factory.mktemp("things")
    shutil.copytree(llama, folder / "MODEL")
    text = load_text("embedded", "evaluation").content[:12_000]
    for name in ("my.txt", "TEXT", "FILE", "GENERAL", "NAME"):
        (folder / name).write_text(text)
    for method, places in ARTIFACTS.items():
        arguments = ("--method", method, "--calibration", folder / "my.txt", *CUT)
        first = folder / places[0]
        for command in (
            ("compress", llama, "--out", first, *arguments),
            ("simulate", first, "--cycle-model", "compiled", "--blocks", 1),
        ):
            done = sslc(*command)
            assert done.returncode == 0, done.stderr
        for place in places[1:]:
            shutil.copytree(first, folder / place)
    (folder / "SPACE.toml").write_text(SPACE)
    machines = ROOT / "accelerator_sim/machine"
    shutil.copy(machines / "presets/vitcod.toml", folder / "here.toml")
    shutil.copy(machines / "cost_tables/28nm.toml", folder / "costs.toml")
    mask = np.random.default_rng(0).random((197, 197)) < 0.2
    np.save(folder / "masks.npy", mask.astype(np.uint8))
    (folder / "docs").mkdir()
    for name in ("measured", "figures"):
        shutil.copytree(ROOT / "docs" / name, folder / "docs" / name)
    for file in (ROOT / "docs").glob("*.toml"):
        shutil.copy(file, folder / "docs")
    return folder


@pytest.fixture
def scene(things: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as working directory, with files that stand in for the hub's."""
    place = tmp_path / "scene"
    shutil.copytree(things, place)
    monkeypatch.chdir(place)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", _standing_in(tmp_path / "hub"))
    return place


def _standing_in(folder: Path):  # type: ignore[no-untyped-def]
    text = load_text("embedded", "evaluation").content[:12_000]

    def download(repository: str, file: str, **_: object) -> str:
        path = folder / repository / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.endswith(".json.gz"):
            with gzip.open(path, "wt", encoding="utf-8") as stream:
                stream.writelines(json.dumps({"text": text}) + "\n" for _ in range(4))
        elif "alpaca" in repository:
            row = {"instruction": "Add.", "input": "1 and 2", "output": "3", "text": "all"}
            pyarrow.parquet.write_table(pa.Table.from_pylist([row] * 4), path)
        else:
            pyarrow.parquet.write_table(pa.table({"text": text.splitlines()}), path)
        return str(path)

    return download
