"""Table 2: methods after fine-tuning, SSLC's own factors against LoRA on sparse baselines."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reports.paper.published import NOTES, TITLE, published
from reports.reproduce.cells import measure
from reports.reproduce.comparison import (
    limits_notes,
    perplexity_cells,
    perplexity_columns,
    title_of,
)
from reports.reproduce.recipes import Recipe
from reports.reproduce.results import Measured, results_of
from reports.reproduce.studies.methods import task_columns
from reports.reproduce.study import Reproduced, Study, text_name
from sslc.recovery.settings import Training
from workloads.results.identity import DENSE
from workloads.results.kinds import Result
from workloads.results.table import Cell, Column, Table
from workloads.support.wording import counted

_METHODS = ("sparsegpt", "wanda", "sslc")
_RECOVERED = {
    "dense": "Dense",
    "sparsegpt": "SparseGPT+LoRA",
    "wanda": "Wanda+LoRA",
    "sslc": "SSLC",
}


@dataclass(frozen=True)
class Recovered:
    """A method before and after fine-tuning."""

    before: Measured
    after: Measured


def table2(study: Study) -> Reproduced:
    """Before and after recovery: perplexity, accuracy where tasks are given, and what it costs.

    Every method trains as many parameters: SSLC its U and V, the others fresh LoRA factors of the
    same ranks, which add to what they keep.
    """
    training = Training(study.data or study.calibration, steps=study.limits.steps)
    dense = measure(study, Recipe(DENSE), label="table2 dense")
    pairs = {_name(DENSE): Recovered(dense, dense)}
    methods = study.methods or _METHODS
    for step, method in enumerate(methods, start=1):
        label, recipe = f"table2 {step}/{len(methods)} {method}", Recipe(method)
        before = measure(study, recipe, label=f"{label} before", keep_artifact=True)
        after = measure(study, replace(recipe, recovery=training), label=f"{label} after")
        pairs[_name(method)] = Recovered(before, after)
    model, rows = published("table2", study.published)
    printed = {(row["method"], row["task"]): float(row["accuracy_percent"]) for row in rows}
    tables = (
        _table(study, training, pairs=pairs, printed=printed, model=model),
        _tasks_table(pairs, printed, model=model),
    )
    return Reproduced(tables, _results(pairs))


def _results(pairs: Mapping[str, Recovered]) -> tuple[Result, ...]:
    return results_of(cell for pair in pairs.values() for cell in (pair.before, pair.after))


def _table(
    study: Study,
    training: Training,
    *,
    pairs: Mapping[str, Recovered],
    printed: Mapping[tuple[str, str], float],
    model: str,
) -> Table:
    rows = tuple(
        (
            name, pair.after.facts.trained_parameters, pair.before.facts.kept_share,
            pair.after.facts.kept_share, *_before_and_after(study, pair),
            printed.get((name, "mean")),
        )
        for name, pair in pairs.items()
    )  # fmt: skip
    measured = [column.name for column in perplexity_columns(study)]
    measured += ["Zero-shot mean"] if study.tasks else []
    columns = (
        Column("Method"),
        Column("Trained", ",d"),
        Column("Kept before", ".1%"),
        Column("Kept after", ".1%"),
        *(Column(f"{name}, {when}", ".2f") for name in measured for when in ("before", "after")),
        Column("Zero-shot mean after, published", ".2f"),
    )
    notes = (
        *limits_notes(study, _results(pairs)),
        f"Recovery: {counted(training.steps, 'step')} of "
        f"{counted(training.batch_size, 'window')} of {training.window_tokens} tokens of "
        f"{text_name(training.data)}, learning rate "
        f"{training.learning_rate:g}; S is frozen. LoRA on a sparse baseline adds its parameters "
        "to what is kept; SSLC trains the U and V that it has.",
        f"Published: {TITLE}, table2, {model}; the paper says only that LoRA adds parameters.",
    )
    title = f"After recovery at {study.kept_fraction:.0%} kept (as Table 2): {study.model_name}"
    return Table("table2", title, columns, rows, notes)


def _tasks_table(
    pairs: Mapping[str, Recovered], printed: Mapping[tuple[str, str], float], *, model: str
) -> Table:
    """Accuracy by task after recovery: ours where tasks were given, and the published."""
    after = {name: pair.after for name, pair in pairs.items()}
    ours = "Ours are measured as in table2."
    if not any(cell.tasks for cell in after.values()):
        ours = "No tasks were given: none are ours."
    notes = (f"{ours} Published: {TITLE}, table2, {model}.", *NOTES["table2"])
    title = "Zero-shot accuracy by task after recovery, in percent (as Table 2)"
    return Table("table2-tasks", title, *task_columns(after, printed), notes)


def _name(method: str) -> str:
    return _RECOVERED.get(method, f"{title_of(method)} + recovery")


def _before_and_after(study: Study, pair: Recovered) -> tuple[Cell, ...]:
    """Text by text, and the mean accuracy where there are tasks."""
    before, after = (perplexity_cells(study, cell) for cell in (pair.before, pair.after))
    cells: list[Cell] = [cell for both in zip(before, after, strict=True) for cell in both]
    accuracies = (pair.before.mean_accuracy, pair.after.mean_accuracy) if study.tasks else ()
    return (*cells, *accuracies)
