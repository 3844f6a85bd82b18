"""``sslc report``: tables, figures and a page from what other commands left behind."""

from pathlib import Path
from typing import Annotated

import typer

from reports.commands.options import JsonFlag, Style


def report(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Artifacts with results.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Directory for tables, figures and a page.")
    ] = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Tables, figures and one HTML page from what evaluate, simulate and measure left.

    Example: sslc report runs/wanda runs/sslc --format latex
    """
    from reports.console import say, show
    from reports.report import report_tables, write_report
    from reports.stored.files import load_results

    results = [result for directory in directories for result in load_results(directory)]
    show(report_tables(directories), style, as_json=as_json, results=results)
    if out is not None:
        for path in write_report(directories, [], out):
            say(f"wrote {path}")
