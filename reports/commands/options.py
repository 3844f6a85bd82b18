"""Options that several subcommands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from accelerator_sim.models.by_name import Model


def check_style(name: str) -> str:
    """A table format that is known, checked before anything is computed.

    Raises:
        InputError: It is unknown.
    """
    from workloads.results.table import FORMATS
    from workloads.support.errors import unknown_name

    if name not in FORMATS:
        raise unknown_name("table format", name, FORMATS)
    return name


JsonFlag = Annotated[bool, typer.Option("--json", help="As --format json.")]
Style = Annotated[
    str,
    typer.Option(
        "--format",
        callback=check_style,
        help="text, markdown, latex, csv or json. json is one document with tables and full "
        "results; several tables as csv are one, with each row's title in the column Table.",
    ),
]
DeviceName = Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:N.")]
Tokens = Annotated[int, typer.Option("--tokens", min=1, help="Tokens per product.")]
Context = Annotated[
    int | None,
    typer.Option(
        "--context",
        min=1,
        help="Add attention over so many tokens, those of --tokens included, to MHA [none].",
    ),
]
CycleModel = Annotated[
    str,
    typer.Option(
        "--cycle-model",
        help="published, roofline, event, or all (these three); or compiled: the numbers of "
        "event, a hundred times as fast.",
    ),
]
ArtifactPath = Annotated[
    Path, typer.Argument(metavar="DIR", help="An artifact that `sslc compress` wrote.")
]
AcceleratorName = Annotated[
    str,
    typer.Option("--accelerator", help="A preset (`sslc list accelerators`) or a TOML file."),
]
CostTableName = Annotated[
    str,
    typer.Option("--energy", help="Energy and area: a table's name (28nm) or a TOML file."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; may be repeated."),
]
Calibration = Annotated[
    str, typer.Option(help="`embedded`, `wikitext2`, `c4` (from the hub), or a text file.")
]


def share(value: str) -> float:
    """A share as a number; a percentage is refused with the number that it means.

    Args:
        value: As typed, such as ``0.5``.

    Raises:
        BadParameter: It is not a number, or not in [0, 1].
    """
    from workloads.support.presets import percent_hint

    try:
        number = float(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is not a number{percent_hint(value)}") from error
    if not 0 <= number <= 1:
        hint = percent_hint(f"{value}%") if number > 2 else ""
        raise typer.BadParameter(f"must lie in [0, 1], got {value}{hint}")
    return number


def parse_settings(texts: Sequence[str] | None) -> dict[str, Any]:
    """``KEY=VALUE`` texts as a table.

    Raises:
        InputError: A text has no ``=``.
    """
    from accelerator_sim.machine.catalog import parse_override

    return dict(parse_override(text) for text in texts or ())


def cycle_models(name: str) -> "tuple[Model, ...]":
    """One cycle model; or all, which leaves out ``compiled`` as it would repeat ``event``.

    Raises:
        InputError: The name is unknown.
    """
    from accelerator_sim.models.by_name import DISTINCT_MODELS, MODELS
    from workloads.support.errors import unknown_name

    if name == "all":
        return DISTINCT_MODELS
    for model in MODELS:
        if name == model:
            return (model,)
    raise unknown_name("cycle model", name, [*MODELS, "all"])


def several(texts: Sequence[str] | None) -> tuple[str, ...]:
    """Names that were given one by one or with commas."""
    parts = (part.strip() for text in texts or () for part in text.split(","))
    return tuple(part for part in parts if part)
