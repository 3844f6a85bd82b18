"""``sslc simulate``, ``measure`` and ``reproduce``: what the model costs to run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reports.commands.options import (
    AcceleratorName,
    ArtifactPath,
    Context,
    CycleModel,
    DeviceName,
    JsonFlag,
    Settings,
    Style,
    Tokens,
    cycle_models,
    parse_settings,
)

if TYPE_CHECKING:
    from accelerator_sim.hardware import Accelerator
    from accelerator_sim.simulate import Model
    from workloads.masks import SparseLowRankGemm
    from workloads.progress import Progress

_DENSE = 0.99


def simulate(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="An artifact, or a checkpoint: its zeros are masks."),
    ] = None,
    accelerator: AcceleratorName = "array-64x64",
    cycle_model: CycleModel = "all",
    tokens: Tokens = 1,
    settings: Settings = None,
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many blocks.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(help="In place of DIR: one mask, a .npy file of 0 and 1.")
    ] = None,
    rank: Annotated[
        int | None, typer.Option(min=0, help="With --mask: rank of the low-rank part [0].")
    ] = None,
    module: Annotated[
        str | None, typer.Option(help="With --mask: MHA or FFN, for the tables [FFN].")
    ] = None,
    context: Context = None,
    save: Annotated[
        Path | None, typer.Option(help="Directory for the results; an artifact's own unless said.")
    ] = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Cycles on an accelerator from real masks: of an artifact, of a checkpoint, or a single one.

    Example: sslc simulate runs/sslc --accelerator vitcod --set dram.efficiency=0.8 --tokens 16

    Example: sslc simulate runs/sslc --context 4096 --cycle-model compiled

    Example: sslc simulate --mask layer3.npy --rank 64 --module FFN --cycle-model roofline
    """
    from accelerator_sim.catalog import load_accelerator
    from reports.console import Reporter, say, show
    from reports.results import save_result
    from reports.speedup import speedup_table
    from workloads.artifact import MANIFEST

    models = cycle_models(cycle_model)
    machine = load_accelerator(accelerator, parse_settings(settings))
    single = _single_mask(directory, mask, rank, module, blocks, tokens, context)
    with Reporter() as reporter:
        if single is not None:
            results = _simulate_one(single, models, machine, reporter)
        else:
            assert directory is not None
            results = _simulate_directory(
                directory, models, machine, tokens, blocks, context, reporter
            )
            if save is None and (directory / MANIFEST).is_file():
                save = directory
    show([speedup_table(results)], style, as_json, results)
    for model, result in zip(models, results, strict=True):
        if save is not None:
            over = f"-context-{context}" if context else ""
            name = f"cycles-{machine.name}-{model}-{tokens}{over}"
            say(f"wrote {save_result(save, name, result)}")


def _single_mask(
    directory: Path | None,
    mask: Path | None,
    rank: int | None,
    module: str | None,
    blocks: int | None,
    tokens: int,
    context: int | None,
) -> "SparseLowRankGemm | None":
    """The projection of ``--mask``, or None where a directory is given instead.

    Raises:
        InputError: Both or neither are given, options do not go together, or the mask is unusable.
    """
    from workloads.errors import InputError
    from workloads.foreign_masks import single_projection

    if (directory is None) == (mask is None):
        raise InputError("simulate: give either DIR (an artifact or a checkpoint) or --mask M.npy")
    if mask is None:
        if rank is not None or module is not None:
            raise InputError("simulate: --rank and --module belong to --mask; DIR has its own")
        return None
    if blocks is not None:
        raise InputError("simulate: --blocks belongs to DIR; a mask is one projection")
    if context is not None:
        raise InputError("simulate: --context belongs to DIR; a mask is one projection, no heads")
    return single_projection(mask, rank or 0, tokens, module or "FFN")


def _simulate_one(
    item: "SparseLowRankGemm",
    models: "tuple[Model, ...]",
    machine: "Accelerator",
    reporter: "Progress",
) -> list[dict[str, Any]]:
    from reports.simulation import simulate_foreign

    return simulate_foreign(item.gemm.name, [(0, item)], 1, models, machine, reporter)


def _simulate_directory(
    directory: Path,
    models: "tuple[Model, ...]",
    machine: "Accelerator",
    tokens: int,
    blocks: int | None,
    context: int | None,
    reporter: "Progress",
) -> list[dict[str, Any]]:
    """An artifact by its manifest, anything else as a checkpoint whose zeros are its masks."""
    from reports.console import say
    from reports.simulation import attention_of, simulate_artifact, simulate_foreign
    from workloads.artifact import MANIFEST, open_artifact
    from workloads.foreign_masks import open_pruned

    if (directory / MANIFEST).is_file():
        artifact = open_artifact(directory)
        return [
            simulate_artifact(artifact, model, machine, tokens, blocks, reporter, context)
            for model in models
        ]
    model = open_pruned(directory)
    attention = attention_of(directory, tokens, context)
    count = min(len(model.blocks), blocks or len(model.blocks))
    results = simulate_foreign(
        model.name, model.projections(tokens), count, models, machine, reporter, attention
    )
    kept = results[0]["subject"]["kept_fraction"]
    dense = "; the checkpoint is dense" if kept > _DENSE else ""
    say(f"{directory}: {kept:.2%} of the weights in {count} blocks are not zero{dense}")
    return results


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
    both readings of the budget.

    Example: sslc reproduce table4 --cycle-model event --format markdown
    """
    from accelerator_sim.catalog import load_accelerator
    from reports.console import Reporter, say, show
    from reports.simulation import reproduce_table4
    from reports.tables import write_tables
    from workloads.errors import unknown_name

    if name != "table4":
        raise unknown_name("table or figure", name, ["table4"])
    models = cycle_models(cycle_model)
    machine = load_accelerator(accelerator)
    with Reporter() as reporter:
        table, results = reproduce_table4(machine, models, tokens, seed, reporter, context)
    show([table], style, as_json, results)
    if out is not None:
        for path in write_tables([table], out):
            say(f"wrote {path}")
