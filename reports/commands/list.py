"""``sslc list``: what can be named."""

from typing import Annotated

import typer

from reports.commands.options import JsonFlag, Style


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
    show([CATALOGUES[kind]()], style, as_json=as_json)
