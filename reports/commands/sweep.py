"""``sslc sweep``: many machines, one workload, and which of them nothing beats."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from reports.commands.options import JsonFlag, Style


def sweep(
    space: Annotated[Path, typer.Argument(metavar="SPACE.toml", help="What to vary, and how.")],
    out: Annotated[
        Path, typer.Option(help="Directory for shards and results; an earlier run continues.")
    ],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one per core unless said.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count the points and estimate the time.")
    ] = False,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Cycles, traffic and more over a space of machines, and the Pareto front.

    Finished batches lie in DIR/shards as Parquet; a killed run goes on where it was.

    Example: sslc sweep docs/sweep-llama2-7b.toml --out runs/sweep --workers 2
    """
    import joblib

    from accelerator_sim.design_space.evaluation import estimate, run_sweep
    from accelerator_sim.design_space.space import load_space
    from reports.console import Reporter, say, show
    from reports.figures.cycles import write_figure
    from reports.figures.pareto import pareto_figure
    from reports.tables.sweep import estimate_table, front_table, shortened, sweep_result
    from workloads.results.table import write_tables
    from workloads.support.files import write_json

    count = workers or joblib.cpu_count()
    what = load_space(space)
    if dry_run:
        found = estimate(what, out, workers=count)
        show(
            [estimate_table(what, found)],
            style,
            as_json,
            {**asdict(found), "seconds": found.seconds},
        )
        return
    with Reporter() as reporter:
        results = run_sweep(what, out, workers=count, progress=reporter)
    result = sweep_result(what, results)
    table = front_table(what, result)
    show([shortened(table, out)], style, as_json, result)
    write_json(out / "sweep.json", result)
    written = [out / "sweep.json", *write_tables([table], out)]
    feasible = [row for row in results.to_pylist() if row["feasible"]]
    if feasible:
        written += write_figure(pareto_figure(result, feasible), out, "front")
    for path in written:
        say(f"wrote {path}")
