"""Signals in the middle of work: exit codes as shells know them, and one line how to go on."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL_CUT, Run, command

# A command that tells of a step and then computes in one call that lasts for minutes.
_LONG_PRODUCT = """
import sys
import torch
from reports import cli
from reports.console import Reporter

@cli.app.command("product")
def product() -> None:
    torch.set_num_threads(1)
    with Reporter() as reporter:
        reporter("product", 3, 9)
        torch.linalg.eigh(torch.rand(7000, 7000, dtype=torch.float64))

cli.main()
"""


def _ended(process: subprocess.Popen[str], number: signal.Signals, after: str) -> tuple[int, str]:
    """Exit code and standard error of a process that gets a signal once it has written a text."""
    assert process.stderr is not None
    said = ""
    while after not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(number)
    _, rest = process.communicate(timeout=60)
    return process.returncode, rest


def _start(*arguments: str) -> subprocess.Popen[str]:
    """A process that answers SIGINT, even where the tests are a job in the background."""
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_inside_a_long_product_ends_it(number: signal.Signals, code: int) -> None:
    process = _start(sys.executable, "-c", _LONG_PRODUCT, "product")
    returned, rest = _ended(process, number, "product: 3/9")
    assert returned == code
    assert rest.splitlines() == [
        f"sslc: ended by {number.name} at product, 3 of 9; "
        "nothing is half written; run the same command again"
    ]


def test_signal_in_compress_says_what_is_finished_and_resume_goes_on(
    sslc: Run, llama: Path, tmp_path: Path
) -> None:
    cut = [*SMALL_CUT, "--set", "iterations=60"]
    ask = ["compress", str(llama), "--out", str(tmp_path / "a"), *cut]
    returned, rest = _ended(_start(*command(*ask)), signal.SIGTERM, "0/3")
    assert returned == 143
    assert "ended by SIGTERM at compress (sslc)," in rest
    assert "of 3; the same command with --resume" in rest
    assert "Traceback" not in rest
    assert not (tmp_path / "a").exists()
    done = sslc(*ask, "--resume")
    assert done.returncode == 0, done.stderr
