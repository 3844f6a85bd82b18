"""``sslc evaluate``: how good a model still is."""

from pathlib import Path
from typing import Annotated

import typer

from reports.commands.options import DeviceName, JsonFlag, Style


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An artifact, or any MODEL.")],
    text: Annotated[
        str, typer.Option(help="`embedded`, `wikitext2` or `c4` from the hub, or a text file.")
    ] = "embedded",
    window_tokens: Annotated[int, typer.Option(help="Tokens per window.")] = 512,
    stride: Annotated[
        int | None,
        typer.Option(help="Tokens between window starts; only new tokens count [no overlap]."),
    ] = None,
    most_tokens: Annotated[
        int, typer.Option(min=0, help="Use at most so many tokens; 0 uses all.")
    ] = 16_384,
    save: Annotated[
        Path | None,
        typer.Option(help="Directory for the result, or for a dense model an artifact of it."),
    ] = None,
    device: DeviceName = "cpu",
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Perplexity of an artifact or a dense model on held-out text.

    The published setting is --window-tokens 2048 --most-tokens 524288 for c4, and 0 in place of
    524288 for wikitext2.

    Example: sslc evaluate runs/sslc --text my.txt --stride 256 --json
    """
    from reports.commands.options import open_weights
    from reports.console import Reporter, say, show
    from reports.results import Subject, perplexity_name, perplexity_result, save_result, subject_of
    from reports.runtime import find_device
    from reports.speedup import perplexity_table
    from sslc.evaluate import perplexity
    from sslc.stored import ArtifactWeights
    from workloads.artifact import MANIFEST

    target = find_device(device)
    with Reporter() as reporter:
        source = open_weights(model, reporter)
        found = perplexity(
            source, text, window_tokens, most_tokens, target, reporter, stride_tokens=stride
        )
    if isinstance(source, ArtifactWeights):
        subject, save = subject_of(source.artifact), save or source.directory
    else:
        subject = Subject(model, "dense", 1.0, "none")
    result = perplexity_result(subject, found)
    show([perplexity_table([result])], style, as_json, result)
    if save is not None:
        beside = subject.method == "dense" and (save / MANIFEST).is_file()
        say(f"wrote {save_result(save, perplexity_name(found.text, beside), result)}")
