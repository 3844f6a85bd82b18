"""What one command prints: several tables in one style, or one JSON document with its results."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from workloads.results.envelope import result_to_json
from workloads.results.kinds import Result
from workloads.results.table import Cell, Table, render, to_dict

FORMAT = "sslc-document"
VERSION = 2
TITLE = "Table"
"""Column in front of the others where several tables are one CSV."""


def document(tables: Sequence[Table], results: Sequence[Result] = ()) -> dict[str, Any]:
    """The one JSON document of a command.

    Args:
        tables: What people read.
        results: What they were made from, whole.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "results": [result_to_json(result) for result in results],
        "tables": [to_dict(table) for table in tables],
    }


def render_all(tables: Sequence[Table], style: str, results: Sequence[Result] = ()) -> str:
    """Everything that a command prints, in one of ``table.FORMATS``.

    ``json`` is one document; ``csv`` of several tables is one table with the title in front and
    the columns of all; the other styles stand one after the other.

    Args:
        tables: What people read.
        style: Name of the style.
        results: For ``json``.

    Raises:
        InputError: The style is unknown.
    """
    if style == "json":
        return json.dumps(document(tables, results), indent=1, allow_nan=False) + "\n"
    if style == "csv" and len(tables) > 1:
        return _csv_of_all(tables)
    return "\n".join(render(table, style) for table in tables)


def _csv_of_all(tables: Sequence[Table]) -> str:
    names = list(dict.fromkeys(column.name for table in tables for column in table.columns))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([TITLE, *names])
    for table in tables:
        own = [column.name for column in table.columns]
        for row in table.rows:
            cells: dict[str, Cell] = dict(zip(own, row, strict=True))
            writer.writerow([table.title, *(cells.get(name) for name in names)])
    return stream.getvalue()
