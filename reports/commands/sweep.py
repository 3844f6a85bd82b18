"""``sslc sweep``: many machines, one workload, and which of them nothing beats."""

from pathlib import Path
from typing import Annotated

import typer

from reports.commands.options import JsonFlag, Style, check_place


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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count the points and estimate the time.")
    ] = False,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Cycles, traffic and more over a space of machines, and the Pareto front.

    Begin a space with `sslc list spaces --toml llama2-7b > space.toml`. Finished batches lie in
    DIR/shards as Parquet; a killed run goes on where it was.

    Example: sslc sweep space.toml --out runs/sweep
    """
    if dry_run:
        _estimate(space, out, workers, style, as_json)
    else:
        _sweep(space, out, workers, style, as_json)


def _estimate(path: Path, out: Path, workers: int | None, style: str, as_json: bool) -> None:
    import joblib

    from accelerator_sim.design_space.evaluation import estimate
    from accelerator_sim.design_space.space import load_space
    from reports.console import show
    from reports.tables.sweep import estimate_table

    space = load_space(path)
    dry = estimate(space, out, workers=workers or joblib.cpu_count())
    show([estimate_table(space, dry)], style, as_json=as_json, details=dry)


def _sweep(path: Path, out: Path, workers: int | None, style: str, as_json: bool) -> None:
    import accelerator_sim
    from accelerator_sim.design_space.space import load_space
    from reports.console import Reporter, say, show
    from reports.figures.style import write_figure
    from reports.stored.files import save_result
    from reports.tables.sweep import front_table, shortened
    from workloads.results.table import write_tables

    with Reporter() as reporter:
        swept = accelerator_sim.sweep(path, out, workers=workers, progress=reporter)
    table = front_table(load_space(path), swept.result)
    show([shortened(table, out)], style, as_json=as_json, results=[swept.result])
    written = [save_result(out, swept.result), *write_tables([table], out)]
    if swept.result.front:
        written += write_figure(swept.plot(), out, "front")
    for path in written:
        say(f"wrote {path}")
