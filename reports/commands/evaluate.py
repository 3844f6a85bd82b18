"""``sslc evaluate``: how good a model still is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reports.commands.options import DeviceName, JsonFlag, Style

if TYPE_CHECKING:
    import torch

    from reports.stored.files import Subject
    from sslc.evaluation.zero_shot import ZeroShotSettings
    from sslc.model.source import WeightSource
    from workloads.results.table import Table
    from workloads.support.progress import Progress

Tasks = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TASK,...",
        help="Tasks of lm-eval in place of perplexity: names such as piqa,boolq, a task file "
        "(.yaml) or a folder of them; may be repeated.",
    ),
]


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An artifact, or any MODEL.")],
    text: Annotated[
        str | None,
        typer.Option(help="`wikitext2` or `c4` from the hub, or a text file [embedded]."),
    ] = None,
    window_tokens: Annotated[int, typer.Option(help="Tokens per window.")] = 512,
    stride: Annotated[
        int | None,
        typer.Option(help="Tokens between window starts; only new tokens count [no overlap]."),
    ] = None,
    max_tokens: Annotated[
        int, typer.Option(min=0, help="Use at most so many tokens; 0 uses all.")
    ] = 16_384,
    tasks: Tasks = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many questions per task [all].")
    ] = None,
    shots: Annotated[
        int | None, typer.Option(min=0, help="Examples before a question [the task's own].")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences at once, in tasks.")] = 8,
    dtype: Annotated[str, typer.Option(help="Of the model in tasks: F32, BF16 or F16.")] = "F32",
    save: Annotated[
        Path | None,
        typer.Option(help="Directory for the result, or for a dense model an artifact of it."),
    ] = None,
    device: DeviceName = "cpu",
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Perplexity on held-out text, or zero-shot tasks, of an artifact or any model.

    The published setting of perplexity is --window-tokens 2048 with --max-tokens 524288 for c4
    and 0 for wikitext2. Tasks need lm-eval: pip install 'sslc[eval]'.

    Example: sslc evaluate runs/sslc --text my.txt --stride 256 --json

    Example: sslc evaluate runs/sslc --tasks piqa,boolq,hellaswag,winogrande,arc_easy,arc_challenge
    """
    from reports.console import Reporter, say, show
    from reports.stored.files import file_name, save_result, subject_of_source
    from sslc.evaluation.zero_shot import ZeroShotSettings
    from sslc.model.devices import find_device
    from sslc.model.opening import open_source
    from workloads.artifact.read import MANIFEST

    names = [name.strip() for part in tasks or () for name in part.split(",") if name.strip()]
    _check_together(
        names, {"--text": text, "--stride": stride}, {"--limit": limit, "--shots": shots}
    )
    target = find_device(device)
    windows = {"window_tokens": window_tokens, "max_tokens": max_tokens, "stride_tokens": stride}
    settings = ZeroShotSettings(limit, shots, batch_size, dtype)
    with Reporter() as reporter:
        source = open_source(model, reporter)
        subject = subject_of_source(source, model)
        if names:
            table, results = _zero_shot(source, subject, names, settings, target, reporter)
        else:
            table, results = _perplexity(source, subject, text, windows, target, reporter)
    show([table], style, as_json, results if names else results[0])
    if save is None and subject.masks == "real":
        save = source.directory
    if save is not None:
        beside = subject.masks != "real" and (save / MANIFEST).is_file()
        for result in results:
            say(f"wrote {save_result(save, file_name(result, beside), result)}")


def _perplexity(
    source: "WeightSource",
    subject: "Subject",
    text: str | None,
    windows: dict[str, Any],
    device: "torch.device",
    progress: "Progress",
) -> "tuple[Table, list[dict[str, Any]]]":
    from reports.stored.files import perplexity_result
    from reports.tables.cycles import perplexity_table
    from sslc.evaluation.perplexity import perplexity

    found = perplexity(source, text or "embedded", device=device, progress=progress, **windows)
    result = perplexity_result(subject, found)
    return perplexity_table([result]), [result]


def _zero_shot(
    source: "WeightSource",
    subject: "Subject",
    tasks: Sequence[str],
    settings: "ZeroShotSettings",
    device: "torch.device",
    progress: "Progress",
) -> "tuple[Table, list[dict[str, Any]]]":
    from reports.tables.zero_shot import zero_shot_result, zero_shot_table
    from sslc.evaluation.zero_shot import zero_shot

    scores = zero_shot(source, tasks, settings=settings, device=device, progress=progress)
    results = [zero_shot_result(subject, score, settings) for score in scores]
    return zero_shot_table(results), results


def _check_together(
    tasks: Sequence[str], of_text: dict[str, object], of_tasks: dict[str, object]
) -> None:
    from workloads.support.errors import InputError

    other, kind = (of_text, "perplexity") if tasks else (of_tasks, "--tasks")
    given = [name for name, value in other.items() if value is not None]
    if given:
        raise InputError(
            f"{given[0]} belongs to {kind}: evaluate a text or tasks, one after the other"
        )
