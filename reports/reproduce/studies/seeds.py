"""Table 8: what the calibration windows' seed does, as mean and standard deviation."""

import math
import statistics
from collections.abc import Mapping, Sequence

from reports.paper.published import published
from reports.reproduce.cells import measure
from reports.reproduce.comparison import (
    Published,
    finite,
    limits_notes,
    perplexity_columns,
    title_of,
)
from reports.reproduce.recipes import Recipe
from reports.reproduce.results import Measured, results_of
from reports.reproduce.study import Reproduced, Study
from workloads.results.table import Cell, Column, Table

_METHODS = ("wanda", "dsnot", "sslc")
_COLUMNS = {"WikiText-2": "wikitext2_ppl", "C4": "c4_ppl", "Zero-shot": "mean"}


def table8(study: Study) -> Reproduced:
    """Mean and sample standard deviation over seeds, by method."""
    model, rows = published("table8", study.published)
    methods, seeds = study.methods or _METHODS, range(study.limits.seeds)
    steps = len(methods) * len(seeds)
    runs = {
        method: [
            measure(
                study,
                Recipe(method, seed=seed),
                label=f"table8 {row * len(seeds) + seed + 1}/{steps} {method}",
            )
            for seed in seeds
        ]
        for row, method in enumerate(methods)
    }
    results = results_of(cell for cells in runs.values() for cell in cells)
    notes = (
        *limits_notes(study, results),
        "sd: sample standard deviation over the seeds (n - 1). A seed places the calibration "
        "windows; everything else is the same. The published rows have five seeds.",
        *Published("table8", model, tuple(_COLUMNS)).notes,
    )
    title = f"Seeds at {study.kept_fraction:.0%} kept (as Table 8): {study.model_name}"
    lines = tuple(_line(study, method, cells=cells, rows=rows) for method, cells in runs.items())
    return Reproduced((Table("table8", title, _columns(study), lines, notes),), results)


def _line(
    study: Study, method: str, *, cells: Sequence[Measured], rows: Sequence[Mapping[str, str]]
) -> tuple[Cell, ...]:
    """A method's means and deviations, ours and the published."""
    name = title_of(method)
    printed = [row for row in rows if row["method"] == name]
    ours = [_spread([cell.perplexities[text] for cell in cells]) for text in study.texts]
    if study.tasks:
        means = [cell.mean_accuracy for cell in cells]
        ours.append(_spread([mean for mean in means if mean is not None]))
    theirs = [_spread([float(row[field]) for row in printed]) for field in _COLUMNS.values()]
    return (name, len(cells), *(cell for pair in (*ours, *theirs) for cell in pair))


def _columns(study: Study) -> tuple[Column, ...]:
    ours = [column.name for column in perplexity_columns(study)]
    ours += ["Zero-shot mean"] if study.tasks else []
    theirs = [f"{name}, published" for name in _COLUMNS]
    pairs = [
        column
        for name in (*ours, *theirs)
        for column in (Column(f"{name}, mean", ".2f"), Column(f"{name}, sd", ".3f"))
    ]
    return (Column("Method"), Column("Seeds"), *pairs)


def _spread(values: Sequence[float]) -> tuple[Cell, Cell]:
    """Mean and sample standard deviation; None where there are too few values."""
    if not values:
        return None, None
    mean = statistics.fmean(values)
    if mean == math.inf or len(values) < 2:
        return finite(mean), None
    return mean, statistics.stdev(values)
