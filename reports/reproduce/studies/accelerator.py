"""Table 4: cycles of one block, from a model's own masks or from the paper's models by shape."""

from dataclasses import asdict, replace
from typing import Any

from accelerator_sim.machine.catalog import load_accelerator
from reports.paper.curve import CURVE_NAME, curve_figure
from reports.paper.published import table4 as published_table4
from reports.reproduce.cells import CellModel, Recipe
from reports.reproduce.comparison import text_name
from reports.reproduce.study import Reproduced, Study
from reports.simulated import READINGS, reproduce_table4, simulate_artifact
from reports.tables.cycles import table4 as build_table4


def table4(study: Study) -> Reproduced:
    """The published accelerator table beside ours.

    A model's own masks are those of SSLC with the factors paid for inside the budget (Section
    4.2.3); by shape, masks are synthetic and both readings of the budget are shown.
    """
    how = study.simulation
    machine = load_accelerator(how.accelerator)
    if how.by_shape:
        tables, results, curves = reproduce_table4(
            machine, how.cycle_models, how.tokens, how.seed, study.progress, how.context
        )
        figures = {CURVE_NAME: curve_figure(curves, published_table4())} if curves else {}
        return Reproduced(tuple(tables), figures, results)
    model, found = CellModel(study, Recipe("sslc"), study.progress), []
    for cycle_model in how.cycle_models:
        about = {
            **model.about(), "machine": asdict(machine), "cycle_model": cycle_model,
            "tokens": how.tokens, "context": how.context,
        }  # fmt: skip

        def simulate(name: Any = cycle_model) -> dict[str, Any]:
            blocks = study.limits.blocks
            return simulate_artifact(
                model.artifact, [name], machine, how.tokens, blocks, study.progress, how.context
            )[0]

        found.append(study.cached("cycles", about, simulate))
    model.discard()
    inside = next(reading for reading, inside in READINGS.items() if inside)
    table = build_table4([(inside, result) for result in found], published_table4())
    blocks = len(found[0]["blocks"])
    note = (
        f"{study.checkpoint.name}: real masks of SSLC, mean of its first {blocks} blocks, "
        f"{how.tokens} tokens, {machine.name}; calibration: {study.limits.windows} windows of "
        f"{study.limits.window_tokens} tokens of {text_name(study.calibration)}."
    )
    return Reproduced((replace(table, notes=(note, *table.notes)),), results=found)
