"""Table 4: cycles of one block, from a model's own masks or from the paper's models by shape."""

from dataclasses import asdict, replace
from typing import Any

from accelerator_sim import simulate
from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.by_name import Model
from accelerator_sim.models.results import CyclesResult
from reports.paper.curve import CURVE_NAME, curve_figure
from reports.paper.published import table4 as published_table4
from reports.paper.table4 import READINGS, Reading, reproduce_table4
from reports.paper.table4 import table4 as build_table4
from reports.reproduce.cells import CellModel, Recipe
from reports.reproduce.comparison import text_name
from reports.reproduce.study import Reproduced, Study
from workloads.results.codec import from_json, to_json


def table4(study: Study) -> Reproduced:
    """The published accelerator table beside ours.

    A model's own masks are those of SSLC with the factors paid for inside the budget (Section
    4.2.3); by shape, masks are synthetic and both readings of the budget are shown.
    """
    how = study.simulation
    if how.by_shape:
        made = reproduce_table4(
            load_accelerator(how.accelerator),
            how.cycle_models,
            tokens=how.tokens,
            seed=how.seed,
            context=how.context,
            progress=study.progress,
        )
        figures = {CURVE_NAME: curve_figure(made.curves, published_table4())} if made.curves else {}
        return Reproduced(made.tables, figures, to_json(made.readings))
    results = _of_the_model(study)
    inside = next(reading for reading, inside in READINGS.items() if inside)
    table = build_table4([Reading(inside, result) for result in results], published_table4())
    first = results[0]
    note = (
        f"{study.checkpoint.name}: real masks of SSLC, mean of its first {len(first.blocks)} "
        f"blocks, {how.tokens} tokens, {first.identity.machine.label}; calibration: "
        f"{study.limits.windows} windows of {study.limits.window_tokens} tokens of "
        f"{text_name(study.calibration)}."
    )
    return Reproduced((replace(table, notes=(note, *table.notes)),), results=to_json(results))


def _of_the_model(study: Study) -> list[CyclesResult]:
    how = study.simulation
    model = CellModel(study, Recipe("sslc"), study.progress)
    machine = load_accelerator(how.accelerator)
    results = []
    for cycle_model in how.cycle_models:
        about = {
            **model.about(), "machine": asdict(machine), "cycle_model": cycle_model,
            "tokens": how.tokens, "context": how.context,
        }  # fmt: skip

        def run(name: Model = cycle_model) -> Any:
            simulation = simulate(
                model.artifact, machine, models=name, tokens=how.tokens,
                blocks=study.limits.blocks, context=how.context, progress=study.progress,
            )  # fmt: skip
            return to_json(simulation[name])

        results.append(from_json(CyclesResult, study.cached("cycles", about, run), "cycles"))
    model.discard()
    return results
