"""The terminal: progress on standard error, results on standard output, errors in one sentence."""

import json
import sys
import time
from types import TracebackType
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from workloads.results.table import Table, render, to_dict

_SECONDS_BETWEEN_LINES = 5.0
_BARS_SHOWN = 8


class Reporter:
    """Draws progress bars on a terminal, and a line now and then where there is none.

    A context manager whose call has the signature of ``workloads.support.progress.Progress``.
    """

    def __init__(self) -> None:
        self._drawn = sys.stderr.isatty()
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, int]] = {}
        self._last_line = 0.0
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
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that a stage has done so many of its steps."""
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


def show(tables: list[Table], style: str, as_json: bool, details: Any = None) -> None:
    """Print tables in a format, or everything as one JSON object.

    Args:
        tables: What people read.
        style: One of ``tables.FORMATS``.
        as_json: Print ``details`` (or the tables) as JSON instead.
        details: The full result behind the tables.
    """
    if as_json:
        value = {"tables": [to_dict(table) for table in tables]} if details is None else details
        print(json.dumps(value, indent=1))
    else:
        print("\n".join(render(table, style) for table in tables), end="")


def say(text: str) -> None:
    """A remark for people, on standard error."""
    typer.echo(text, err=True)
