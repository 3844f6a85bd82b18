"""Options that several subcommands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reports.commands import completion
from reports.commands.completion import completing

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


def check_place(directory: Path | None) -> Path | None:
    """A directory for results that can be written to, tried before anything is computed.

    Raises:
        InputError: The system refuses; in its words.
    """
    from workloads.support.working import check_writable

    if directory is not None:
        check_writable(directory)
    return directory


JsonFlag = Annotated[bool, typer.Option("--json", help="As --format json.")]
Style = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="text|markdown|latex|csv|json",
        callback=check_style,
        autocompletion=completing(completion.formats),
        help="Of what is printed. On a terminal text fits its width. json is one document with "
        "tables and full results; several tables as csv are one, with each row's title in the "
        "column Table.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="NAME,...",
        show_default="all",
        help="Only these columns, in this order, of the tables that have them all; for a paper: "
        "--format latex --columns Module,Dense,Sum,Speedup. With commas or repeated.",
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        metavar="[OLD=]NEW",
        show_default="as stored",
        help="What tables and figures call the model; OLD=NEW for a method, a machine or one of "
        "several models. Files of results keep their names. May be repeated.",
    ),
]
DeviceName = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="cpu|cuda|cuda:N",
        autocompletion=completing(completion.devices),
        help="What computes.",
    ),
]
Protocol = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        metavar="NAME",
        autocompletion=completing(completion.protocols),
        show_default="none",
        help="Text and windows as a published program has them (`sslc list protocols`); an option "
        "that contradicts it is refused.",
    ),
]
Tokens = Annotated[int, typer.Option("--tokens", min=1, help="Tokens per product.")]
Context = Annotated[
    int | None,
    typer.Option(
        "--context",
        min=1,
        show_default="none",
        help="Add attention over so many tokens, those of --tokens included, to MHA.",
    ),
]
CycleModel = Annotated[
    str,
    typer.Option(
        "--cycle-model",
        metavar="published|roofline|event|all|compiled",
        autocompletion=completing(completion.cycle_models),
        help="How cycles are counted (`sslc list cycle-models`). all: the first three. compiled: "
        "the numbers of event, a hundred times as fast.",
    ),
]
ArtifactPath = Annotated[
    Path, typer.Argument(metavar="DIR", help="An artifact that `sslc compress` wrote.")
]
AcceleratorName = Annotated[
    str,
    typer.Option(
        "--accelerator",
        metavar="NAME|FILE.toml",
        autocompletion=completing(completion.accelerators, ".toml"),
        help="A preset (`sslc list accelerators`), or a TOML file of your own, begun with `sslc "
        "list accelerators --toml NAME`.",
    ),
]
CostTableName = Annotated[
    str,
    typer.Option(
        "--energy",
        metavar="NAME|FILE.toml",
        autocompletion=completing(completion.cost_tables, ".toml"),
        help="Energy and area: a table (`sslc list cost-tables`) or a TOML file.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        show_default="as the machine has it",
        help="Change one key of the machine (`sslc list hardware-keys`), such as "
        "dram.efficiency=0.8; may be repeated.",
    ),
]
MethodSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        show_default="as the method has it",
        help="Change one setting of the method (`sslc list methods`), such as iterations=20; may "
        "be repeated.",
    ),
]
Calibration = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE",
        autocompletion=completing(completion.texts, ".txt"),
        help="A text of `sslc list texts`, or a text file.",
    ),
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
