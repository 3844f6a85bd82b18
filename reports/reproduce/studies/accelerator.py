"""Table 4: cycles of one block, from a model's own masks or from the paper's models by shape.

By shape nothing is compressed: no torch, and masks are synthetic.
"""

from dataclasses import replace

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.cycles_result import CyclesResult
from reports.paper.curve import CURVE_NAME, THRESHOLDS, curve_figure
from reports.paper.published import table4 as published_table4
from reports.paper.table4 import READINGS, Reading, reproduce_table4
from reports.paper.table4 import table4 as build_table4
from reports.reproduce.results import CurveIdentity, CurveResult
from reports.reproduce.study import Reproduced, Study, text_name
from workloads.results.kinds import Result
from workloads.support.wording import counted


def table4(study: Study) -> Reproduced:
    """The published accelerator table beside ours.

    A model's own masks are those of SSLC with the factors paid for inside the budget (Section
    4.2.3); by shape, masks are synthetic and both readings of the budget are shown.
    """
    return _by_shape(study) if study.simulation.by_shape else _of_the_model(study)


def _by_shape(study: Study) -> Reproduced:
    how = study.simulation
    made = reproduce_table4(
        load_accelerator(how.accelerator),
        how.cycle_models,
        tokens=how.tokens,
        seed=how.seed,
        context=how.context,
        progress=study.progress,
    )
    results: list[Result] = []
    for reading in made.readings:
        results += [reading.result, *curve_results(reading)]
    figures = {CURVE_NAME: curve_figure(made.curves, published_table4())} if made.curves else {}
    return Reproduced(made.tables, tuple(results), figures)


def curve_results(reading: Reading) -> list[CurveResult]:
    """The published model over its threshold as results, with what determines them."""
    cycles = reading.result
    whole = cycles.identity
    return [
        CurveResult(
            CurveIdentity(whole.subject, whole.workload, whole.machine, curve.module),
            cycles.provenance,
            curve.dense_cycles,
            THRESHOLDS,
            curve.cycles,
        )
        for curve in reading.curves
    ]


def _of_the_model(study: Study) -> Reproduced:
    from reports.reproduce.studies.own_masks import model_cycles

    results: list[CyclesResult] = model_cycles(study)
    inside = next(reading for reading, inside in READINGS.items() if inside)
    table = build_table4([Reading(inside, result) for result in results], published_table4())
    first, limits = results[0], study.limits
    note = (
        f"{study.model_name}: real masks of SSLC, mean of its first "
        f"{counted(len(first.blocks), 'block')}, "
        f"{counted(first.identity.workload.tokens, 'token')}, {first.identity.machine.label}; "
        f"calibration: {counted(limits.windows, 'window')} of {limits.window_tokens} tokens of "
        f"{text_name(study.calibration)}."
    )
    return Reproduced((replace(table, notes=(note, *table.notes)),), tuple(results))
