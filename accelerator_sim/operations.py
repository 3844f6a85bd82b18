"""What the package's face does: simulate a source, sweep a design space. After all other rooms."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from accelerator_sim.block import simulate_block
from accelerator_sim.design_space.evaluation import run_sweep
from accelerator_sim.design_space.results import Sweep, sweep_result
from accelerator_sim.design_space.space import load_space
from accelerator_sim.machine.catalog import DEFAULT_COSTS, load_cost_table, named_machine
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.machine.identity import changes_of, cost_identity, machine_identity
from accelerator_sim.models.by_name import DISTINCT_MODELS, Model, check_models
from accelerator_sim.models.cycles import BlockCycles
from accelerator_sim.models.results import CyclesResult, Simulation
from accelerator_sim.sources import Contents, Simulated, Source, open_source
from workloads.masks.packed import SparseLowRankGemm
from workloads.results.identity import provenance
from workloads.results.kinds import CyclesIdentity, WorkloadIdentity
from workloads.results.workload import WorkloadHash
from workloads.shapes.attention import ContextAttention, check_heads
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent


def simulate(
    source: Simulated | Source,
    accelerator: str | Path | Accelerator = "array-64x64",
    *,
    models: Model | Sequence[Model] = DISTINCT_MODELS,
    tokens: int | None = None,
    blocks: int | None = None,
    context: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    costs: str | Path | CostTable = DEFAULT_COSTS,
    progress: Progress = silent,
) -> Simulation:
    """What a compressed model costs on an accelerator, by each cycle model.

    Args:
        source: A directory (an artifact, or a checkpoint whose zeros are its masks), an opened one,
            a model's shape by name or as a ``Workload`` (synthetic masks), or projections.
        accelerator: A preset's name, a TOML file, or a machine.
        models: ``published``, ``roofline``, ``event`` or ``compiled``; one or several.
        tokens: Per product; by default 1, or what the projections have.
        blocks: Only the first so many; by default all.
        context: Attention over so many tokens as part of the module MHA.
        overrides: Values of the machine by dotted key, such as ``{"dram.efficiency": 0.8}``.
        costs: Energy and area: a table's name, a TOML file, or a table.
        progress: Told after every block.

    Returns:
        One result per model, in their order; also by name: ``result["event"]``.

    Raises:
        InputError: A name is unknown, something cannot be used, or no tile fits the machine.
    """
    names: tuple[Model, ...] = (models,) if isinstance(models, str) else tuple(models)
    check_models(names)
    machine = named_machine(accelerator, overrides)
    table = costs if isinstance(costs, CostTable) else load_cost_table(costs)
    opened = open_source(source)
    limit = opened.of_blocks or opened.blocks
    count = min(_at_least_one("blocks", blocks) or opened.blocks, limit)
    _at_least_one("tokens", tokens)
    run = _run(opened, machine, names, table, (count, tokens, context), progress)
    subject = opened.subject(Contents(run.kept / run.parameters, run.hash.hexdigest()))
    work = WorkloadIdentity(run.hash.hexdigest(), count, opened.of_blocks, run.tokens, context)
    changes = changes_of(accelerator, machine, overrides)
    about = (machine_identity(machine, changes), cost_identity(table))
    origin = provenance()
    return Simulation(
        tuple(
            CyclesResult(
                CyclesIdentity(subject, work, *about, model), origin, tuple(run.blocks[model])
            )
            for model in names
        )
    )


def sweep(
    space: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> Sweep:
    """Evaluate every point of a design space, and its Pareto front.

    Args:
        space: A TOML file, or a dictionary of what would stand in one (``docs/sweep.md``).
        out: Directory of the results, made if missing; finished batches in it are not run again.
        workers: Processes; by default one per core. Results do not depend on it.
        progress: Told the finished points after every batch.

    Returns:
        The front and all points.

    Raises:
        InputError: The space or a field of it cannot be used, or the directory holds something
            else.
    """
    read = load_space(space)
    count = _at_least_one("workers", workers) or joblib.cpu_count()
    points = run_sweep(read, Path(out), workers=count, progress=progress)
    result = sweep_result(read, points, provenance=provenance(threads=count))
    return Sweep(result, points)


def _at_least_one(name: str, value: int | None) -> int | None:
    if value is not None and (isinstance(value, bool) or value < 1):
        raise InputError(f"{name} must be at least 1, got {value!r}")
    return value


@dataclass
class _Run:
    """What adds up over the blocks of a source."""

    blocks: dict[Model, list[BlockCycles]]
    hash: WorkloadHash
    kept: int = 0
    parameters: int = 0
    tokens: int = 1

    def add(self, block: int, items: Iterable[SparseLowRankGemm]) -> None:
        """Count what was run."""
        for item in items:
            self.hash.add(block, item)
            self.kept += item.mask.nnz + item.rank * (item.gemm.m + item.gemm.n)
            self.parameters += item.gemm.parameters
            self.tokens = item.gemm.tokens


def _run(
    source: Source,
    machine: Accelerator,
    models: tuple[Model, ...],
    costs: CostTable,
    extent: tuple[int, int | None, int | None],
    progress: Progress,
) -> _Run:
    """Run the first blocks, each opened and planned once for all models."""
    count, tokens, context = extent
    run = _Run({model: [] for model in models}, WorkloadHash())
    stage = f"simulate ({', '.join(models)})"
    progress(stage, 0, count)
    by_block = itertools.groupby(source.projections(tokens), key=lambda item: item[0])
    for done, (block, members) in enumerate(itertools.islice(by_block, count), start=1):
        items = [item for _, item in members]
        cycles = simulate_block(
            items,
            machine,
            models=models,
            costs=costs,
            attention=_attention(source, items, context),
        )
        for model, of_block in cycles.items():
            run.blocks[model].append(of_block)
        run.add(block, items)
        progress(stage, done, count)
    return run


def _attention(
    source: Source, items: Sequence[SparseLowRankGemm], context: int | None
) -> ContextAttention | None:
    if context is None:
        return None
    heads = source.heads()
    check_heads(heads, [item.gemm for item in items])
    return ContextAttention(heads, items[0].gemm.tokens, context)
