"""What ``sslc reproduce`` leaves behind: tables, figures, JSON and a page, each under its own name.

A name ends in a hash of all that determines the numbers, so that runs with other settings never
overwrite each other, and the same settings replace what they wrote.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from reports.figures.style import write_figure
from reports.page.parts import Page, Picture, Section
from reports.page.render import write_page
from reports.reproduce.study import Reproduced, Study
from workloads.results.document import document
from workloads.results.identity import SHORT, digest, provenance
from workloads.results.kinds import identity_sha256
from workloads.results.table import FORMATS, render
from workloads.support.files import write_atomic

_STYLES = {style: suffix for style, suffix in FORMATS.items() if style != "json"}
_PAGE = "page"


def label(study: Study, made: Reproduced) -> str:
    """What follows a table's name in its files: the model, and a hash of all that determines it.

    Args:
        study: Its model, and whose published numbers stand beside ours.
        made: From it.
    """
    hashes = [identity_sha256(result) for result in made.results]
    sha256 = digest({"published": study.published, "results": hashes})
    opened = "shapes" if study.opened is None else Path(study.opened.name).name
    model = study.name or opened
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', model).strip('-.')}-{sha256[:SHORT]}"


def write_reproduced(made: Mapping[str, Reproduced], study: Study, directory: Path) -> list[Path]:
    """Write what was made, each file atomically; returns the paths, the page first.

    Each study gets one JSON document, ``table1-MODEL-HASH.json``; each table a file in every other
    format, and each figure PNG and SVG, named likewise.

    Args:
        made: By name, such as ``table1``.
        study: That it was made from.
        directory: Where to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    labels = {name: label(study, reproduced) for name, reproduced in made.items()}
    paths: list[Path] = []
    for name, reproduced in made.items():
        paths += _write(directory, name, reproduced, labels[name])
    page = directory / f"{_PAGE}-{_page_label(labels)}.html"
    write_page(page, _page(made, labels, directory))
    return [page, *paths]


def _page(made: Mapping[str, Reproduced], labels: Mapping[str, str], directory: Path) -> Page:
    """A section for each study, with its figures and tables."""
    sections = []
    for name, reproduced in made.items():
        drawn = {file: directory / f"{file}-{labels[name]}.svg" for file in reproduced.figures}
        pictures = tuple(
            Picture(f"Figure {file}", path.read_text(encoding="utf-8"))
            for file, path in drawn.items()
        )
        sections.append(Section(name, name, pictures=pictures, tables=tuple(reproduced.tables)))
    origin = provenance()
    about = {"Made": origin.created, "By": origin.command, "Version": origin.version}
    return Page(f"Reproduced: {', '.join(made)}", about=about, sections=tuple(sections))


def _write(directory: Path, name: str, made: Reproduced, label: str) -> list[Path]:
    whole = json.dumps(document(made.tables, made.results), indent=1, allow_nan=False)
    paths = [directory / f"{name}-{label}.json"]
    write_atomic(paths[0], f"{whole}\n".encode())
    for table in made.tables:
        for style, suffix in _STYLES.items():
            paths.append(directory / f"{table.name}-{label}.{suffix}")
            write_atomic(paths[-1], render(table, style).encode())
    for file, figure in made.figures.items():
        paths += write_figure(figure, directory, f"{file}-{label}")
    return paths


def _page_label(labels: Mapping[str, str]) -> str:
    """A study's own for one; else of all that are on the page."""
    if len(labels) == 1:
        ((name, own),) = labels.items()
        return f"{name}-{own}"
    return digest(dict(labels))[:SHORT]
