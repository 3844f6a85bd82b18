"""One self-contained page: tables and figures, no network, everything from files escaped."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from tabulate import tabulate

from workloads.results.table import Table, alignment, written_rows
from workloads.support.files import write_atomic

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 100rem; padding: 0 1rem;
       color: #1a1a1a; background: #fff }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px }
th, td { padding: .25rem .45rem; border-bottom: 1px solid #ddd; white-space: nowrap }
thead th { border-bottom: 2px solid #444; text-align: left }
ul { color: #444; font-size: 13px; padding-left: 1.2rem }
svg { max-width: 100%; height: auto }
"""


def write_page(path: Path, title: str, tables: Sequence[Table], figures: Sequence[Path]) -> None:
    """Write the page atomically.

    Args:
        path: Of the HTML file.
        title: Its heading.
        tables: In order.
        figures: SVG files, written into the page.
    """
    pictures = "".join(f"<figure>{_inline(figure)}</figure>" for figure in figures)
    body = "".join(_section(table) for table in tables)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{pictures}{body}</body></html>\n"
    )
    write_atomic(path, page.encode())


def _section(table: Table) -> str:
    headings = [column.name for column in table.columns]
    grid = tabulate(
        written_rows(table),
        headings,
        tablefmt="html",
        disable_numparse=True,
        colalign=alignment(table),
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    return f'<h2>{escape(table.title)}</h2><div class="wide">{grid}</div><ul>{notes}</ul>'


def _inline(figure: Path) -> str:
    text = figure.read_text(encoding="utf-8")
    return text[text.index("<svg") :]
