"""``sslc sweep``: many machines, one workload, and which of them nothing beats."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reports.commands import completion
from reports.commands.completion import completing
from reports.commands.options import JsonFlag, Style, check_place

if TYPE_CHECKING:
    from accelerator_sim.design_space.sweep_result import Sweep


def sweep(
    space: Annotated[Path, typer.Argument(metavar="SPACE.toml", help="What to vary, and how.")],
    out: Annotated[
        Path,
        typer.Option(
            callback=check_place,
            file_okay=False,
            help="Directory for shards and results; an earlier run continues.",
        ),
    ],
    workers: Annotated[
        int | None, typer.Option(min=1, show_default="one per core", help="Processes.")
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            autocompletion=completing(completion.backends),
            help="Who evaluates: loky (processes here), dask or ray (a cluster's workers).",
        ),
    ] = "loky",
    scheduler: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", show_default="none", help="Of --backend dask."),
    ] = "",
    address: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            show_default="none",
            help="Of --backend ray: its head, or `local` to start one here.",
        ),
    ] = "",
    share: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="i/N",
            show_default="all",
            help="Only every Nth batch from the ith on, beside runs of the others.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count the points and estimate the time.")
    ] = False,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Cycles, traffic and more over a space of machines, and the Pareto front.

    Begin a space with `sslc list spaces --toml llama2-7b > space.toml`. Finished batches lie in
    DIR/shards as Parquet; a killed run goes on where it was. A space with a table [compression]
    makes its models too, and its front may be about perplexity (docs/co-design.md).

    Example: sslc sweep space.toml --out runs/sweep

    Example: sslc sweep space.toml --out runs/sweep --backend dask --scheduler host:8786

    Example: sslc sweep space.toml --out runs/sweep --shard 3/8
    """
    if dry_run and (share is not None or backend != "loky"):
        from workloads.support.errors import InputError

        raise InputError("--dry-run times the whole space on this machine: no --shard or --backend")
    if dry_run:
        _estimate(space, out, workers, style, as_json)
        return
    evaluating = {
        "workers": workers, "backend": backend, "address": _address(backend, scheduler, address)
    }  # fmt: skip
    if share is None or _share_is_last(space, out, share, evaluating):
        _sweep(space, out, evaluating, style, as_json)


def _address(backend: str, scheduler: str, address: str) -> str:
    """The one that belongs to the backend."""
    from workloads.support.errors import InputError

    if scheduler and backend != "dask":
        raise InputError("--scheduler belongs to --backend dask")
    if address and backend != "ray":
        raise InputError("--address belongs to --backend ray")
    if backend == "dask" and not scheduler:
        raise InputError("--backend dask needs --scheduler HOST:PORT; `dask scheduler` prints it")
    if backend == "ray" and not address:
        raise InputError("--backend ray needs --address HOST:PORT, or --address local")
    return scheduler or address


def _share_is_last(path: Path, out: Path, text: str, evaluating: dict[str, Any]) -> bool:
    """Run a share; whether every point is there now, so that the front can be told."""
    import accelerator_sim
    from reports.console import Reporter, say
    from workloads.support.errors import InputError, shown

    number, _, of_shares = text.partition("/")
    if not (number.isascii() and number.isdigit() and of_shares.isascii() and of_shares.isdigit()):
        raise InputError(f"--shard must be i/N such as 1/4, got {shown(text)}")
    share = (int(number), int(of_shares))
    with Reporter() as reporter:
        run_share: Callable[..., int] = accelerator_sim.sweep_share
        if _compresses(path):
            from reports.codesign.joint_sweep import share_of_joint as run_share
        left = run_share(path, out, share=share, progress=reporter, **evaluating)
    if left:
        say(f"shard {text} is finished; {left:,} points of others are missing in {out}")
        say("the run that finishes the last of them, or one without --shard, gives the front")
    return not left


def _estimate(path: Path, out: Path, workers: int | None, style: str, as_json: bool) -> None:
    import joblib

    from accelerator_sim.design_space.evaluation import estimate
    from accelerator_sim.design_space.space import load_space
    from reports.console import Reporter, show
    from reports.tables.sweep import estimate_table, joint_estimate_table

    count = workers or joblib.cpu_count()
    if _compresses(path):
        from reports.codesign.joint_estimate import estimate_joint

        with Reporter() as reporter:
            joint = estimate_joint(path, out, workers=count, progress=reporter)
        show([joint_estimate_table(path, joint)], style, as_json=as_json, details=joint)
        return
    space = load_space(path)
    dry = estimate(space, out, workers=count)
    show([estimate_table(space, dry)], style, as_json=as_json, details=dry)


def _sweep(path: Path, out: Path, evaluating: dict[str, Any], style: str, as_json: bool) -> None:
    import accelerator_sim
    from reports.console import Reporter

    with Reporter() as reporter:
        if _compresses(path):
            from reports.codesign.joint_sweep import sweep_joint

            joint = sweep_joint(path, out, progress=reporter, **evaluating)
            swept, notes, own = joint.sweep, joint.notes, joint.own
        else:
            swept = accelerator_sim.sweep(path, out, progress=reporter, **evaluating)
            notes, own = (), {}
    _show(swept, out, notes, own, style, as_json)


def _show(
    swept: "Sweep",
    out: Path,
    notes: Sequence[str],
    own: Mapping[str, Sequence[str]],
    style: str,
    as_json: bool,
) -> None:
    """Print and write the front and what moved it."""
    from reports.console import say, show
    from reports.figures.style import write_figure
    from reports.stored.files import save_result
    from reports.tables.sweep import front_table, sensitivity_table, shortened
    from workloads.results.table import write_tables

    table = front_table(swept.result, swept.points, notes)
    moved = sensitivity_table(swept.result, swept.points, own)
    shown = [shortened(table, out), *([moved] if notes else [])]
    show(shown, style, as_json=as_json, results=[swept.result])
    written = [save_result(out, swept.result), *write_tables([table, moved], out)]
    if swept.result.front:
        written += write_figure(swept.plot(), out, "front")
    for path in written:
        say(f"wrote {path}")


def _compresses(path: Path) -> bool:
    """Whether a space makes its workloads: it has a table [compression]."""
    from accelerator_sim.design_space.space import COMPRESSION
    from workloads.support.presets import read_toml

    return COMPRESSION in read_toml(path)
