"""Progress lines where there is no terminal; tables and remarks where there is one, and not."""

import io
import sys
import time
from typing import Any

import pytest

from reports.console import Reporter, say, show
from workloads.results.table import Column, Table, render

WIDE = Table(
    "t", "Title", (Column("What"), Column("Needed for")), (("one", "a word " * 9), ("two", "b"))
)


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


def test_reporter_resumed_stage_counts_time_from_where_it_went_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten seconds for one of the 19 steps that are left after 81 of 100."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Reporter() as reporter:
        reporter("train", 80, 100)
        now[0] = 10.0
        reporter("train", 81, 100)
        now[0] = 11.0
        reporter("train", 82, 100)
        now[0] = 200.0
        reporter("train", 100, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["train: 80/100", "train: 81/100, 190 s left", "train: 100/100"]


@pytest.mark.parametrize("columns", ["40", "100"])
def test_show_text_fits_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", terminal)
    show([WIDE, WIDE], "text", as_json=False)
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert lines.count("Title") == 2


def test_show_without_a_terminal_does_not_know_its_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show([WIDE], "text", as_json=False)
    assert capsys.readouterr().out == render(WIDE, "text")


def test_say_breaks_no_word_of_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys, "stderr", terminal)
    say("open runs/demo-of-today/report/index.html now please")
    assert terminal.getvalue().split() == [
        "open", "runs/demo-of-today/report/index.html", "now", "please"
    ]  # fmt: skip


def test_reporter_says_once_that_kernels_are_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    from numba import njit

    def fresh() -> Any:
        return njit(lambda x: x + 1)

    import workloads.support.compiled  # noqa: F401  (which listens to numba)

    with Reporter():
        assert fresh()(1) == fresh()(1.0) == 2
    fresh()(1)
    assert capsys.readouterr().err.count("compiling kernels") == 1
