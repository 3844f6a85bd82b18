"""The one entry: what a projection or a block costs by one of three models.

``published`` counts compute cycles only, ``roofline`` is the bound of compute and traffic, and
``event`` simulates the machine. Each gives the same three runs: the matrix dense, S alone, and S
with its low-rank part.
"""

from collections.abc import Iterable
from typing import Literal, get_args

from accelerator_sim.analytic import published_sparse_cycles, roofline_cycles
from accelerator_sim.event_engine import Progress, run_event
from accelerator_sim.hardware import Accelerator
from accelerator_sim.planning import Plan, plan_dense, plan_projection, plan_sparse_part
from accelerator_sim.result import BlockCycles, ProjectionCycles
from workloads.errors import unknown_name
from workloads.mask_stats import column_counts
from workloads.masks import SparseLowRankGemm

Model = Literal["published", "roofline", "event"]
MODELS: tuple[Model, ...] = get_args(Model)


def simulate_projection(
    model: Model,
    projection: SparseLowRankGemm,
    accelerator: Accelerator,
    progress: Progress | None = None,
) -> ProjectionCycles:
    """What one projection costs: dense, S alone, and S with its low-rank part.

    Args:
        model: ``published``, ``roofline`` or ``event``.
        projection: Shape, mask, rank and tokens.
        accelerator: The machine.
        progress: For ``event``: called now and then with the tiles done and all tiles of the run.

    Raises:
        InputError: The model is unknown, or no tile fits the machine.
    """
    if model not in MODELS:
        raise unknown_name("model", model, MODELS)
    if model == "published":
        return _published(projection, accelerator)
    dense = plan_dense(projection.gemm, accelerator)
    whole = plan_projection(projection, accelerator)
    sparse = whole
    if projection.rank:
        program = whole.program
        sparse = plan_sparse_part(projection, program.accelerator, program.tiled.tile)
    if model == "roofline":
        return _roofline(projection, dense, sparse, whole)
    return _event(projection, dense, sparse, whole, progress)


def simulate_block(
    model: Model,
    projections: Iterable[SparseLowRankGemm],
    accelerator: Accelerator,
    progress: Progress | None = None,
) -> BlockCycles:
    """What the projections of a block cost, one after the other with a drain between.

    Args:
        model: As for ``simulate_projection``.
        projections: In the order in which they run; taken one at a time.
        accelerator: The machine.
        progress: As for ``simulate_projection``.

    Raises:
        InputError: As for ``simulate_projection``.
    """
    parts = tuple(
        simulate_projection(model, projection, accelerator, progress) for projection in projections
    )
    return BlockCycles(model, accelerator.name, parts)


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


def _roofline(
    projection: SparseLowRankGemm, dense: Plan, sparse: Plan, whole: Plan
) -> ProjectionCycles:
    bound = {
        name: float(roofline_cycles(plan.program))
        for name, plan in (("dense", dense), ("sparse", sparse), ("sum", whole))
    }
    return ProjectionCycles(
        name=projection.gemm.name,
        module=projection.gemm.module,
        model="roofline",
        dense_cycles=bound["dense"],
        sparse_cycles=bound["sparse"],
        sum_cycles=bound["sum"],
    )


def _event(
    projection: SparseLowRankGemm,
    dense: Plan,
    sparse: Plan,
    whole: Plan,
    progress: Progress | None,
) -> ProjectionCycles:
    dense_run = run_event(dense, progress)
    sparse_run = run_event(sparse, progress)
    sum_run = run_event(whole, progress) if projection.rank else sparse_run
    return ProjectionCycles(
        name=projection.gemm.name,
        module=projection.gemm.module,
        model="event",
        dense_cycles=float(dense_run.cycles),
        sparse_cycles=float(sparse_run.cycles),
        sum_cycles=float(sum_run.cycles),
        dense_run=dense_run,
        sparse_run=sparse_run,
        sum_run=sum_run,
    )
