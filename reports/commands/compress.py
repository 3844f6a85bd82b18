"""``sslc compress``: every projection of a model becomes S + U Vᵀ."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import (
    DeviceName,
    JsonFlag,
    MethodSettings,
    Protocol,
    Style,
    check_place,
    parse_settings,
    share,
)

if TYPE_CHECKING:
    from workloads.results.cost_curves import CostCurves

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        autocompletion=completing(completion.models, ".gguf"),
        help="Hub name (org/name), local Hugging Face directory, .gguf file, or smollm2-135m.",
    ),
]
KeptFraction = Annotated[
    float | None,
    typer.Option(
        parser=share,
        metavar="SHARE",
        show_default="the method's, 0.5",
        help="Kept share of a projection's parameters, those of U and V included.",
    ),
]
RankShare = Annotated[
    float | None,
    typer.Option(
        parser=share,
        metavar="SHARE",
        show_default="the method's",
        help="Share of the parameters that U and V may take.",
    ),
]


def compress(
    model: Model,
    out: Annotated[
        Path | None,
        typer.Option(
            callback=check_place,
            show_default="required, but with --dry-run",
            help="Where the artifact goes.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            autocompletion=completing(completion.methods),
            help="How (`sslc list methods`).",
        ),
    ] = "sslc",
    kept_fraction: KeptFraction = None,
    rank_share: RankShare = None,
    settings: MethodSettings = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            show_default="all",
            help="Only these projections; the others stay dense. May be repeated.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            show_default="none",
            help="Not these: they stay dense; may be repeated.",
        ),
    ] = None,
    overrides: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            show_default="none",
            help='Settings by pattern: ["*.down_proj"] tables.',
        ),
    ] = None,
    allocation: Annotated[
        str,
        typer.Option(
            metavar="uniform|owl|hardware",
            autocompletion=completing(lambda: ["uniform", "owl", "hardware"]),
            help="How the kept fraction is divided: the same for all; more for blocks with more "
            "outliers; or for the least loss within a budget of a machine's cycles, energy or "
            "traffic. The last two take one more pass over the calibration text.",
        ),
    ] = "uniform",
    allocation_settings: Annotated[
        list[str] | None,
        typer.Option(
            "--allocation-set",
            metavar="KEY=VALUE",
            show_default="as published",
            help="Change one setting of --allocation, such as width=0.1; may be repeated.",
        ),
    ] = None,
    accelerator: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.toml",
            autocompletion=completing(completion.accelerators, ".toml"),
            show_default="none",
            help="With --allocation hardware: the machine whose costs are simulated.",
        ),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option(min=1, show_default="1", help="With --accelerator: tokens per product."),
    ] = None,
    cost_curves: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            show_default="none",
            help="In place of --accelerator: what projections cost (`sslc costs` writes one).",
        ),
    ] = None,
    save_overrides: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            show_default="nowhere",
            help="Write what --allocation decided, as a file for --overrides.",
        ),
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(
            metavar="blocks|logits|blocks,logits|none",
            autocompletion=completing(lambda: ["blocks", "logits", "blocks,logits", "none"]),
            show_default="the method's own",
            help="Train what is kept towards the dense model.",
        ),
    ] = None,
    refine_settings: Annotated[
        list[str] | None,
        typer.Option(
            "--refine-set",
            metavar="KEY=VALUE",
            show_default="as the method has it",
            help="Change one setting of --refine, such as logits.steps=80; may be repeated.",
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            autocompletion=completing(lambda: ["self", *completion.texts()], ".txt"),
            show_default="the method's own",
            help="A text of `sslc list texts`, `self` (what the model writes itself), or a text "
            "file; several with shares of the windows: embedded:8,self:8.",
        ),
    ] = None,
    windows: Annotated[
        int | None,
        typer.Option(show_default="16, the method's own", help="Calibration windows."),
    ] = None,
    window_tokens: Annotated[
        int | None, typer.Option(show_default="512", help="Tokens per window.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(show_default="0", help="Of the calibration windows' places.")
    ] = None,
    protocol: Protocol = None,
    dtype: Annotated[
        str,
        typer.Option(
            metavar="auto|BF16|F16|F32",
            autocompletion=completing(lambda: ["auto", *completion.dtypes()]),
            help="Of what is stored; auto: the checkpoint's own.",
        ),
    ] = "auto",
    device: DeviceName = "cpu",
    workers: Annotated[
        int | None,
        typer.Option(min=1, show_default="one per core", help="Projections at once."),
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            show_default="no limit",
            help="Fewer workers to stay below, such as 4GiB; or refuse.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what a run would give and take; write nothing.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Compress a causal LM: every projection becomes S + U Vᵀ.

    Runs block by block, with one block of the model in memory at a time; a killed run continues
    with --resume. A PATTERN is matched against layers.3.self_attn.q_proj and against its last part,
    with wildcards.
    --refine leaves the masks as they are: blocks trains each block on the dense block's outputs,
    logits the whole model, in memory, on the dense model's next-token distributions.

    Example: sslc compress smollm2-135m --out runs/sslc --exclude down_proj --set iterations=20
    """
    from workloads.support.crowding import wait_asleep
    from workloads.support.errors import InputError

    wait_asleep()
    if out is None and not dry_run:
        raise InputError("--out DIR is missing: where does the artifact go?")
    asked: dict[str, Any] = {
        "method": method,
        "kept_fraction": kept_fraction,
        "rank_share": rank_share,
        "settings": parse_settings(settings),
        "include": include or (),
        "exclude": exclude or (),
        "overrides": overrides,
        "refine": refine,
        "refine_settings": parse_settings(refine_settings),
        "dtype": dtype,
        "device": device,
        "workers": workers,
        "max_memory": max_memory,
    }
    asked |= _cut(protocol, calibration, windows, window_tokens, seed)
    if out is None or dry_run:
        _refuse_dry(allocation, accelerator, tokens, cost_curves, save_overrides)
        _estimate(model, asked, style, as_json)
        return
    given = parse_settings(allocation_settings)
    asked |= {
        "allocation": allocation,
        "allocation_settings": given,
        "cost_curves": _curves(model, asked, (allocation, given), accelerator, tokens, cost_curves),
        "save_overrides": save_overrides,
        "resume": resume,
        "overwrite": overwrite,
    }
    _compress(model, out, asked, style, as_json)


def _refuse_dry(allocation: str, *given: object) -> None:
    from workloads.support.errors import InputError

    if allocation != "uniform":
        raise InputError(
            f"--dry-run reads no text, and --allocation {allocation} needs it; leave it out"
        )
    options = ("--accelerator", "--tokens", "--cost-curves", "--save-overrides")
    for option, value in zip(options, given, strict=True):
        if value is not None:
            raise InputError(f"--dry-run: {option} is for an allocation; leave it out")


def _curves(
    model: str,
    asked: dict[str, Any],
    allocation: tuple[str, dict[str, Any]],
    accelerator: str | None,
    tokens: int | None,
    file: Path | None,
) -> "Path | CostCurves | None":
    """A file of cost curves, or those of a machine, simulated now."""
    from workloads.support.errors import InputError

    if accelerator is None:
        if tokens is not None:
            raise InputError("--tokens says how --accelerator NAME is run; give both or neither")
        return file
    if file is not None:
        raise InputError("--accelerator and --cost-curves both say what projections cost; give one")
    from reports.console import Reporter
    from reports.cost_curves import asked_cost_curves

    shares = {key: asked[key] for key in ("kept_fraction", "rank_share")}
    with Reporter() as reporter:
        return asked_cost_curves(
            model, asked["method"], {**_given(shares), **asked["settings"]},
            allocation=allocation[0], allocation_settings=allocation[1], accelerator=accelerator,
            tokens=tokens or 1, progress=reporter,
        )  # fmt: skip


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _cut(
    protocol: str | None,
    calibration: str | None,
    windows: int | None,
    window_tokens: int | None,
    seed: int | None,
) -> dict[str, Any]:
    """Calibration as given, as the protocol has it, or as it is by default."""
    from workloads.texts.protocols import fixed

    given = {
        "calibration": calibration,
        "windows": windows,
        "window_tokens": window_tokens,
        "seed": seed,
    }
    cut: dict[str, Any] = fixed(protocol, given)
    defaults = {"window_tokens": 512, "seed": 0}
    return cut | {name: value for name, value in defaults.items() if cut[name] is None}


def _estimate(model: str, asked: dict[str, Any], style: str, as_json: bool) -> None:
    from reports.console import Reporter, show
    from reports.tables.artifact import estimate_summary, estimate_tables
    from sslc.operations import estimate_run

    with Reporter() as reporter:
        estimate = estimate_run(model, progress=reporter, **asked)
    details = estimate_summary(estimate)
    show(estimate_tables(estimate), style, as_json=as_json, details=details)


def _compress(model: str, out: Path, asked: dict[str, Any], style: str, as_json: bool) -> None:
    import sslc
    from reports.console import Reporter, say, show
    from reports.tables.artifact import artifact_summary, artifact_table

    with Reporter() as reporter:
        artifact = sslc.compress(model, out, progress=reporter, **asked)
    details = artifact_summary(artifact)
    show([artifact_table(artifact)], style, as_json=as_json, details=details)
    say(f"wrote {out}")
