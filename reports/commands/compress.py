"""``sslc compress`` and ``export``: what happens to the model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from reports.commands.options import (
    DeviceName,
    JsonFlag,
    Settings,
    parse_settings,
)

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Hub name (org/name), local Hugging Face directory, .gguf file, or smollm2-135m.",
    ),
]
KeptFraction = Annotated[
    float | None, typer.Option(help="Kept share of each projection's parameters.")
]
RankShare = Annotated[
    float | None, typer.Option(help="Share of the parameters that U and V may take.")
]


def compress(
    model: Model,
    out: Annotated[
        Path | None, typer.Option(help="Where the artifact goes; not with --dry-run.")
    ] = None,
    method: Annotated[str, typer.Option(help="A name from `sslc list methods`.")] = "sslc",
    kept_fraction: KeptFraction = None,
    rank_share: RankShare = None,
    settings: Settings = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only these projections; may be repeated."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Not these: they stay dense; may be repeated."),
    ] = None,
    overrides: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help='Settings by pattern: ["*.down_proj"] tables.'),
    ] = None,
    calibration: Annotated[
        str, typer.Option(help="`embedded`, `wikitext2`, `c4` (from the hub), or a text file.")
    ] = "embedded",
    windows: Annotated[int, typer.Option(help="Calibration windows.")] = 16,
    window_tokens: Annotated[int, typer.Option(help="Tokens per window.")] = 512,
    seed: Annotated[int, typer.Option(help="Of the calibration windows' places.")] = 0,
    dtype: Annotated[str, typer.Option(help="Stored dtype: auto, BF16, F16 or F32.")] = "auto",
    device: DeviceName = "cpu",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Projections at once; one per core by default.")
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Fewer workers to stay below, such as 4GiB; or refuse."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what a run would give and take; write nothing.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Compress a causal LM: every projection becomes S + U Vᵀ.

    Runs block by block, so memory holds one block; a killed run continues with --resume. A PATTERN
    is matched against layers.3.self_attn.q_proj and against its last part, with wildcards.

    Example: sslc compress smollm2-135m --out runs/sslc --exclude down_proj --set iterations=20
    """
    from reports.console import Reporter, say, show
    from reports.tables.artifact import (
        artifact_summary,
        artifact_table,
        estimate_summary,
        estimate_tables,
    )
    from sslc.operations import compress as run
    from sslc.operations import estimate_run
    from workloads.support.errors import InputError

    if out is None and not dry_run:
        raise InputError("--out DIR is missing: where does the artifact go?")
    with Reporter() as reporter:
        asked: dict[str, Any] = {
            "method": method, "kept_fraction": kept_fraction, "rank_share": rank_share,
            "settings": parse_settings(settings), "include": include or (),
            "exclude": exclude or (), "overrides": overrides, "calibration": calibration,
            "windows": windows, "window_tokens": window_tokens, "seed": seed, "dtype": dtype,
            "device": device, "workers": workers, "max_memory": max_memory, "progress": reporter,
        }  # fmt: skip
        if out is None or dry_run:
            estimate = estimate_run(model, **asked)
        else:
            artifact = run(model, out, resume=resume, overwrite=overwrite, **asked)
    if out is None or dry_run:
        show(estimate_tables(estimate), "text", as_json, estimate_summary(estimate))
        return
    show([artifact_table(artifact)], "text", as_json, artifact_summary(artifact))
    say(f"wrote {out}")


def export(
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="An artifact.")],
    out: Annotated[Path, typer.Option(help="Directory of the checkpoint.")],
    layout: Annotated[str, typer.Option("--as", help="dense or adapter.")] = "dense",
    dtype: Annotated[str, typer.Option(help="Of dense: F32, BF16 or F16.")] = "F32",
    as_json: JsonFlag = False,
) -> None:
    """Write an artifact as a Hugging Face checkpoint that needs no code of ours.

    dense: W' = S + U Vᵀ in every projection. adapter: S in the checkpoint, U and V as a PEFT LoRA
    adapter in its folder `adapter`. Both get a model card with what the artifact says and what
    `sslc evaluate DIR` and `sslc evaluate MODEL --save DIR` have measured.

    Example: sslc export runs/sslc --as adapter --out runs/sslc-base
    """
    from reports.console import Reporter, say, show
    from sslc.operations import export as run

    with Reporter() as reporter:
        run(artifact, out, layout=layout, dtype=dtype, progress=reporter)  # type: ignore[arg-type]
    show([], "text", as_json, {"path": str(out), "layout": layout})
    say(f"wrote {out}")
