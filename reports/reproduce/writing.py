"""What ``sslc reproduce`` leaves behind: every table in every format, figures, JSON, one page."""

from collections.abc import Mapping
from pathlib import Path

from reports.figures.style import write_figure
from reports.page import write_page
from reports.reproduce.study import Reproduced
from workloads.results.table import Table, write_tables
from workloads.support.files import write_json


def write_reproduced(made: Mapping[str, Reproduced], directory: Path) -> list[Path]:
    """Write what was made, each file atomically; returns the paths, the page first.

    Args:
        made: By name, such as ``table1``.
        directory: Where to; a file of the same name is replaced.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    tables: list[Table] = []
    for name, each in made.items():
        tables += each.tables
        paths += write_tables(list(each.tables), directory)
        for file, figure in each.figures.items():
            paths += write_figure(figure, directory, file)
        write_json(directory / f"{name}-results.json", each.results)
        paths.append(directory / f"{name}-results.json")
    page = directory / "index.html"
    figures = [path for path in paths if path.suffix == ".svg"]
    write_page(page, f"Reproduced: {', '.join(made)}", tables, figures)
    return [page, *paths]
