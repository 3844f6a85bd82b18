"""Tables 1, 9 and 10: methods beside each other."""

from dataclasses import replace

from reports.paper.published import NOTES, TASKS, TITLE, published
from reports.reproduce.cells import DENSE, Measured, Recipe, measure
from reports.reproduce.comparison import Line, compare, limits_notes, number, text_name, title_of
from reports.reproduce.study import Reproduced, Study
from reports.tables.zero_shot import ACCURACY
from sslc.evaluation.zero_shot import PUBLISHED_TASKS
from workloads.results.table import Cell, Column, Table

_TABLE1 = ("sparsegpt", "wanda", "dsnot", "svd-llm", "sslc")
_TABLE10 = ("sparsegpt", "wanda", "dsnot", "sslc")
_METRICS = {"WikiText-2": "wikitext2_ppl", "C4": "c4_ppl", "Zero-shot": "zero_shot_mean_acc"}
_PLUGINS = ("ria", "alps", "pruner-zero")


def table1(study: Study) -> Reproduced:
    """Perplexity, and zero-shot accuracy where tasks are given, by method."""
    whose, rows = published("table1", study.published)
    printed = {(row["method"], row["metric"]): float(row["value"]) for row in rows}
    lines = []
    for method, found in _measure_all(study, "table1", study.methods or _TABLE1):
        name = title_of(method)
        values = tuple(printed.get((name, metric)) for metric in _METRICS.values())
        lines.append(Line((name,), found, values))
    title = f"Methods at {study.kept_fraction:.0%} kept (as Table 1)"
    return compare(study, "table1", title, ["Method"], lines, (whose, list(_METRICS)))


def table10(study: Study) -> Reproduced:
    """Zero-shot accuracy by task and method; the published tasks unless others are given."""
    study = replace(study, texts=(), tasks=study.tasks or PUBLISHED_TASKS)
    whose, rows = published("table10", study.published)
    printed = {(row["method"], row["task"]): float(row["accuracy_percent"]) for row in rows}
    found = _measure_all(study, "table10", study.methods or _TABLE10)
    tasks = list(dict.fromkeys(task for _, measured in found for task in measured.scores))
    lines: list[tuple[Cell, ...]] = [
        (
            title_of(method),
            *percentages(measured, tasks),
            measured.mean_accuracy,
            *(printed.get((title_of(method), task)) for task in TASKS),
        )
        for method, measured in found
    ]
    columns = (
        Column("Method"),
        *(Column(text_name(task), ".2f") for task in (*tasks, "mean")),
        *(Column(f"{task}, published", ".2f") for task in TASKS),
    )
    return _zero_shot_table(study, whose, columns, lines, dict(found))


def _zero_shot_table(
    study: Study,
    whose: str,
    columns: tuple[Column, ...],
    lines: list[tuple[Cell, ...]],
    found: dict[str, Measured],
) -> Reproduced:
    title = f"Zero-shot accuracy at {study.kept_fraction:.0%} kept (as Table 10)"
    notes = (*limits_notes(study), f"Published: {TITLE}, table10, {whose}.", *NOTES["table10"])
    table = Table("table10", f"{title}: {study.checkpoint.name}", columns, tuple(lines), notes)
    scores = {method: dict(measured.scores) for method, measured in found.items()}
    return Reproduced((table,), results=scores)


def table9(study: Study) -> Reproduced:
    """Other selection scores, alone and inside SSLC."""
    whose, rows = published("table9", study.published)
    printed = {row["method"]: row for row in rows}
    names = {"WikiText-2": "wikitext2_ppl", "C4": "c4_ppl", "Zero-shot": "mean"}
    lines = []
    for place, score in enumerate(_PLUGINS):
        pair = (
            (title_of(score), Recipe(score)),
            (f"{title_of(score)}+SSLC", Recipe("sslc", {"score": score})),
        )
        for step, (name, recipe) in enumerate(pair, start=2 * place + 1):
            found = measure(study, recipe, f"table9 {step}/{2 * len(_PLUGINS)} {name}")
            values = tuple(number(printed[name], field) for field in names.values())
            lines.append(Line((name,), found, values))
    title = f"SSLC over other scores at {study.kept_fraction:.0%} kept (as Table 9)"
    return compare(study, "table9", title, ["Method"], lines, (whose, list(names)))


def _measure_all(study: Study, name: str, methods: tuple[str, ...]) -> list[tuple[str, Measured]]:
    """The dense model and every method."""
    whole = (DENSE, *methods)
    return [
        (method, measure(study, Recipe(method), f"{name} {step}/{len(whole)} {method}"))
        for step, method in enumerate(whole, start=1)
    ]


def percentages(measured: Measured, tasks: list[str]) -> tuple[Cell, ...]:
    """``acc`` by task, in percent; None for a task that has none."""
    scores = (measured.scores.get(task, {}).get(ACCURACY) for task in tasks)
    return tuple(None if score is None else 100 * score for score in scores)
