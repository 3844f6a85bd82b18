"""``sslc demo``: the whole pipeline on one model."""

from pathlib import Path
from typing import Annotated

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import JsonFlag, Style, check_place


def demo(
    out: Annotated[
        Path, typer.Option(callback=check_place, file_okay=False, help="Where everything goes.")
    ] = Path("runs/demo"),
    model: Annotated[
        str,
        typer.Option(
            autocompletion=completing(completion.models, ".gguf"),
            help="Any MODEL that compress takes.",
        ),
    ] = "smollm2-135m",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start again; else finished work is kept.")
    ] = False,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """From a real checkpoint to the MHA/FFN speedup table, in a few minutes.

    Compresses by Wanda, SSLC and SSLC-D (short of its own text, a part of its search and its
    training, which take ten minutes more), evaluates them and the dense model, simulates SSLC's
    masks, measures this device, and sets the published table beside ours. An interrupted demo
    continues.

    Example: sslc demo --out runs/demo
    """
    from reports.console import Reporter, say, show
    from reports.demo import run_demo

    with Reporter() as reporter:
        made = run_demo(model, out, overwrite=overwrite, progress=reporter)
    tables = made.tables if as_json else [made.summary]
    show(tables, style, as_json=as_json, results=made.results)
    say("")
    say(made.verdict)
    say(f"All files are named in {made.listing}")
    say(f"open {made.page}")
