"""Table 2: methods after fine-tuning, SSLC's own factors against LoRA on sparse baselines."""

from dataclasses import asdict, replace

from reports.paper.published import NOTES, TASKS, TITLE, published
from reports.reproduce.cells import DENSE, Measured, Recipe, measure
from reports.reproduce.comparison import limits_notes, text_name, title_of
from reports.reproduce.studies.methods import percentages
from reports.reproduce.study import Reproduced, Study
from sslc.recovery.settings import Training
from workloads.results.table import Cell, Column, Table

_METHODS = ("sparsegpt", "wanda", "sslc")
_RECOVERED = {
    "dense": "Dense",
    "sparsegpt": "SparseGPT+LoRA",
    "wanda": "Wanda+LoRA",
    "sslc": "SSLC",
}


def table2(study: Study) -> Reproduced:
    """Before and after recovery: perplexity, accuracy where tasks are given, and what it costs.

    Every method trains as many parameters: SSLC its U and V, the others fresh LoRA factors of the
    same ranks, which add to what they keep.
    """
    limits = study.limits
    training = Training(study.data or study.calibration, steps=limits.steps)
    dense = measure(study, Recipe(DENSE), "table2 dense")
    found: list[tuple[str, Measured, Measured]] = []
    methods = study.methods or _METHODS
    for step, method in enumerate(methods, start=1):
        label, recipe = f"table2 {step}/{len(methods)} {method}", Recipe(method)
        before = measure(study, recipe, f"{label} before", stay=True)
        after = measure(study, replace(recipe, recovery=training), f"{label} after")
        found.append((method, before, after))
    results = {"training": asdict(training), "dense": asdict(dense)} | {
        method: {"before": asdict(before), "after": asdict(after)}
        for method, before, after in found
    }
    whose, printed = published("table2", study.published)
    tables = (
        _table(study, training, [("dense", dense, dense), *found], (whose, printed)),
        _tasks_table([("dense", dense), *((name, after) for name, _, after in found)], whose),
    )
    return Reproduced(tables, results=results)


def _table(
    study: Study,
    training: Training,
    found: list[tuple[str, Measured, Measured]],
    printed: tuple[str, list[dict[str, str]]],
) -> Table:
    whose, lines = printed
    means = {
        row["method"]: float(row["accuracy_percent"]) for row in lines if row["task"] == "mean"
    }
    rows = tuple(
        (
            _name(method), after.trained_parameters, before.kept_share, after.kept_share,
            *_pairs(study, before, after), means.get(_name(method)),
        )
        for method, before, after in found
    )  # fmt: skip
    measured = [f"Perplexity, {text_name(text)}" for text in study.texts]
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
        *limits_notes(study),
        f"Recovery: {training.steps} steps of {training.batch_size} windows of "
        f"{training.window_tokens} tokens of {text_name(training.data)}, learning rate "
        f"{training.learning_rate:g}; S is frozen. LoRA on a sparse baseline adds its parameters "
        "to what is kept; SSLC trains the U and V that it has.",
        f"Published: {TITLE}, table2, {whose}; the paper says only that LoRA adds parameters.",
    )
    title = (
        f"After recovery at {study.kept_fraction:.0%} kept (as Table 2): {study.checkpoint.name}"
    )
    return Table("table2", title, columns, rows, notes)


def _tasks_table(found: list[tuple[str, Measured]], whose: str) -> Table:
    """Accuracy by task after recovery: ours where tasks were given, and the published."""
    _, lines = published("table2", whose)
    printed = {(row["method"], row["task"]): float(row["accuracy_percent"]) for row in lines}
    tasks = list(found[0][1].scores)
    rows = tuple(
        (
            _name(method),
            *percentages(measured, tasks),
            *(printed.get((_name(method), task)) for task in TASKS),
        )
        for method, measured in found
    )
    columns = (
        Column("Method"),
        *(Column(task, ".2f") for task in tasks),
        *(Column(f"{task}, published", ".2f") for task in TASKS),
    )
    ours = "Ours are measured as in table2." if tasks else "No tasks were given: none are ours."
    notes = (f"{ours} Published: {TITLE}, table2, {whose}.", *NOTES["table2"])
    title = "Zero-shot accuracy by task after recovery, in percent (as Table 2)"
    return Table("table2-tasks", title, columns, rows, notes)


def _name(method: str) -> str:
    return _RECOVERED.get(method, f"{title_of(method)} + recovery")


def _pairs(study: Study, before: Measured, after: Measured) -> tuple[Cell, ...]:
    """Before and after, text by text, and the mean accuracy where there are tasks."""
    pairs = [(before.perplexities[text], after.perplexities[text]) for text in study.texts]
    cells: list[Cell] = [value for pair in pairs for value in pair]
    accuracies = (before.mean_accuracy, after.mean_accuracy) if study.tasks else ()
    return (*cells, *accuracies)
