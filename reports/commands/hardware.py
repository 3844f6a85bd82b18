"""``sslc measure`` and ``reproduce``: runtimes on the device at hand, and the paper's tables."""

from pathlib import Path
from typing import Annotated

import typer

from reports.commands.options import (
    AcceleratorName,
    ArtifactPath,
    Context,
    CycleModel,
    DeviceName,
    JsonFlag,
    Style,
    Tokens,
    cycle_models,
)


def measure(
    directory: ArtifactPath,
    tokens: Annotated[list[int] | None, typer.Option(min=1, help="May be repeated.")] = None,
    block: Annotated[list[int] | None, typer.Option(min=0, help="May be repeated.")] = None,
    device: DeviceName = "cpu",
    seconds: Annotated[float, typer.Option(min=0.001, help="Measuring time per kernel.")] = 0.1,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Runtimes on the device at hand: the dense product against what the artifact runs.

    By default block 0 at 1 and 128 tokens.

    Example: sslc measure runs/sslc --tokens 1 --tokens 128 --block 0 --device cuda
    """

    from reports.console import Reporter, say, show
    from reports.results import save_result, subject_of
    from reports.runtime import describe_device, find_device
    from reports.runtime import measure as run
    from reports.speedup import runtime_result, runtime_table
    from workloads.artifact import open_artifact

    target = find_device(device)
    artifact = open_artifact(directory)
    with Reporter() as reporter:
        runtimes = run(artifact, tokens or [1, 128], block or [0], target, seconds, reporter)
    subject, found = subject_of(artifact), describe_device(target)
    result = runtime_result(subject, found, runtimes)
    show([runtime_table([result])], style, as_json, result)
    say(f"wrote {save_result(directory, f'runtime-{target.type}', result)}")


def reproduce(
    name: Annotated[str, typer.Argument(metavar="NAME", help="table4")],
    accelerator: AcceleratorName = "array-64x64",
    cycle_model: CycleModel = "all",
    tokens: Tokens = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic masks.")] = 0,
    context: Context = None,
    out: Annotated[Path | None, typer.Option(help="Directory for tables and results.")] = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """A table of the paper, ours beside the published numbers.

    table4: cycles of one block of LLaMA2-7B and Qwen2.5-7B from seeded synthetic masks, under
    both readings of the budget; and those of the published model over its dense-column threshold.

    Example: sslc reproduce table4 --cycle-model event --format markdown
    """
    from accelerator_sim.catalog import load_accelerator
    from reports.console import Reporter, say, show
    from reports.curve import CURVE_NAME, curve_figure
    from reports.figures import write_figure
    from reports.paper import table4
    from reports.simulation import reproduce_table4
    from reports.tables import write_tables
    from workloads.errors import unknown_name

    if name != "table4":
        raise unknown_name("table or figure", name, ["table4"])
    models = cycle_models(cycle_model)
    machine = load_accelerator(accelerator)
    with Reporter() as reporter:
        tables, results, curves = reproduce_table4(machine, models, tokens, seed, reporter, context)
    show(tables, style, as_json, results)
    if out is not None:
        paths = write_tables(tables, out)
        if curves:
            paths += write_figure(curve_figure(curves, table4()), out, CURVE_NAME)
        for path in paths:
            say(f"wrote {path}")
