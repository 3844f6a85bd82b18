"""What the projections of a block cost, one after the other with a drain between.

After ``projection``; with a context, attention runs before the output projection.
"""

from collections.abc import Collection, Iterable

from accelerator_sim.attention.context import attention_cycles, with_attention
from accelerator_sim.machine.catalog import load_cost_table
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.kept_programs import KeptPrograms
from accelerator_sim.models.by_name import DISTINCT_MODELS, Model, check_models
from accelerator_sim.models.cycles import RUNS, BlockCycles, ProjectionCycles, Run, with_energy
from accelerator_sim.models.energy import Area, area, copy_bytes
from accelerator_sim.projection import simulate_projection
from workloads.masks.packed import SparseLowRankGemm
from workloads.shapes.attention import ContextAttention


def simulate_block(
    projections: Iterable[SparseLowRankGemm],
    accelerator: Accelerator,
    *,
    models: Collection[Model] = DISTINCT_MODELS,
    runs: Collection[Run] = RUNS,
    costs: CostTable | None = None,
    attention: ContextAttention | None = None,
    programs: KeptPrograms | None = None,
) -> dict[Model, BlockCycles]:
    """What a block costs by each model; every projection is planned once for all of them.

    Args:
        projections: In the order in which they run; taken one at a time.
        accelerator: The machine, overrides included.
        models: Cycle models, such as ``roofline``.
        runs: As for ``simulate_projection``.
        costs: Energy and area; by default ``catalog.DEFAULT_COSTS``.
        attention: Attention over a context as part of the module MHA; None: projections only.
        programs: As for ``simulate_projection``.

    Returns:
        Cycles by model, in the order of ``models``.

    Raises:
        InputError: As for ``simulate_projection``.
    """
    check_models(models)
    table = costs or load_cost_table()
    parts: dict[Model, list[ProjectionCycles]] = {model: [] for model in models}
    for projection in projections:
        by_model = simulate_projection(
            projection, accelerator, models=models, runs=runs, programs=programs
        )
        for model, cycles in by_model.items():
            parts[model].append(with_energy(cycles, accelerator, table=table))
    if attention is not None:
        added = attention_cycles(attention, accelerator, models=models, costs=table)
        parts = {model: with_attention(parts[model], added[model]) for model in models}
    return {
        model: BlockCycles(
            model,
            accelerator.name,
            tuple(parts[model]),
            _area(parts[model], accelerator, table),
            table.name,
        )
        for model in models
    }


def _area(parts: Iterable[ProjectionCycles], accelerator: Accelerator, table: CostTable) -> Area:
    """Of a machine whose lines hold copies of the inputs of the largest tile that ran."""
    runs = (run for part in parts for run in (part.sum_run, part.sparse_run) if run is not None)
    largest = max((copy_bytes(run, accelerator) for run in runs), default=0)
    return area(accelerator, table, line_copy_bytes=largest)
