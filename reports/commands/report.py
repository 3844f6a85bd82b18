"""``sslc report``, ``list`` and ``demo``: what people see."""

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

    tables = report_tables(directories)
    show(tables, style, as_json)
    if out is not None:
        for path in write_report(directories, [], out):
            say(f"wrote {path}")


def list_names(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="models, vit, methods or accelerators.")
    ],
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """What can be named: model shapes, vision transformers, methods and settings, accelerators.

    Example: sslc list methods
    """
    from reports.console import show
    from reports.tables.catalogue import CATALOGUES
    from workloads.support.errors import unknown_name

    if kind not in CATALOGUES:
        raise unknown_name("kind of list", kind, CATALOGUES)
    show([CATALOGUES[kind]()], style, as_json)


def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("runs/demo"),
    model: Annotated[str, typer.Option(help="Any MODEL.")] = "smollm2-135m",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start again; else finished work is kept.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """From a real checkpoint to the MHA/FFN speedup table, in a few minutes.

    Compresses by SSLC and Wanda, evaluates both and the dense model, simulates the real masks,
    measures this device, and sets the published table beside ours. An interrupted demo continues.

    Example: sslc demo --out runs/demo
    """
    from reports.console import Reporter, say, show
    from reports.demo import run_demo

    with Reporter() as reporter:
        tables, paths = run_demo(model, out, overwrite, reporter)
    show(tables, "text", as_json)
    say("\nwrote:")
    for path in paths:
        say(f"  {path}")
