"""``sslc evaluate``: how good a model still is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import DeviceName, JsonFlag, Protocol, Style, check_place, several

if TYPE_CHECKING:
    from workloads.results.kinds import PerplexityResult, ZeroShotResult

Tasks = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TASK,...",
        show_default="none: perplexity",
        help="Tasks of lm-eval in place of perplexity: names such as piqa,boolq, a task file "
        "(.yaml) or a folder of them; may be repeated.",
    ),
]


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            autocompletion=completing(completion.models, ".gguf"),
            help="An artifact, or any MODEL that compress takes.",
        ),
    ],
    text: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            autocompletion=completing(completion.texts, ".txt"),
            show_default="embedded",
            help="A text of `sslc list texts`, or a text file.",
        ),
    ] = None,
    window_tokens: Annotated[
        int | None, typer.Option(show_default="512", help="Tokens per window.")
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            show_default="no overlap", help="Tokens between window starts; only new tokens count."
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=0, show_default="16384", help="Use at most so many tokens; 0 uses all."),
    ] = None,
    protocol: Protocol = None,
    tasks: Tasks = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, show_default="all", help="At most so many questions per task."),
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option(min=0, show_default="the task's own", help="Examples before a question."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, show_default="8", help="Sequences at once, in tasks.")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="F32|BF16|F16",
            autocompletion=completing(completion.dtypes),
            show_default="F32",
            help="Of the model in tasks; perplexity is always in F32.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            callback=check_place,
            file_okay=False,
            show_default="the artifact; of another model nowhere",
            help="Directory for the result, or for a dense model an artifact of it.",
        ),
    ] = None,
    device: DeviceName = "cpu",
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Perplexity on held-out text, or zero-shot tasks, of an artifact or any model.

    The published setting of perplexity is --window-tokens 2048 with --max-tokens 524288 for c4
    and 0 for wikitext2. Tasks need lm-eval: pip install -e '.[eval]'. Results of an artifact are
    saved in it; other settings are saved beside them, the same settings replace them.

    Example: sslc evaluate runs/sslc --text my.txt --stride 256 --json

    Example: sslc evaluate runs/sslc --tasks piqa,boolq,hellaswag,winogrande,arc_easy,arc_challenge
    """
    import sslc
    from reports.console import Reporter
    from workloads.artifact.read import MANIFEST
    from workloads.support.crowding import wait_asleep

    wait_asleep()
    names = several(tasks)
    _check_together(
        names,
        {"--text": text, "--stride": stride, "--protocol": protocol},
        {"--limit": limit, "--shots": shots, "--batch-size": batch_size, "--dtype": dtype},
    )
    own = Path(model) if (Path(model) / MANIFEST).is_file() else None
    with Reporter() as reporter:
        if names:
            scores = sslc.evaluate(
                model, tasks=names, limit=limit, shots=shots, batch_size=batch_size or 8,
                dtype=dtype or "F32",
                device=device, progress=reporter,
            )  # fmt: skip
        else:
            perplexity = sslc.evaluate(
                model, device=device, progress=reporter,
                **_cut(protocol, text, window_tokens, stride, max_tokens),
            )  # fmt: skip
    if names:
        _finish_tasks(scores, save or own, style, as_json)
    else:
        _finish_perplexity(perplexity, save or own, style, as_json)


def _cut(
    protocol: str | None,
    text: str | None,
    window_tokens: int | None,
    stride: int | None,
    max_tokens: int | None,
) -> dict[str, Any]:
    """Text and windows as given, as the protocol has them, or as they are by default."""
    from workloads.texts.protocols import fixed

    asked = fixed(
        protocol,
        {"text": text, "window_tokens": window_tokens, "stride": stride, "max_tokens": max_tokens},
        evaluation=True,
    )
    defaults = {"text": "embedded", "window_tokens": 512, "max_tokens": 16_384}
    return asked | {name: value for name, value in defaults.items() if asked[name] is None}


def _finish_perplexity(
    result: "PerplexityResult", directory: Path | None, style: str, as_json: bool
) -> None:
    from reports.console import show
    from reports.tables.perplexity import perplexity_table

    show([perplexity_table([result])], style, as_json=as_json, results=[result])
    _save([result], directory)


def _finish_tasks(
    results: "Sequence[ZeroShotResult]", directory: Path | None, style: str, as_json: bool
) -> None:
    from reports.console import show
    from reports.tables.zero_shot import zero_shot_table

    show([zero_shot_table(results)], style, as_json=as_json, results=results)
    _save(results, directory)


def _save(results: "Sequence[PerplexityResult | ZeroShotResult]", directory: Path | None) -> None:
    from reports.console import say
    from reports.stored.files import save_result

    if directory is not None:
        for result in results:
            say(f"wrote {save_result(directory, result)}")


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
