"""``sslc recover``: fine-tuning U and V, or LoRA factors, with S frozen."""

from pathlib import Path
from typing import Annotated

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import ArtifactPath, DeviceName, JsonFlag, Style, check_place, share


def recover(
    artifact: ArtifactPath,
    out: Annotated[
        Path, typer.Option(callback=check_place, help="Where the recovered artifact goes.")
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            autocompletion=completing(completion.recovery_data, ".txt", ".jsonl"),
            help="`alpaca` (from the hub), a .jsonl of instructions or texts; or a text of `sslc "
            "list texts`, or a text file.",
        ),
    ] = "embedded",
    steps: Annotated[int, typer.Option(help="Of the optimizer.")] = 100,
    learning_rate: Annotated[float, typer.Option(help="At its peak.")] = 5e-4,
    batch_size: Annotated[int, typer.Option(help="Examples per step.")] = 2,
    window_tokens: Annotated[int, typer.Option(help="Tokens per example at most.")] = 256,
    rank_share: Annotated[
        float,
        typer.Option(
            parser=share,
            metavar="SHARE",
            help="Share of the parameters that LoRA may take where there are no factors.",
        ),
    ] = 0.0625,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            show_default="none",
            help="The dense model: learn its next-token distributions in place of the tokens.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order of examples and of LoRA.")] = 0,
    device: DeviceName = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Fine-tune U and V with S frozen; or LoRA of the same size where there are none.

    Masks and values of S stay bit by bit. The result is an artifact again, so every other command
    takes it. A killed run continues with --resume. Needs PEFT: pip install -e '.[recover]'.

    Example: sslc recover runs/sslc --out runs/sslc-recovered --data instructions.jsonl
    """
    import sslc
    from reports.console import Reporter, say, show
    from reports.tables.recovery import recovery_summary, recovery_table
    from workloads.artifact.read import open_artifact
    from workloads.support.crowding import wait_asleep

    wait_asleep()
    before = open_artifact(artifact)
    with Reporter() as reporter:
        after = sslc.recover(
            before,
            out,
            data=data,
            steps=steps,
            window_tokens=window_tokens,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            rank_share=rank_share,
            teacher=teacher,
            device=device,
            resume=resume,
            overwrite=overwrite,
            progress=reporter,
        )
    details = recovery_summary(before, after)
    show([recovery_table(before, after)], style, as_json=as_json, details=details)
    say(f"wrote {out}")
