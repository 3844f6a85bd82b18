"""The command as a user types it: through ``main`` with its arguments, or a process apart."""

import contextlib
import functools
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from unittest import mock

import jsonschema
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from accelerator_sim.models.by_name import Model
from reports.cli import main
from tests.conftest import make_checkpoint

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL_CUT = ["--windows", "2", "--window-tokens", "32"]


def command(*arguments: object) -> list[str]:
    return [str(Path(sys.executable).with_name("sslc")), *map(str, arguments)]


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What a command printed as JSON, after it has met the shipped schema."""
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    validate(value)
    assert isinstance(value, dict)
    return value


def validate(value: Any) -> None:
    """Hold parsed JSON against the schema that ships for every command's document."""
    jsonschema.Draft202012Validator(_schema()).validate(value)


@functools.cache
def _schema() -> Any:
    file = resources.files("reports.stored") / "document.schema.json"
    return json.loads(file.read_text(encoding="utf-8"))


def results_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The results in what a command printed as JSON."""
    results: list[dict[str, Any]] = document(done)["results"]
    return results


def by_model(done: subprocess.CompletedProcess[str]) -> dict[Model, dict[str, Any]]:
    """The results by cycle model."""
    return {result["identity"]["cycle_model"]: result for result in results_of(done)}


def stored(directory: Path) -> dict[str, dict[str, Any]]:
    """The result files of a directory by name."""
    return {path.name: json.loads(path.read_text()) for path in directory.glob("results/*.json")}


def kill_when(ready: Callable[[], bool], *arguments: object) -> None:
    """Start the command and kill -9 it as soon as something is so."""
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 240
    while not ready():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.fixture(scope="session")
def sslc() -> Run:
    """Runs ``main`` here, where torch is loaded already; exit code and streams as from a shell."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        argv = command(*arguments)
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(sys, "argv", argv),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as exit_,
        ):
            main()
        code = exit_.value.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def sslc_process() -> Run:
    """Runs the installed command in a process of its own."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), capture_output=True, text=True, timeout=300, check=False
        )

    return run


@pytest.fixture(scope="session")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("deep"), family="llama", blocks=8, tied=True)


@pytest.fixture(scope="session")
def artifact(sslc: Run, llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("artifact") / "a"
    done = sslc("compress", llama, "--out", out, *SMALL_CUT)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def pruned(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model with three quarters of its projections' weights set to zero."""
    weights = load_file(llama / "model.safetensors")
    random = np.random.default_rng(0)
    for name, values in weights.items():
        if "_proj" in name:
            values[random.random(values.shape) < 0.75] = 0
    directory = tmp_path_factory.mktemp("pruned")
    save_file(weights, directory / "model.safetensors")
    return directory
