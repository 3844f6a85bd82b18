"""Figure 6: perplexity against the pruning ratio, a line per method and a marker per text."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from reports.reproduce.cells import measure
from reports.reproduce.comparison import (
    figure_title,
    limits_notes,
    perplexity_cells,
    perplexity_columns,
    title_of,
)
from reports.reproduce.recipes import Recipe
from reports.reproduce.results import Measured, results_of
from reports.reproduce.study import Reproduced, Study, text_names
from workloads.results.identity import DENSE
from workloads.results.kinds import Result
from workloads.results.table import Cell, Column, Table

_METHODS = ("sparsegpt", "wanda", "sslc")
RATIOS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_QUICK_RATIOS = (0.3, 0.5, 0.7)
_STYLES = (
    ("#0072B2", "o", "-"),
    ("#E69F00", "s", "--"),
    ("#D55E00", "^", "-."),
    ("#009E73", "D", ":"),
)
_DRAWN_TEXTS = 2
Points = Mapping[str, Mapping[float, Measured]]
"""By method and pruned share."""


def figure6(study: Study) -> Reproduced:
    """Perplexity over the pruned share, for up to two texts: solid and hollow markers.

    The paper's points are not printed as numbers, so none stand beside ours. What its solid and
    hollow markers mean is our reading: the first and the second text.
    """
    methods = study.methods or _METHODS
    ratios = RATIOS if study.limits.blocks is None else _QUICK_RATIOS
    dense = measure(study, Recipe(DENSE), label="figure6 dense")
    points: dict[str, dict[float, Measured]] = {method: {} for method in methods}
    cells = [(method, ratio) for ratio in ratios for method in points]
    for step, (method, ratio) in enumerate(cells, start=1):
        label = f"figure6 {step}/{len(cells)} {method} {ratio:.0%}"
        recipe = Recipe(method, {"kept_fraction": round(1 - ratio, 9)})
        points[method][ratio] = measure(study, recipe, label=label)
    results = results_of((dense, *(cell for line in points.values() for cell in line.values())))
    table = _table(study, points, dense=dense, results=results)
    return Reproduced((table,), results, {"figure6": ratio_figure(study, points, dense=dense)})


def _table(study: Study, points: Points, *, dense: Measured, results: tuple[Result, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = [("Dense", 0.0, *perplexity_cells(study, dense))]
    for method, line in points.items():
        name = title_of(method)
        rows += [(name, ratio, *perplexity_cells(study, cell)) for ratio, cell in line.items()]
    columns = (Column("Method"), Column("Pruned", ".0%"), *perplexity_columns(study))
    title = f"Perplexity over the pruning ratio (as Figure 6): {study.model_name}"
    notes = (
        *limits_notes(study, results),
        "Pruned: 1 - kept share, SSLC's factors counted as kept. The paper's own points are not "
        "printed as numbers.",
    )
    return Table("figure6", title, columns, tuple(rows), notes)


def ratio_figure(study: Study, points: Points, *, dense: Measured) -> Figure:
    """The figure of ``figure6``.

    Args:
        study: Its first text gets solid markers, its second hollow ones.
        points: Drawn as lines, one per method and text.
        dense: The model as it is, drawn as horizontal lines.
    """
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    names = list(text_names(study.texts).items())[:_DRAWN_TEXTS]
    for (method, line), (colour, marker, dashes) in zip(points.items(), _STYLES, strict=False):
        for (text, name), fill in zip(names, (colour, "white"), strict=False):
            axes.plot(
                [100 * ratio for ratio in line],
                [cell.perplexities[text] for cell in line.values()],
                color=colour, marker=marker, linestyle=dashes, markersize=7, markerfacecolor=fill,
                label=f"{title_of(method)}, {name}",
            )  # fmt: skip
    for (text, name), dashes in zip(names, ("-", ":"), strict=False):
        axes.axhline(
            dense.perplexities[text], color="#777777", linewidth=1, linestyle=dashes,
            label=f"dense, {name}",
        )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xticks(sorted({100 * ratio for line in points.values() for ratio in line}))
    axes.set_xlabel("pruned share of the parameters (%)")
    axes.set_ylabel("perplexity (log scale)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(figure_title(study), fontsize=10)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9, handlelength=4)
    return figure
