"""``sslc export``: an artifact as a Hugging Face checkpoint."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import JsonFlag, check_place

if TYPE_CHECKING:
    from typing import Literal


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: Directory of the checkpoint.
        layout: ``dense`` or ``adapter``.
    """

    path: str
    layout: str


def export(
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="An artifact.")],
    out: Annotated[Path, typer.Option(callback=check_place, help="Directory of the checkpoint.")],
    layout: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="dense|adapter",
            autocompletion=completing(completion.layouts),
            help="One dense checkpoint, or a sparse base with U and V as its adapter.",
        ),
    ] = "dense",
    dtype: Annotated[
        str,
        typer.Option(
            metavar="F32|BF16|F16",
            autocompletion=completing(completion.dtypes),
            help="Of the tensors of a dense checkpoint.",
        ),
    ] = "F32",
    as_json: JsonFlag = False,
) -> None:
    """Write an artifact as a Hugging Face checkpoint that needs no code of ours.

    dense: W' = S + U Vᵀ in every projection. adapter: S in the checkpoint, U and V as a PEFT LoRA
    adapter in its folder `adapter`. Both get a model card with what the artifact says and what
    `sslc evaluate DIR` and `sslc evaluate MODEL --save DIR` have measured.

    Example: sslc export runs/sslc --as adapter --out runs/sslc-base
    """
    import sslc
    from reports.console import Reporter, say, show

    chosen = cast("Literal['dense', 'adapter']", layout)  # another name is refused by its own words
    with Reporter() as reporter:
        sslc.export(artifact, out, layout=chosen, dtype=dtype, progress=reporter)
    show([], "text", as_json=as_json, details=Exported(str(out), layout))
    say(f"wrote {out}")
