"""Table 8: what the calibration windows' seed does, as mean and standard deviation."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict

from reports.paper.published import NOTES, TITLE, published
from reports.reproduce.cells import Measured, Recipe, measure
from reports.reproduce.comparison import limits_notes, text_name, title_of
from reports.reproduce.study import Reproduced, Study
from workloads.results.table import Cell, Column, Table

_METHODS = ("wanda", "dsnot", "sslc")
_PUBLISHED = {"WikiText-2": "wikitext2_ppl", "C4": "c4_ppl", "Zero-shot": "mean"}


def table8(study: Study) -> Reproduced:
    """Mean and sample standard deviation over seeds, by method."""
    whose, rows = published("table8", study.published)
    methods, seeds = study.methods or _METHODS, range(study.limits.seeds)
    found = {
        method: [
            measure(
                study,
                Recipe(method, seed=seed),
                f"table8 {place * len(seeds) + seed + 1}/{len(methods) * len(seeds)} {method}",
            )
            for seed in seeds
        ]
        for place, method in enumerate(methods)
    }
    lines = []
    for method, runs in found.items():
        name = title_of(method)
        printed = [row for row in rows if row["method"] == name]
        ours = [_spread([run.perplexities[text] for run in runs]) for text in study.texts]
        if study.tasks:
            ours.append(_spread([run.mean_accuracy or 0.0 for run in runs]))
        theirs = [_spread([float(r[field]) for r in printed]) for field in _PUBLISHED.values()]
        lines.append((name, len(runs), *(cell for pair in (*ours, *theirs) for cell in pair)))
    title = f"Seeds at {study.kept_fraction:.0%} kept (as Table 8): {study.checkpoint.name}"
    notes = (
        *limits_notes(study),
        "sd: sample standard deviation over the seeds (n - 1). A seed places the calibration "
        "windows; everything else is the same.",
        f"Published: {TITLE}, table8, {whose}, five seeds.",
        *NOTES["table8"],
    )
    table = Table("table8", title, _columns(study), tuple(lines), notes)
    return Reproduced((table,), results=_results(found))


def _columns(study: Study) -> tuple[Column, ...]:
    ours = [f"Perplexity, {text_name(text)}" for text in study.texts]
    ours += ["Zero-shot mean"] if study.tasks else []
    theirs = [f"{name}, published" for name in _PUBLISHED]
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
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def _results(found: dict[str, list[Measured]]) -> dict[str, list[dict[str, object]]]:
    return {method: [asdict(run) for run in runs] for method, runs in found.items()}
