"""The command as a user types it: through ``main`` with its arguments, or a process apart."""

import contextlib
import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from reports.cli import main
from tests.conftest import make_checkpoint

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL_CUT = ["--windows", "2", "--window-tokens", "32"]


def command(*arguments: object) -> list[str]:
    return [str(Path(sys.executable).with_name("sslc")), *map(str, arguments)]


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
