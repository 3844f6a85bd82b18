"""Tables 1, 9 and 10: methods beside each other."""

from collections.abc import Mapping
from dataclasses import replace

from reports.paper.published import NOTES, TASKS, newer_methods, published
from reports.reproduce.cells import measure
from reports.reproduce.comparison import (
    Line,
    Published,
    compare,
    limits_notes,
    number,
    perplexity_cells,
    perplexity_columns,
    title_of,
)
from reports.reproduce.recipes import Recipe
from reports.reproduce.results import Measured, results_of
from reports.reproduce.study import Reproduced, Study
from sslc.evaluation.zero_shot import PUBLISHED_TASKS
from sslc.refinement.stages import BlockMatching
from workloads.results.identity import DENSE
from workloads.results.table import Cell, Column, Table

_TABLE1 = ("sparsegpt", "wanda", "dsnot", "svd-llm", "sslc")
_TABLE10 = ("sparsegpt", "wanda", "dsnot", "sslc")
_MATCHED = Recipe("3basil", matching=BlockMatching(norms=True))
_METRICS = {"WikiText-2": "wikitext2_ppl", "C4": "c4_ppl", "Zero-shot": "zero_shot_mean_acc"}
_PLUGINS = ("ria", "alps", "pruner-zero")
MEAN = "Mean of tasks"


def table1(study: Study) -> Reproduced:
    """Perplexity, and zero-shot accuracy where tasks are given, by method.

    A second table has what newer methods' own papers print, with ours where the study has them;
    3BASiL with and without the training of blocks that its paper puts behind it.
    """
    model, rows = published("table1", study.published)
    printed = {(row["method"], row["metric"]): float(row["value"]) for row in rows}
    methods = (DENSE, *(study.methods or _TABLE1))
    recipes = {title_of(method): Recipe(method) for method in methods}
    if _MATCHED.method in methods:
        recipes[f"{title_of(_MATCHED.method)} with transformer matching"] = _MATCHED
    by_name = _measure_all(study, "table1", recipes)
    lines = [
        Line((name,), cell, tuple(printed.get((name, metric)) for metric in _METRICS.values()))
        for name, cell in by_name.items()
    ]
    made = compare(
        study,
        f"Methods at {study.kept_fraction:.0%} kept (as Table 1)",
        headings=["Method"],
        lines=lines,
        published=Published("table1", model, tuple(_METRICS)),
    )
    return replace(made, tables=(*made.tables, _newer_table(study, by_name)))


def _newer_table(study: Study, measured: Mapping[str, Measured]) -> Table:
    """Newer methods as their papers print them, and ours where they were measured."""
    printed = ("dense_wikitext2_ppl", "wikitext2_ppl", "c4_ppl")
    columns = (
        *(Column(name) for name in ("Method", "Published model", "Published setting")),
        Column("Context", ","),
        *(Column(f"{name}, published", ".2f") for name in ("Dense WikiText-2", "WikiText-2", "C4")),
        *(Column(name) for name in ("Source", "Read in")),
        *perplexity_columns(study),
    )
    rows: list[tuple[Cell, ...]] = []
    for row in newer_methods():
        ours = measured.get(row["method"])
        cells = perplexity_cells(study, ours) if ours else (None,) * len(study.texts)
        context = int(row["context"]) if row["context"] else None
        facts = (row["source"], row["read_in"])
        named = (row["method"], row["model"], row["setting"], context)
        rows.append((*named, *(number(row, field) for field in printed), *facts, *cells))
    kept = f"{study.kept_fraction:.0%}"
    title = f"Newer methods in their own papers, and ours at {kept}: {study.model_name}"
    return Table("newer", title, columns, tuple(rows), NOTES["newer"])


def table10(study: Study) -> Reproduced:
    """Zero-shot accuracy by task and method; the published tasks unless others are given."""
    study = replace(study, texts=(), tasks=study.tasks or PUBLISHED_TASKS)
    model, rows = published("table10", study.published)
    printed = {(row["method"], row["task"]): float(row["accuracy_percent"]) for row in rows}
    methods = (DENSE, *(study.methods or _TABLE10))
    by_name = _measure_all(study, "table10", {title_of(name): Recipe(name) for name in methods})
    results = results_of(by_name.values())
    table = Table(
        "table10",
        f"Zero-shot accuracy at {study.kept_fraction:.0%} kept (as Table 10): {study.model_name}",
        *task_columns(by_name, printed, with_mean=True),
        (*limits_notes(study, results), *Published("table10", model, TASKS).notes),
    )
    return Reproduced((table,), results)


def task_columns(
    measured: Mapping[str, Measured],
    printed: Mapping[tuple[str, str], float],
    *,
    with_mean: bool = False,
) -> tuple[tuple[Column, ...], tuple[tuple[Cell, ...], ...]]:
    """Columns and rows of accuracies by task, in percent, ours and then the published.

    Args:
        measured: By the method's name in the published table.
        printed: Published accuracies by method and task.
        with_mean: Add the mean over our tasks.
    """
    tasks = list(dict.fromkeys(task for cell in measured.values() for task in cell.accuracies))
    mean = (Column(MEAN, ".2f"),) if with_mean else ()
    columns = (
        Column("Method"),
        *(Column(task, ".2f") for task in tasks),
        *mean,
        *(Column(f"{task}, published", ".2f") for task in TASKS),
    )
    rows = tuple(
        (
            method,
            *(cell.accuracies.get(task) for task in tasks),
            *((cell.mean_accuracy,) if with_mean else ()),
            *(printed.get((method, task)) for task in TASKS),
        )
        for method, cell in measured.items()
    )
    return columns, rows


def table9(study: Study) -> Reproduced:
    """Other selection scores, alone and inside SSLC."""
    model, rows = published("table9", study.published)
    printed = {row["method"]: row for row in rows}
    names = {"WikiText-2": "wikitext2_ppl", "C4": "c4_ppl", "Zero-shot": "mean"}
    recipes: dict[str, Recipe] = {}
    for score in _PLUGINS:
        recipes[title_of(score)] = Recipe(score)
        recipes[f"{title_of(score)}+SSLC"] = Recipe("sslc", {"score": score})
    lines = [
        Line((name,), cell, tuple(number(printed[name], field) for field in names.values()))
        for name, cell in _measure_all(study, "table9", recipes).items()
    ]
    return compare(
        study,
        f"SSLC over other scores at {study.kept_fraction:.0%} kept (as Table 9)",
        headings=["Method"],
        lines=lines,
        published=Published("table9", model, tuple(names)),
    )


def _measure_all(study: Study, table: str, recipes: Mapping[str, Recipe]) -> dict[str, Measured]:
    """Every recipe of a table, by the name of its row."""
    return {
        name: measure(study, recipe, label=f"{table} {step}/{len(recipes)} {name}")
        for step, (name, recipe) in enumerate(recipes.items(), start=1)
    }
