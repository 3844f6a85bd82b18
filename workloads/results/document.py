"""What one command prints: several tables in one style, or one JSON document with its results."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from workloads.results.codec import to_json
from workloads.results.envelope import result_schema, result_to_json
from workloads.results.kinds import Result
from workloads.results.table import Cell, Table, csv_cell, render, to_dict

FORMAT = "sslc-document"
VERSION = 2
_CELL = {"type": ["string", "number", "null"]}
TITLE = "Table"
"""Column in front of the others where several tables are one CSV."""


def document(
    tables: Sequence[Table], results: Sequence[Result] = (), *, details: Any = None
) -> dict[str, Any]:
    """The one JSON document of a command.

    Args:
        tables: What people read.
        results: What they were made from, whole.
        details: A dataclass with what a command says that makes no result; None for nothing.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "results": [result_to_json(result) for result in results],
        "tables": [to_dict(table) for table in tables],
        "details": to_json(details),
    }


def document_schema(kinds: Iterable[type[Any]]) -> dict[str, Any]:
    """The JSON Schema of a command's document.

    Args:
        kinds: Result classes that may occur.
    """
    results = result_schema(kinds)
    text = {"type": "string"}
    table = {
        "type": "object",
        "properties": {
            "name": text,
            "title": text,
            "rows": {"type": "array", "items": {"type": "object", "additionalProperties": _CELL}},
            "notes": {"type": "array", "items": text},
        },
        "required": ["name", "title", "rows", "notes"],
        "additionalProperties": False,
    }
    return {
        "$schema": results["$schema"],
        "title": "What a command of sslc prints",
        "type": "object",
        "properties": {
            "format": {"const": FORMAT},
            "version": {"const": VERSION},
            "results": {"type": "array", "items": {"oneOf": results["oneOf"]}},
            "tables": {"type": "array", "items": table},
            "details": {"type": ["object", "null"]},
        },
        "required": ["format", "version", "results", "tables", "details"],
        "additionalProperties": False,
        "$defs": results["$defs"],
    }


def render_all(
    tables: Sequence[Table], style: str, results: Sequence[Result] = (), *, details: Any = None
) -> str:
    """Everything that a command prints, in one of ``table.FORMATS``.

    ``json`` is one document; ``csv`` of several tables is one table with the title in front and
    the columns of all; the other styles stand one after the other.

    Args:
        tables: What people read.
        style: Name of the style.
        results: For ``json``.
        details: For ``json``.

    Raises:
        InputError: The style is unknown.
    """
    if style == "json":
        return (
            json.dumps(document(tables, results, details=details), indent=1, allow_nan=False) + "\n"
        )
    if style == "csv" and len(tables) > 1:
        return _csv_of_all(tables)
    return "\n".join(render(table, style) for table in tables)


def _csv_of_all(tables: Sequence[Table]) -> str:
    names = list(dict.fromkeys(column.name for table in tables for column in table.columns))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(csv_cell, (TITLE, *names)))
    for table in tables:
        own = [column.name for column in table.columns]
        for row in table.rows:
            cells: dict[str, Cell] = dict(zip(own, row, strict=True))
            writer.writerow(map(csv_cell, (table.title, *map(cells.get, names))))
    return stream.getvalue()
