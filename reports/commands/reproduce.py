"""``sslc reproduce``: the paper's tables and figures for any model."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import (
    AcceleratorName,
    Calibration,
    Context,
    CycleModel,
    DeviceName,
    JsonFlag,
    Style,
    Tokens,
    check_place,
    cycle_models,
    several,
    share,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.reproduce.study import Limits, Study
    from sslc.model.checkpoint import Checkpoint
    from workloads.support.progress import Progress

_OUT = Path("runs/reproduce")
_BY_SHAPE = {"table4", "table5"}
"""Tables that go without a model: by the paper's shapes, with synthetic masks."""
_MANY = "may be repeated, or with commas."


def reproduce(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            autocompletion=completing(completion.studies),
            help="table1 to table10, figure1 4 5 6 (written figure4), `calibration`, `bits`, "
            "or `all` (but table5).",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing(completion.models, ".gguf"),
            show_default="smollm2-135m; table4, table5: shapes",
            help="Any MODEL that compress takes.",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="First 2 blocks, 8 windows of 256 tokens, 4,096 evaluated."),
    ] = False,
    text: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=completing(completion.texts, ".txt"),
            show_default="embedded",
            help=f"Evaluation text, a name or a file; {_MANY}",
        ),
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(show_default="none", help=f"Zero-shot tasks as in evaluate; {_MANY}"),
    ] = None,
    calibration: Calibration = "embedded",
    data: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing(completion.recovery_data, ".txt", ".jsonl"),
            show_default="calibration text",
            help="Of table2's recovery, as in recover.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=completing(completion.methods),
            show_default="the table's own",
            help=f"In place of a table's own methods; {_MANY}",
        ),
    ] = None,
    kept_fraction: Annotated[
        float,
        typer.Option(parser=share, metavar="SHARE", help="Kept share of the parameters."),
    ] = 0.5,
    blocks: Annotated[
        int | None, typer.Option(min=1, show_default="all", help="Compress only the first so many.")
    ] = None,
    windows: Annotated[
        int | None, typer.Option(min=1, show_default="16", help="Calibration windows.")
    ] = None,
    window_tokens: Annotated[
        int | None, typer.Option(min=2, show_default="512", help="Tokens per window, both parts.")
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=0, show_default="16384", help="Evaluate at most so many; 0 all."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, show_default="all", help="Questions per task at most.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=2, show_default="5", help="Seeds in table8.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, show_default="100", help="Recovery steps in table2.")
    ] = None,
    new_tokens: Annotated[
        int | None,
        typer.Option(min=2, show_default="1024", help="table5: tokens made of each prompt."),
    ] = None,
    published: Annotated[
        str | None,
        typer.Option(
            autocompletion=completing(completion.published),
            show_default="the model's, else llama2-7b",
            help="Whose published numbers.",
        ),
    ] = None,
    accelerator: AcceleratorName = "array-64x64",
    cycle_model: CycleModel = "all",
    tokens: Tokens = 1,
    name: Annotated[
        str,
        typer.Option(
            show_default="as it is opened", help="What tables, figures and files call the model."
        ),
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="table4, table5: of synthetic masks.")] = 0,
    context: Context = None,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=check_place,
            file_okay=False,
            show_default=f"{_OUT}; table4 by shape: none",
            help="Tables, figures and cells.",
        ),
    ] = None,
    device: DeviceName = "cpu",
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """The paper's tables and figures for any model, ours beside the published numbers.

    Finished cells stay in OUT/cells: an interrupted table goes on, and tables share them. Files are
    named NAME-MODEL-HASH, a hash of all that determines the numbers (limits, texts, settings), so
    that runs with others stand beside each other and the same run replaces its own files.

    The paper's setting is --windows 128 --window-tokens 2048 --max-tokens 524288 --calibration c4
    --text wikitext2,c4 with the six tasks. `calibration` sets calibration texts against evaluation
    texts. Without --model, table4 takes the paper's models by their shapes, masks synthetic, and
    table5 a stack of LLaMA2-7B's shape and random weights (5 GB of memory; --quick: 3 GB).

    Example: sslc reproduce table1 --model smollm2-135m --quick

    Example: sslc reproduce table1 table3 --model my/model --text wikitext2,c4 --tasks piqa,boolq

    Example: sslc reproduce table4 --cycle-model event --format markdown

    Example: sslc reproduce table5 --quick
    """
    from reports.console import Reporter, say, show
    from reports.reproduce.registry import chosen, reproduce
    from reports.reproduce.results import unique
    from reports.reproduce.study import Simulation
    from reports.reproduce.writing import write_reproduced
    from sslc.methods.registry import method_class
    from workloads.support.working import one_writer

    wanted = chosen(names, with_tasks=bool(tasks))
    for one in several(method):
        method_class(one)
    simulation = Simulation(
        accelerator, cycle_models(cycle_model), tokens, seed, context, by_shape=model is None
    )
    given = {
        "blocks": blocks, "windows": windows, "window_tokens": window_tokens, "steps": steps,
        "max_tokens": max_tokens, "questions": limit, "seeds": seeds, "new_tokens": new_tokens,
    }  # fmt: skip
    limits = _limits(quick, given)
    directory = _OUT if out is None else out
    with Reporter() as reporter:
        study = _study(model, wanted, directory, device, reporter, published)
        _check_blocks(study, blocks)
        study = replace(
            study, limits=limits, simulation=simulation, kept_fraction=kept_fraction,
            texts=several(text) or ("embedded",), tasks=several(tasks), methods=several(method),
            calibration=calibration, data=data or "", name=name,
        )  # fmt: skip
        writes = out is not None or study.opened is not None
        with one_writer(directory) if writes else contextlib.nullcontext():
            made = {name: reproduce(name, study) for name in wanted}
            paths = write_reproduced(made, study, directory) if writes else []
    tables = [table for whole in made.values() for table in whole.tables]
    results = unique(result for whole in made.values() for result in whole.results)
    show(tables, style, as_json=as_json, results=results)
    for path in paths:
        say(f"wrote {path}")


def _study(
    model: str | None,
    wanted: "Sequence[str]",
    directory: Path,
    device: str,
    progress: "Progress",
    published: str | None,
) -> "Study":
    """The study of a model; of none where only tables by shape are wanted."""
    from reports.paper.published import published_model, published_models
    from reports.reproduce.study import Study
    from workloads.support.errors import unknown_name

    if published is not None and published not in published_models():
        raise unknown_name("published model", published, published_models())
    by_shape = model is None and set(wanted) <= _BY_SHAPE
    checkpoint = None if by_shape else _open(model or "smollm2-135m", device, progress)
    whose = published or published_model("" if checkpoint is None else checkpoint.name)
    return Study(checkpoint, directory, published=whose, device=device, progress=progress)


def _check_blocks(study: "Study", blocks: int | None) -> None:
    """Refuse more blocks than the model has; ``--quick`` takes those that are there.

    Raises:
        InputError: There are fewer.
    """
    from workloads.support.errors import InputError

    if blocks is None or study.opened is None:
        return
    from sslc.model.config import load_config

    most = load_config(study.opened.directory).num_hidden_layers
    if blocks > most:
        raise InputError(f"--blocks must be at most {most}, the model's, got {blocks}")


def _open(model: str, device: str, progress: "Progress") -> "Checkpoint":
    """The model, once it is known that its device is there."""
    from sslc.model.devices import find_device
    from sslc.model.opening import open_checkpoint

    find_device(device)
    return open_checkpoint(model, progress)


def _limits(quick: bool, given: "dict[str, int | None]") -> "Limits":
    from reports.reproduce.study import QUICK, Limits

    chosen = {name: value for name, value in given.items() if value is not None}
    return replace(QUICK if quick else Limits(), **chosen)
