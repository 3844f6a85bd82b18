"""Table 2: methods after fine-tuning, SSLC's own factors against LoRA on sparse baselines."""

from dataclasses import asdict, replace

from reports.paper import NOTES, TASKS, TITLE, published
from reports.reproduce.cells import DENSE, Measured, Recipe, measure
from reports.reproduce.comparison import NAMES, limits_notes, text_name
from reports.reproduce.study import Reproduced, Study
from reports.tables import Cell, Column, Table
from sslc.recovery import Training

_METHODS = ("sparsegpt", "wanda", "sslc")
_RECOVERED = {"sparsegpt": "SparseGPT+LoRA", "wanda": "Wanda+LoRA", "sslc": "SSLC"}


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
    return Reproduced((_table(study, training, dense, found),), results=results)


def _table(
    study: Study,
    training: Training,
    dense: Measured,
    found: list[tuple[str, Measured, Measured]],
) -> Table:
    whose, printed = published("table2", study.published)
    rows = [_row(study, "Dense", dense, dense, printed)]
    for method, before, after in found:
        name = _RECOVERED.get(method, f"{NAMES.get(method, method)} + recovery")
        rows.append(_row(study, name, before, after, printed))
    measured = [f"Perplexity, {text_name(text)}" for text in study.texts]
    measured += ["Zero-shot mean"] if study.tasks else []
    columns = (
        Column("Method"),
        Column("Trained", ",d"),
        Column("Kept before", ".1%"),
        Column("Kept after", ".1%"),
        *(Column(f"{name}, {when}", ".2f") for name in measured for when in ("before", "after")),
        *(Column(f"{task}, published", ".2f") for task in TASKS),
    )
    notes = (
        *limits_notes(study),
        f"Recovery: {training.steps} steps of {training.batch_size} windows of "
        f"{training.window_tokens} tokens of {text_name(training.data)}, learning rate "
        f"{training.learning_rate:g}; S is frozen. LoRA on a sparse baseline adds its parameters "
        "to what is kept; SSLC trains the U and V that it has.",
        f"Published: {TITLE}, table2, {whose}, accuracy after fine-tuning in percent; the paper "
        "says only that LoRA adds parameters.",
        *NOTES["table2"],
    )
    title = f"Table 2, after recovery at {study.kept_fraction:.0%} kept: {study.checkpoint.name}"
    return Table("table2", title, columns, tuple(rows), notes)


def _row(
    study: Study, name: str, before: Measured, after: Measured, printed: list[dict[str, str]]
) -> tuple[Cell, ...]:
    accuracy = {
        row["task"]: float(row["accuracy_percent"]) for row in printed if row["method"] == name
    }
    pairs = [(before.perplexities[text], after.perplexities[text]) for text in study.texts]
    cells: list[Cell] = [value for pair in pairs for value in pair]
    if study.tasks:
        cells += [before.mean_accuracy, after.mean_accuracy]
    kept = (before.kept_share, after.kept_share)
    return (name, after.trained_parameters, *kept, *cells, *(accuracy.get(t) for t in TASKS))
