"""``sslc simulate``: cycles of real masks on an accelerator, and a timeline of one projection."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reports.commands.options import (
    AcceleratorName,
    Context,
    CostTableName,
    CycleModel,
    JsonFlag,
    Settings,
    Style,
    Tokens,
    cycle_models,
    parse_settings,
)

if TYPE_CHECKING:
    from accelerator_sim.machine.costs import CostTable
    from accelerator_sim.machine.hardware import Accelerator
    from accelerator_sim.mapping.candidates import Plan
    from accelerator_sim.models.by_name import Model
    from workloads.artifact.read import Artifact
    from workloads.masks.foreign import PrunedCheckpoint
    from workloads.masks.packed import SparseLowRankGemm
    from workloads.support.progress import Progress

    Source = Artifact | PrunedCheckpoint | SparseLowRankGemm

_DENSE = 0.99


@dataclass(frozen=True)
class _Setting:
    """How a source is simulated."""

    models: "tuple[Model, ...]"
    machine: "Accelerator"
    costs: "CostTable"
    tokens: int
    blocks: int | None
    context: int | None


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
    energy: CostTableName = "28nm",
    trace: Annotated[
        Path | None,
        typer.Option(
            help="Write a timeline of one projection of the first block, dense and compressed, for "
            "ui.perfetto.dev or chrome://tracing; needs the event model."
        ),
    ] = None,
    trace_projection: Annotated[
        str | None,
        typer.Option(help="Which: its name or the end of it, such as down_proj [the first]."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Directory for the results; an artifact's own unless said.")
    ] = None,
    style: Style = "text",
    as_json: JsonFlag = False,
) -> None:
    """Cycles on an accelerator from real masks: of an artifact, of a checkpoint, or a single one.

    Example: sslc simulate runs/sslc --accelerator vitcod --set dram.efficiency=0.8 --tokens 16

    Example: sslc simulate runs/sslc --context 4096 --cycle-model compiled

    Example: sslc simulate runs/sslc --trace out.json --trace-projection up_proj

    Example: sslc simulate --mask layer3.npy --rank 64 --module FFN --cycle-model roofline
    """
    from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
    from reports.console import Reporter, say, show
    from reports.stored.files import save_result
    from reports.tables.cycles import speedup_table
    from reports.tables.energy import energy_table
    from reports.tables.explained import explained_table
    from workloads.artifact.read import Artifact

    models = cycle_models(cycle_model)
    machine = load_accelerator(accelerator, parse_settings(settings))
    setting = _Setting(models, machine, load_cost_table(energy), tokens, blocks, context)
    source = _source(directory, mask, rank, module, setting)
    plans = _plans_to_trace(source, setting, trace, trace_projection)
    with Reporter() as reporter:
        results = _simulate(source, setting, reporter)
    tables = [speedup_table(results), explained_table(results), energy_table(results)]
    show([table for table in tables if table.rows], style, as_json, results)
    if trace is not None:
        _write_trace(trace, plans)
    if save is None and isinstance(source, Artifact):
        save = directory
    for model, result in zip(models, results, strict=True):
        if save is not None:
            over = f"-context-{context}" if context else ""
            name = f"cycles-{machine.name}-{model}-{tokens}{over}"
            say(f"wrote {save_result(save, name, result)}")


def _source(
    directory: Path | None,
    mask: Path | None,
    rank: int | None,
    module: str | None,
    setting: _Setting,
) -> "Source":
    """What is simulated: an artifact by its manifest, another directory as a checkpoint, or a mask.

    Raises:
        InputError: Both or neither are given, options do not go together, or it is unusable.
    """
    from workloads.artifact.read import MANIFEST, open_artifact
    from workloads.masks.foreign import open_pruned, single_projection
    from workloads.support.errors import InputError

    if directory is not None and mask is None:
        if rank is not None or module is not None:
            raise InputError("simulate: --rank and --module belong to --mask; DIR has its own")
        whole = (directory / MANIFEST).is_file()
        return open_artifact(directory) if whole else open_pruned(directory)
    if mask is None or directory is not None:
        raise InputError("simulate: give either DIR (an artifact or a checkpoint) or --mask M.npy")
    if setting.blocks is not None:
        raise InputError("simulate: --blocks belongs to DIR; a mask is one projection")
    if setting.context is not None:
        raise InputError("simulate: --context belongs to DIR; a mask is one projection, no heads")
    return single_projection(mask, rank or 0, setting.tokens, module or "FFN")


def _simulate(source: "Source", setting: _Setting, reporter: "Progress") -> list[dict[str, Any]]:
    """One result per model."""
    from reports.simulated import simulate_artifact, simulate_foreign
    from workloads.artifact.read import Artifact
    from workloads.masks.packed import SparseLowRankGemm

    models, machine, costs = setting.models, setting.machine, setting.costs
    if isinstance(source, SparseLowRankGemm):
        item = [(0, source)]
        return simulate_foreign(source.gemm.name, item, 1, models, machine, reporter, costs=costs)
    if isinstance(source, Artifact):
        return simulate_artifact(
            source, models, machine, setting.tokens, setting.blocks, reporter, setting.context,
            costs,
        )  # fmt: skip
    return _simulate_checkpoint(source, setting, reporter)


def _simulate_checkpoint(
    source: "PrunedCheckpoint", setting: _Setting, reporter: "Progress"
) -> list[dict[str, Any]]:
    from reports.console import say
    from reports.simulated import attention_of, simulate_foreign

    attention = attention_of(source.path, setting.tokens, setting.context)
    count = min(len(source.blocks), setting.blocks or len(source.blocks))
    results = simulate_foreign(
        source.name,
        source.projections(setting.tokens),
        count,
        setting.models,
        setting.machine,
        reporter,
        attention,
        setting.costs,
    )
    kept = results[0]["subject"]["kept_fraction"]
    dense = "; the checkpoint is dense" if kept > _DENSE else ""
    say(f"{source.path}: {kept:.2%} of the weights in {count} blocks are not zero{dense}")
    return results


def _plans_to_trace(
    source: "Source", setting: _Setting, trace: Path | None, name: str | None
) -> "Mapping[str, Plan]":
    """The runs that ``--trace`` will write; found before anything is simulated.

    Raises:
        InputError: The event model does not run, no such projection is there, or it has too many
            tiles.
    """
    from accelerator_sim.simulation.trace import plans_to_trace
    from workloads.masks.packed import SparseLowRankGemm
    from workloads.support.errors import InputError

    if trace is None:
        if name is not None:
            raise InputError("simulate: --trace-projection says what --trace FILE writes; give it")
        return {}
    if "event" not in setting.models:
        raise InputError(
            f"simulate: --trace needs the event model, and --cycle-model {setting.models[0]} runs "
            "without it; use event or all"
        )
    items: Iterable[tuple[int, SparseLowRankGemm]] = (
        [(0, source)]
        if isinstance(source, SparseLowRankGemm)
        else source.projections(setting.tokens)
    )
    return plans_to_trace(_find(items, name), setting.machine)


def _find(
    projections: "Iterable[tuple[int, SparseLowRankGemm]]", name: str | None
) -> "SparseLowRankGemm":
    """The projection of the first block whose name ends so; the first of all without a name."""
    from workloads.support.errors import unknown_name

    known = []
    first = None
    for block, item in projections:
        first = block if first is None else first
        if block != first:
            break
        if name is None or f".{item.gemm.name}".endswith(f".{name}"):
            return item
        known.append(item.gemm.name)
    raise unknown_name("projection", name or "", known)


def _write_trace(path: Path, plans: "Mapping[str, Plan]") -> None:
    from accelerator_sim.simulation.trace import chrome_trace, run_traced
    from reports.console import say
    from workloads.support.files import write_json

    runs = [(name, *run_traced(plan)) for name, plan in plans.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, chrome_trace(runs))
    projection = plans["compressed"].program.tiled.gemm.name
    cycles = ", ".join(f"{name} {result.cycles:,} cycles" for name, result, _ in runs)
    say(f"wrote {path}: {projection} of the first block, {cycles}")
