"""``sslc list``: what can be named, and what ships as a file to start one's own from."""

from typing import Annotated

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import JsonFlag, Style


def list_names(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            autocompletion=completing(completion.kinds_of_list),
            show_default="the kinds themselves",
            help="What to list.",
        ),
    ] = None,
    toml: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default="the table",
            help="Print the TOML file of one of them, comments and sources included.",
        ),
    ] = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """What can be named: kinds of names, the names of one kind, or the file behind a name.

    Example: sslc list

    Example: sslc list methods

    Example: sslc list accelerators --toml vitcod > mine.toml
    """
    from reports.console import show
    from reports.tables.catalogue import CATALOGUES, kinds_table, toml_of
    from workloads.support.errors import InputError, unknown_name

    if kind is not None and kind not in CATALOGUES:
        raise unknown_name("kind of list", kind, CATALOGUES)
    if toml is not None:
        if kind is None:
            raise InputError("list: --toml NAME needs a KIND, such as sslc list accelerators")
        print(toml_of(kind, toml), end="")
        return
    show([kinds_table() if kind is None else CATALOGUES[kind].table()], style, as_json=as_json)
