"""One table object, five ways to write it: text, Markdown, LaTeX (booktabs), CSV and JSON."""

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from workloads.support.errors import printable, unknown_name
from workloads.support.extras import missing
from workloads.support.files import write_atomic

if TYPE_CHECKING:
    import pandas

Cell = str | int | float | None
FORMATS = {"text": "txt", "markdown": "md", "latex": "tex", "csv": "csv", "json": "json"}
_FORMULA = re.compile(r"[=+\-@\t\r].", re.DOTALL)


@dataclass(frozen=True)
class Column:
    """A column's heading and how its numbers are written for people (CSV and JSON keep all)."""

    name: str
    number_format: str = ""


@dataclass(frozen=True)
class Table:
    """A titled table with footnotes; ``name`` is its file name and LaTeX label.

    Raises:
        ValueError: Two columns have one name, or a row has another number of cells.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            raise ValueError(f"{self.name}: two columns are called {twice[0]!r}")
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.name}: {len(row)} cells for {len(self.columns)} columns")

    def to_frame(self) -> "pandas.DataFrame":
        """The table as a data frame, one column per column, numbers as they are.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise missing("to_frame needs", "pandas", "frames") from error
        return pandas.DataFrame(list(self.rows), columns=[column.name for column in self.columns])


def render(table: Table, style: str) -> str:
    """A table as text in one of ``FORMATS``, ending with a newline.

    Raises:
        InputError: The style is unknown.
    """
    if style not in FORMATS:
        raise unknown_name("table format", style, FORMATS)
    if style == "csv":
        return _csv(table)
    if style == "json":
        return json.dumps(to_dict(table), indent=1) + "\n"
    if style == "latex":
        from workloads.results.latex import latex  # which reads tables

        return latex(table)
    cells, headings = written_rows(table), [printable(column.name) for column in table.columns]
    if style == "markdown":
        cells = [[cell.replace("|", r"\|") for cell in row] for row in cells]
        headings = [heading.replace("|", r"\|") for heading in headings]
    body = tabulate(
        cells,
        headings,
        tablefmt="github" if style == "markdown" else "simple",
        disable_numparse=True,
        colalign=alignment(table),
    )
    title = printable(table.title)
    title = f"**{title}**" if style == "markdown" else title
    bullet = "- " if style == "markdown" else "  "
    notes = "".join(f"{bullet}{printable(note)}\n" for note in table.notes)
    return f"{title}\n\n{body}\n" + (f"\n{notes}" if notes else "")


def write_tables(tables: list[Table], directory: Path) -> list[Path]:
    """Write every table in every format; returns the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for table in tables:
        for style, suffix in FORMATS.items():
            paths.append(directory / f"{table.name}.{suffix}")
            write_atomic(paths[-1], render(table, style).encode())
    return paths


def to_dict(table: Table) -> dict[str, Any]:
    """The table for JSON: rows as objects keyed by column name."""
    names = [column.name for column in table.columns]
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    return {"name": table.name, "title": table.title, "rows": rows, "notes": list(table.notes)}


def written_rows(table: Table) -> list[list[str]]:
    """Every cell as people read it."""
    formats = [column.number_format for column in table.columns]
    return [
        [_write_cell(cell, form) for cell, form in zip(row, formats, strict=True)]
        for row in table.rows
    ]


def _write_cell(cell: Cell, number_format: str) -> str:
    if cell is None:
        return "-"
    return printable(cell) if isinstance(cell, str) else format(cell, number_format)


def alignment(table: Table) -> list[str]:
    """Numbers to the right, words to the left, per column."""
    return [
        "right" if any(isinstance(row[place], int | float) for row in table.rows) else "left"
        for place in range(len(table.columns))
    ]


def _csv(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([csv_cell(column.name) for column in table.columns])
    writer.writerows([csv_cell(cell) for cell in row] for row in table.rows)
    return stream.getvalue()


def csv_cell(cell: Cell) -> Cell:
    """A cell for CSV: words that spreadsheets would run as a formula get an apostrophe in front.

    Args:
        cell: Numbers, also those written as text, stay as they are.
    """
    if not isinstance(cell, str):
        return cell
    word = printable(cell)
    return f"'{word}" if _FORMULA.match(word) and not _is_number(word) else word


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
