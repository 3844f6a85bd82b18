"""A page as one HTML file: nothing is fetched, and everything from files stays text."""

import base64
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from reports.page.parts import Page, Picture, Section
from reports.page.vega import drawing_script
from workloads.results.constant import without_constants
from workloads.results.table import FORMATS, Cell, Table, alignment, render, written_rows
from workloads.support.errors import printable
from workloads.support.files import write_atomic
from workloads.support.progress import Progress, silent

_DOWNLOADS = {"csv": "CSV", "json": "JSON", "latex": "LaTeX", "markdown": "Markdown"}


@dataclass(frozen=True)
class _Heading:
    name: str
    right: bool


@dataclass(frozen=True)
class _Cell:
    """As people read it, and what it is sorted by; None: its words."""

    text: str
    value: float | None


@dataclass(frozen=True)
class _File:
    form: str
    file: str
    href: str


@dataclass(frozen=True)
class _Grid:
    """A table as the template has it."""

    anchor: str
    title: str
    constants: tuple[str, ...]
    headings: tuple[_Heading, ...]
    rows: tuple[tuple[_Cell, ...], ...]
    notes: tuple[str, ...]
    downloads: tuple[_File, ...]


@dataclass(frozen=True)
class _Image:
    title: str
    source: str


def write_page(path: Path, page: Page, *, progress: Progress = silent) -> None:
    """Write the page atomically.

    Args:
        path: Of the HTML file.
        page: What stands on it.
        progress: Told where the drawing library is bundled.

    Raises:
        InputError: The cache of the drawing library cannot be written.
    """
    sections = [section for section in page.sections if not section.empty]
    charts = {chart.name: chart for section in sections for chart in section.charts}
    explorers = {one.name: one.data for section in sections for one in section.explorers}
    drawn = {n: {"spec": chart.spec, "canvas": chart.canvas} for n, chart in charts.items()}
    html = _template().render(
        page=page,
        sections=list(_shown(sections)),
        data=_finite({"charts": drawn, "explorers": explorers}),
        style=_file("page.css"),
        script=_file("page.js"),
        drawing=drawing_script(progress) if charts or explorers else "",
    )
    write_atomic(path, html.encode())


@cache
def _template() -> Any:
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    return environment.from_string(_file("page.html.jinja"))


@cache
def _file(name: str) -> str:
    return resources.files("reports.page").joinpath(name).read_text(encoding="utf-8")


def _shown(sections: Sequence[Section]) -> Iterator[Mapping[str, Any]]:
    """Sections for the template, with anchors of tables that occur once."""
    taken: set[str] = set()
    for section in sections:
        yield {
            "name": section.name,
            "title": section.title,
            "text": section.text,
            "charts": section.charts,
            "explorers": section.explorers,
            "pictures": [_image(picture) for picture in section.pictures],
            "tables": [_grid(table, _anchor(table.name, taken)) for table in section.tables],
        }


def _anchor(name: str, taken: set[str]) -> str:
    """An identifier that stands once on the page, and what stands on it by now."""
    word = "table-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    anchor = next(
        a for n in range(len(taken) + 1) if (a := word + (f"-{n}" if n else "")) not in taken
    )
    taken.add(anchor)
    return anchor


def _grid(table: Table, anchor: str) -> _Grid:
    short, told = without_constants(table)
    sides = [side == "right" for side in alignment(short)]
    headings = (
        _Heading(printable(column.name), right)
        for column, right in zip(short.columns, sides, strict=True)
    )
    rows = (
        tuple(_Cell(text, _number(cell)) for text, cell in zip(texts, cells, strict=True))
        for texts, cells in zip(written_rows(short), short.rows, strict=True)
    )
    constants = tuple(f"{printable(name)}: {value}" for name, value in told.items())
    notes = tuple(printable(note) for note in table.notes)
    return _Grid(
        anchor, printable(table.title), constants, tuple(headings), tuple(rows), notes,
        tuple(_download(table, style) for style in _DOWNLOADS),
    )  # fmt: skip


def _number(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | float) and math.isfinite(cell) else None


def _download(table: Table, style: str) -> _File:
    content = base64.b64encode(render(table, style).encode()).decode()
    kind = {"csv": "text/csv", "json": "application/json"}.get(style, "text/plain")
    href = f"data:{kind};charset=utf-8;base64,{content}"
    return _File(_DOWNLOADS[style], f"{table.name}.{FORMATS[style]}", href)


def _image(picture: Picture) -> _Image:
    """A drawn figure as an image: its identifiers stay its own."""
    content = base64.b64encode(picture.svg.encode()).decode()
    return _Image(picture.title, f"data:image/svg+xml;base64,{content}")


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
