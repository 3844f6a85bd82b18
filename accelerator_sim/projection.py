"""The one entry: what a projection or a block costs by one of the models.

``published`` counts compute cycles only, ``roofline`` is the bound of compute and traffic, and
``event`` simulates the machine; ``compiled`` gives the numbers of ``event``, faster. Each gives the
same three runs: the matrix dense, S alone, and S with its low-rank part.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Literal, get_args

from accelerator_sim.attention.context import attention_cycles, with_attention
from accelerator_sim.machine.catalog import load_cost_table
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan, plan_dense, plan_projection, plan_sparse_part
from accelerator_sim.mapping.kept_programs import KeptPrograms
from accelerator_sim.mapping.roofline import roofline_cycles
from accelerator_sim.models.cycles import RUNS, BlockCycles, ProjectionCycles, Run, with_energy
from accelerator_sim.models.energy import area
from accelerator_sim.models.published import published_sparse_cycles
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import Progress, run_event
from accelerator_sim.simulation.result import EventResult
from workloads.masks.counts import column_counts
from workloads.masks.packed import SparseLowRankGemm
from workloads.shapes.attention import ContextAttention
from workloads.support.errors import unknown_name

Model = Literal["published", "roofline", "event", "compiled"]
MODELS: tuple[Model, ...] = get_args(Model)
DISTINCT_MODELS: tuple[Model, ...] = ("published", "roofline", "event")
"""One of each kind: ``compiled`` would only repeat ``event``."""


def simulate_projection(
    model: Model,
    projection: SparseLowRankGemm,
    accelerator: Accelerator,
    progress: Progress | None = None,
    runs: Collection[Run] = RUNS,
    programs: KeptPrograms | None = None,
) -> ProjectionCycles:
    """What one projection costs: dense, S alone, and S with its low-rank part.

    Args:
        model: ``published``, ``roofline``, ``event`` or ``compiled``.
        projection: Shape, mask, rank and tokens.
        accelerator: The machine.
        progress: For ``event``: called now and then with the tiles done and all tiles of the run.
        runs: Which of the three; the cycles of the others are NaN. ``published`` has them all.
        programs: Where the programs of the whole run are kept for machines to come.

    Raises:
        InputError: The model is unknown, or no tile fits the machine.
    """
    if model not in MODELS:
        raise unknown_name("model", model, MODELS)
    if model == "published":
        return _published(projection, accelerator)
    whole = plan_projection(projection, accelerator, programs)
    plans: dict[Run, Plan] = {}
    if "dense" in runs:
        plans["dense"] = plan_dense(projection.gemm, accelerator)
    if "sparse" in runs:
        plans["sparse"] = whole
        if projection.rank:
            program = whole.program
            tile = program.tiled.tile
            plans["sparse"] = plan_sparse_part(projection, program.accelerator, tile)
    if "sum" in runs:
        plans["sum"] = whole
    if model == "roofline":
        bounds = {name: float(roofline_cycles(plan.program)) for name, plan in plans.items()}
        return _cycles(model, projection, bounds, {})
    run = run_compiled if model == "compiled" else partial(run_event, progress=progress)
    return _simulated(model, projection, plans, run)


def simulate_block(
    model: Model,
    projections: Iterable[SparseLowRankGemm],
    accelerator: Accelerator,
    progress: Progress | None = None,
    table: CostTable | None = None,
    attention: ContextAttention | None = None,
    runs: Collection[Run] = RUNS,
    programs: KeptPrograms | None = None,
) -> BlockCycles:
    """What the projections of a block cost, one after the other with a drain between.

    Args:
        model: As for ``simulate_projection``.
        projections: In the order in which they run; taken one at a time.
        accelerator: The machine.
        progress: As for ``simulate_projection``.
        table: Energy and area; by default ``catalog.DEFAULT_COSTS``.
        attention: Attention over a context as part of the module MHA; None: projections only.
        runs: As for ``simulate_projection``.
        programs: As for ``simulate_projection``.

    Raises:
        InputError: As for ``simulate_projection``.
    """
    costs = table or load_cost_table()
    parts = tuple(
        with_energy(
            simulate_projection(model, projection, accelerator, progress, runs, programs),
            accelerator,
            costs,
        )
        for projection in projections
    )
    if attention is not None:
        parts = with_attention(parts, attention_cycles(model, attention, accelerator, costs))
    return BlockCycles(model, accelerator.name, parts, area(accelerator, costs), costs.name)


def _published(projection: SparseLowRankGemm, accelerator: Accelerator) -> ProjectionCycles:
    """Exact quotients for the dense and low-rank products, whole cycles for S.

    Source: Zong et al., arXiv 2510.26446v1, Table 4: dense rows are Σ m·n / 4096, low-rank rows
    Σ r(m + n) / 4096.
    """
    gemm = projection.gemm
    sparse = published_sparse_cycles(
        column_counts(projection.mask),
        gemm.m,
        accelerator.dense_threshold,
        accelerator.lines,
        accelerator.macs_per_line,
        gemm.tokens,
    ).cycles
    low_rank = gemm.low_rank_macs(projection.rank) / accelerator.peak_macs
    dense = gemm.macs / accelerator.peak_macs
    return ProjectionCycles(
        gemm.name, gemm.module, "published", dense, float(sparse), sparse + low_rank
    )


def _simulated(
    model: Model,
    projection: SparseLowRankGemm,
    plans: Mapping[Run, Plan],
    run: Callable[[Plan], EventResult],
) -> ProjectionCycles:
    """Each plan run; without factors S alone is the whole."""
    found: dict[Run, EventResult] = {}
    for name, plan in plans.items():
        same = name == "sum" and "sparse" in found and not projection.rank
        found[name] = found["sparse"] if same else run(plan)
    cycles = {name: float(result.cycles) for name, result in found.items()}
    return _cycles(model, projection, cycles, found)


def _cycles(
    model: Model,
    projection: SparseLowRankGemm,
    cycles: Mapping[Run, float],
    found: Mapping[Run, EventResult],
) -> ProjectionCycles:
    return ProjectionCycles(
        name=projection.gemm.name,
        module=projection.gemm.module,
        model=model,
        dense_cycles=cycles.get("dense", math.nan),
        sparse_cycles=cycles.get("sparse", math.nan),
        sum_cycles=cycles.get("sum", math.nan),
        dense_run=found.get("dense"),
        sparse_run=found.get("sparse"),
        sum_run=found.get("sum"),
    )
