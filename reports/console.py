"""The terminal: progress on standard error, results on standard output, errors in one sentence."""

import shutil
import sys
import textwrap
import time
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from workloads.support.errors import printable
from workloads.support.progress import hearing_of_compiling

if TYPE_CHECKING:
    from workloads.results.kinds import Result
    from workloads.results.table import Table

_SECONDS_BETWEEN_LINES = 5.0
_BARS_SHOWN = 8


_last: deque[str] = deque(maxlen=1)


def last_step() -> str:
    """The stage that was last heard of and how much of it is done; empty before the first."""
    return _last[0] if _last else ""


class Reporter:
    """Draws progress bars on a terminal, and a line now and then where there is none.

    A context manager whose call has the signature of ``workloads.support.progress.Progress``.
    """

    def __init__(self) -> None:
        self._drawn = sys.stderr.isatty()
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, int]] = {}
        self._last_line = 0.0
        self._compiling = False
        self._hearing = hearing_of_compiling(self._tell_of_compiling)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not self._drawn,
        )

    def __enter__(self) -> "Reporter":
        self._hearing.__enter__()
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()
        self._hearing.__exit__(kind, error, trace)

    def _tell_of_compiling(self) -> None:
        """Say once why nothing moves."""
        if not self._compiling:
            self._compiling = True
            self._bars.console.print("compiling kernels, once on this machine: up to some minutes")

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that a stage has done so many of its steps."""
        stage = printable(stage)
        _last.append(f"{stage}, {done} of {total}")
        if not self._drawn:
            self._line(stage, done, total)
        elif stage not in self._tasks:
            for task in self._bars.tasks[: 1 - _BARS_SHOWN]:
                self._bars.update(task.id, visible=not task.finished)
            self._tasks[stage] = self._bars.add_task(stage, completed=done, total=total)
        else:
            self._bars.update(self._tasks[stage], completed=done, total=total)

    def _line(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        began, before = self._started.setdefault(stage, (now, done))
        first, last = began == now, done >= total
        if not (first or last) and now - self._last_line < _SECONDS_BETWEEN_LINES:
            return
        self._last_line = now
        left = (now - began) / (done - before) * (total - done) if done > before else 0.0
        time_left = f", {left:.0f} s left" if left else ""
        print(f"{stage}: {done}/{total}{time_left}", file=sys.stderr, flush=True)


def show(
    tables: "Sequence[Table]",
    style: str,
    *,
    as_json: bool,
    columns: Sequence[str] = (),
    results: "Sequence[Result]" = (),
    details: Any = None,
) -> None:
    """Print what a command has to say, as one document; on a terminal text fits its width.

    Args:
        tables: What people read.
        style: One of ``table.FORMATS``.
        as_json: As JSON, whatever the style.
        columns: Headings of those that are printed; none: all.
        results: What the tables were made from, for JSON.
        details: A dataclass with what else there is to say, for JSON.

    Raises:
        InputError: No table has these columns.
    """
    from workloads.results.document import render_all
    from workloads.results.selection import with_columns
    from workloads.results.terminal import fitted

    tables = with_columns(tables, columns)
    form = "json" if as_json else style
    if form == "text" and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        print("\n".join(fitted(table, width) for table in tables), end="")
    else:
        print(render_all(tables, form, results, details=details), end="")


def say(text: str) -> None:
    """A remark for people, on standard error; on a terminal its words stay whole."""
    line = printable(text)
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns
        line = textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
    typer.echo(line, err=True)
