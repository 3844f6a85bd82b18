"""Names of machines and models come from files and become file names: always safe ones."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import Run
from tests.faults.test_kinds import MACHINE
from tests.workloads.artifact.test_read import small_artifact
from tests.workloads.results.results import SUBJECT, perplexity
from workloads.results.envelope import file_name

NAMES = [
    "../../x",
    "/etc/passwd",
    "x" * 300,
    "模型 é",
    ".hidden",
    "a b\tc",
    "-rf",
    "CON",
    "a\nb",
    "$(x)",
]


@given(st.text(max_size=400) | st.sampled_from(NAMES))
def test_file_name_any_model_gives_one_plain_file_name(model: str) -> None:
    name = file_name(perplexity(dataclasses.replace(SUBJECT, model=model)))
    assert name.isascii()
    assert set(name) & set("/\\\0\n :*?\"<>|$`'") == set()
    assert name.startswith("perplexity-")
    assert name.endswith(".json")
    assert len(name) <= 120


@pytest.mark.parametrize("name", NAMES)
def test_simulate_a_machine_of_any_name_writes_under_the_artifact_only(
    sslc: Run, tmp_path: Path, name: str
) -> None:
    artifact = small_artifact(tmp_path)
    quoted = json.dumps(name).encode()
    assert b'name = "vitcod"' in MACHINE
    (tmp_path / "m.toml").write_bytes(MACHINE.replace(b'name = "vitcod"', b"name = " + quoted))
    before = {path for path in tmp_path.rglob("*") if artifact not in path.parents}
    done = sslc(
        "simulate", artifact, "--accelerator", tmp_path / "m.toml", "--cycle-model", "roofline"
    )
    assert done.returncode == 0, done.stderr
    assert {path for path in tmp_path.rglob("*") if artifact not in path.parents} == before
    [result] = (artifact / "results").iterdir()
    assert json.loads(result.read_text())["identity"]["machine"]["name"] == name
    assert "\x1b" not in done.stdout
