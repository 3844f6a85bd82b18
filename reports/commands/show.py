"""``sslc show``: what a directory or a file is."""

from pathlib import Path
from typing import Annotated

import typer

from reports.commands.options import JsonFlag, Style


def show_path(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="An artifact, a directory with results or with artifacts in it, a checkpoint, a "
            "report, a result file, or the TOML file of an accelerator, a space or a study.",
        ),
    ],
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """What PATH is: an artifact's projections and kept shares, results and the commands that made
    them, what a folder holds. Nothing is computed and nothing is written.

    Example: sslc show runs/demo

    Example: sslc show runs/demo/sslc --json
    """
    from reports.console import say, show
    from reports.tables.inventory import inventory, inventory_tables

    found = inventory(path)
    show(inventory_tables(found), style, as_json=as_json, details=found)
    say(f"{path}: {found.sentence}")
