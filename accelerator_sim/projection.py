"""What one projection costs: planned once, counted by every cycle model that is asked for.

The same three runs by each model: the matrix dense, S alone, and S with its low-rank part. After
``models``; ``block`` adds projections up.
"""

import math
from collections.abc import Collection, Mapping

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.kept_programs import KeptPrograms
from accelerator_sim.models.by_name import DISTINCT_MODELS, Model, Product, check_models, cost
from accelerator_sim.models.cycles import RUNS, ProjectionCycles, Run
from accelerator_sim.planning.planner import plan_dense, plan_projection, plan_sparse_part
from workloads.masks.packed import SparseLowRankGemm


def simulate_projection(
    projection: SparseLowRankGemm,
    accelerator: Accelerator,
    *,
    models: Collection[Model] = DISTINCT_MODELS,
    runs: Collection[Run] = RUNS,
    programs: KeptPrograms | None = None,
) -> dict[Model, ProjectionCycles]:
    """What one projection costs by each model: dense, S alone, and S with its low-rank part.

    Args:
        projection: Shape, mask, rank and tokens.
        accelerator: The machine, overrides included.
        models: Cycle models, such as ``roofline``; all from the same plans.
        runs: Which of the three; the cycles of the others are NaN.
        programs: Where the programs of the whole run are kept for machines to come.

    Returns:
        Cycles by model, in the order of ``models``.

    Raises:
        InputError: A model is unknown, or no tile fits the machine (``published`` needs none).
    """
    check_models(models)
    products = _products(projection, accelerator, programs)
    chosen = {run: product for run, product in products.items() if run in runs}
    return {model: _cycles(model, projection, chosen) for model in models}


def _products(
    projection: SparseLowRankGemm, accelerator: Accelerator, programs: KeptPrograms | None
) -> dict[Run, Product]:
    """The three runs; S alone has the tile and the dataflow of the whole, and is it at rank 0."""
    gemm, mask, rank = projection.gemm, projection.mask, projection.rank
    whole = Product(
        gemm,
        accelerator,
        lambda: plan_projection(projection, accelerator, programs=programs),
        mask,
        rank,
    )
    sparse = whole
    if rank:
        sparse = Product(gemm, accelerator, lambda: _plan_part(projection, whole), mask)
    dense = Product(gemm, accelerator, lambda: plan_dense(gemm, accelerator))
    return {"sum": whole, "dense": dense, "sparse": sparse}


def _plan_part(projection: SparseLowRankGemm, whole: Product) -> Plan:
    return plan_sparse_part(projection, whole.plan.program)


def _cycles(
    model: Model, projection: SparseLowRankGemm, products: Mapping[Run, Product]
) -> ProjectionCycles:
    gemm = projection.gemm
    costs = {run: cost(model, product) for run, product in products.items()}
    cycles = {run: total.cycles for run, total in costs.items()}
    results = {run: total.run for run, total in costs.items()}
    return ProjectionCycles(
        name=gemm.name,
        module=gemm.module,
        model=model,
        dense_cycles=cycles.get("dense", math.nan),
        sparse_cycles=cycles.get("sparse", math.nan),
        sum_cycles=cycles.get("sum", math.nan),
        dense_run=results.get("dense"),
        sparse_run=results.get("sparse"),
        sum_run=results.get("sum"),
        has_work=projection.has_work,
    )
