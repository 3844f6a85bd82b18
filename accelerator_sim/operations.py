"""What the package's face does: simulate a source, sweep a design space. After all other rooms."""

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib

from accelerator_sim.block import simulate_block
from accelerator_sim.design_space.backends import LOKY, Workers
from accelerator_sim.design_space.evaluation import Share, run_share, run_sweep
from accelerator_sim.design_space.space import load_space
from accelerator_sim.design_space.sweep_result import Sweep, sweep_result
from accelerator_sim.machine.catalog import DEFAULT_COSTS, load_cost_table, named_machine
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.machine.identity import changes_of, cost_identity, machine_identity
from accelerator_sim.models.by_name import CYCLE_MODELS, DISTINCT_MODELS, Model, check_models
from accelerator_sim.models.cycles import BlockCycles
from accelerator_sim.models.cycles_result import CyclesResult, Simulation
from accelerator_sim.models.energy import check_technology
from accelerator_sim.sensitivity.rerun import Reruns
from accelerator_sim.sensitivity.what_if_result import WhatIfResult
from accelerator_sim.serving.phases import Setting
from accelerator_sim.serving.whole import check_served, run_whole
from accelerator_sim.serving.whole_model_result import (
    Requests,
    WholeModelIdentity,
    WholeModelResult,
)
from accelerator_sim.sources import Seen, Simulated, Source, block_count, open_source
from workloads.masks.packed import SparseLowRankGemm
from workloads.results.identity import provenance
from workloads.results.kinds import CyclesIdentity, WorkloadIdentity
from workloads.shapes.attention import ContextAttention, check_heads
from workloads.shapes.gemm import MOST_TOKENS
from workloads.support.errors import InputWarning, check_count
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
    if any(CYCLE_MODELS[name].simulated for name in names):
        check_technology(table, machine.dram.technology)
    check_count("tokens", tokens, MOST_TOKENS)
    check_count("context", context, MOST_TOKENS)
    opened = _open_for(source, machine)
    count = block_count(opened, blocks)
    run = _run(opened, machine, names, table, (count, tokens, context), progress)
    subject, sha256 = opened.subject(run.seen.contents), run.seen.hash.hexdigest()
    work = WorkloadIdentity(sha256, count, opened.of_blocks, run.seen.tokens, context)
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


def simulate_whole(
    source: Simulated | Source,
    accelerator: str | Path | Accelerator = "array-64x64",
    *,
    prompt: int = 512,
    output: int = 128,
    batch: int = 1,
    model: Model = "compiled",
    blocks: int | None = None,
    kv_bits: int | None = None,
    query_block: int = 64,
    max_samples: int = 9,
    overrides: Mapping[str, Any] | None = None,
    costs: str | Path | CostTable = DEFAULT_COSTS,
    progress: Progress = silent,
) -> WholeModelResult:
    """What a whole model costs that serves a batch of requests, dense and compressed.

    Args:
        source: As for ``simulate``, but not projections alone: heads and vocabulary are needed.
        accelerator: As for ``simulate``.
        prompt: Tokens of every prompt.
        output: Tokens made for each.
        batch: Sequences, each with a context of its own.
        model: ``roofline``, ``event`` or ``compiled``.
        blocks: Simulate only the first so many; their mean stands for the others.
        kv_bits: Width of keys and values; by default that of activations.
        query_block: Queries of a prompt that meet the same keys; smaller ones skip more of them.
        max_samples: Contexts simulated per phase at most, straight lines between them.
        overrides: As for ``simulate``.
        costs: Energies: a table's name, a TOML file, or a table.
        progress: Told after every block.

    Raises:
        InputError: A name or number cannot be used, the source is no whole model, or no tile fits
            the machine.
    """
    check_served(model, max_samples)
    counts = {"prompt": prompt, "output": output, "batch": batch, "query_block": query_block}
    for name, value in {**counts, "kv_bits": kv_bits}.items():
        check_count(name, value, MOST_TOKENS)
    check_count("prompt times batch", prompt * batch, MOST_TOKENS)
    machine = named_machine(accelerator, overrides)
    table = costs if isinstance(costs, CostTable) else load_cost_table(costs)
    check_technology(table, machine.dram.technology)
    bits = kv_bits or machine.bits.activation
    setting = Setting(machine, table, model, bits, query_block, max_samples)
    opened = _open_for(source, machine)
    count = block_count(opened, blocks)
    requests = Requests(prompt, output, batch)
    whole = run_whole(opened, requests, setting=setting, blocks=count, progress=progress)
    identity = WholeModelIdentity(
        subject=opened.subject(whole.seen.contents),
        workload_sha256=whole.seen.hash.hexdigest(),
        blocks=count,
        of_blocks=opened.of_blocks or count,
        heads=opened.heads(),
        embedding=opened.embedding(),
        requests=requests,
        kv_bits=bits,
        query_block=query_block,
        max_samples=max_samples,
        machine=machine_identity(machine, changes_of(accelerator, machine, overrides)),
        costs=cost_identity(table),
        cycle_model=model,
    )
    return WholeModelResult(identity, provenance(), whole.parts, whole.error_cycles)


def what_if(
    source: Simulated | Source,
    accelerator: str | Path | Accelerator = "array-64x64",
    *,
    model: Model = "compiled",
    tokens: int | None = None,
    blocks: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> WhatIfResult:
    """What every resource of a machine would gain, doubled or ideal: projections only.

    Args:
        source: As for ``simulate``.
        accelerator: As for ``simulate``.
        model: ``event``, ``compiled`` or ``roofline``.
        tokens: As for ``simulate``.
        blocks: Only the first so many.
        overrides: As for ``simulate``.
        progress: Told after every block.

    Raises:
        InputError: As for ``simulate``.
    """
    check_models((model,))
    check_count("tokens", tokens, MOST_TOKENS)
    machine = named_machine(accelerator, overrides)
    opened = _open_for(source, machine)
    count, seen, reruns = block_count(opened, blocks), Seen(), Reruns(machine, model)
    stage = f"what if ({model})"
    progress(stage, 0, count)
    by_block = itertools.groupby(opened.projections(tokens), key=lambda item: item[0])
    for block, members in itertools.islice(by_block, count):
        items = [item for _, item in members]
        reruns.add(items)
        seen.add(block, items)
        progress(stage, seen.blocks, count)
    work = WorkloadIdentity(seen.hash.hexdigest(), count, opened.of_blocks, seen.tokens)
    about = machine_identity(machine, changes_of(accelerator, machine, overrides))
    identity = CyclesIdentity(
        opened.subject(seen.contents), work, about, cost_identity(load_cost_table()), model
    )
    return WhatIfResult(identity, provenance(), reruns.base, reruns.gains)


def sweep(
    space: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    workers: int | None = None,
    backend: str = LOKY,
    address: str = "",
    progress: Progress = silent,
) -> Sweep:
    """Evaluate every point of a design space, and its Pareto front.

    Args:
        space: A TOML file, or a dictionary of what would stand in one (``docs/sweep.md``).
        out: Directory of the results, made if missing; finished batches in it are not run again.
        workers: Processes; by default one per core. Results do not depend on it.
        backend: ``loky`` for processes of this machine, or ``dask`` or ``ray`` for a cluster's.
        address: Of dask's scheduler or of ray's head; ``local`` has ray start one here.
        progress: Told the finished points after every batch.

    Returns:
        The front and all points.

    Raises:
        InputError: The space or a field of it cannot be used, the directory holds something
            else, or the cluster cannot be used.
    """
    read, evaluating = load_space(space), _workers(workers, backend, address)
    points = run_sweep(read, Path(out), workers=evaluating, progress=progress)
    result = sweep_result(read, points, provenance=provenance(threads=evaluating.count))
    return Sweep(result, points)


def sweep_share(
    space: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    share: tuple[int, int],
    workers: int | None = None,
    backend: str = LOKY,
    address: str = "",
    progress: Progress = silent,
) -> int:
    """Evaluate one share of a design space's points, beside runs of the others.

    When all are there, ``sweep`` evaluates nothing more and gives the front.

    Args:
        space: As ``sweep``; every run has the same.
        out: Directory that all runs see.
        share: Which, from 1, and of how many.
        workers: As ``sweep``.
        backend: As ``sweep``.
        address: As ``sweep``.
        progress: Told the finished points of the share after every batch.

    Returns:
        Points of the whole space that are still missing.

    Raises:
        InputError: As ``sweep``.
    """
    return run_share(
        load_space(space),
        Path(out),
        share=Share(*share),
        workers=_workers(workers, backend, address),
        progress=progress,
    )


def _workers(count: int | None, backend: str, address: str) -> Workers:
    check_count("workers", count)
    return Workers(count or joblib.cpu_count(), backend, address)


def _open_for(source: Simulated | Source, machine: Accelerator) -> Source:
    """Open a source; remarks name widths that are not the machine's, and how experts share tokens.

    Raises:
        InputError: It cannot be used.
    """
    opened, bits = open_source(source), machine.bits
    if opened.float_bits > min(bits.weight, bits.factor):
        warnings.warn(
            f"the artifact stores {opened.float_bits}-bit floating point; machine {machine.name} "
            f"is given {bits.weight}-bit weights and {bits.factor}-bit factors, as if they were "
            "rounded; `sslc compress --set value_bits=8 --set factor_bits=8` stores such numbers",
            InputWarning,
            stacklevel=3,
        )
    if opened.experts:
        warnings.warn(opened.experts, InputWarning, stacklevel=3)
    return opened


@dataclass
class _Run:
    """What adds up over the blocks of a source."""

    blocks: dict[Model, list[BlockCycles]]
    seen: Seen = field(default_factory=Seen)


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
    run = _Run({model: [] for model in models})
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
        run.seen.add(block, items)
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
