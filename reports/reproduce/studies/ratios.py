"""Figure 6: perplexity against the pruning ratio, a line per method and a marker per text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from matplotlib.figure import Figure

from reports.reproduce.cells import DENSE, Measured, Recipe, measure
from reports.reproduce.comparison import figure_title, limits_notes, text_name, title_of
from reports.reproduce.study import Reproduced, Study
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
_MOST_TEXTS = 2


def figure6(study: Study) -> Reproduced:
    """Perplexity over the pruned share, for up to two texts: solid and hollow markers.

    The paper's points are not printed as numbers, so none stand beside ours. What its solid and
    hollow markers mean is our reading: the first and the second text.
    """
    methods = study.methods or _METHODS
    ratios = RATIOS if study.limits.blocks is None else _QUICK_RATIOS
    dense = measure(study, Recipe(DENSE), "figure6 dense")
    found: dict[str, dict[float, Measured]] = {method: {} for method in methods}
    cells = [(method, ratio) for ratio in ratios for method in methods]
    for step, (method, ratio) in enumerate(cells, start=1):
        label = f"figure6 {step}/{len(cells)} {method} {ratio:.0%}"
        recipe = Recipe(method, {"kept_fraction": round(1 - ratio, 9)})
        found[method][ratio] = measure(study, recipe, label)
    results = {"dense": asdict(dense)} | {
        method: {f"{ratio:g}": asdict(each) for ratio, each in points.items()}
        for method, points in found.items()
    }
    table = _table(study, ratios, found, dense)
    figure = ratio_figure(study, found, dense)
    return Reproduced((table,), {"figure6": figure}, results)


def _table(
    study: Study,
    ratios: Sequence[float],
    found: Mapping[str, Mapping[float, Measured]],
    dense: Measured,
) -> Table:
    rows: list[tuple[Cell, ...]] = [
        ("Dense", 0.0, *(dense.perplexities[text] for text in study.texts))
    ]
    for method, points in found.items():
        for ratio in ratios:
            values = (points[ratio].perplexities[text] for text in study.texts)
            rows.append((title_of(method), ratio, *values))
    columns = (
        Column("Method"),
        Column("Pruned", ".0%"),
        *(Column(f"Perplexity, {text_name(text)}", ".2f") for text in study.texts),
    )
    title = f"Perplexity over the pruning ratio (as Figure 6): {study.checkpoint.name}"
    notes = (
        *limits_notes(study),
        "Pruned: 1 - kept share, SSLC's factors counted as kept. The paper's own points are not "
        "printed as numbers.",
    )
    return Table("figure6", title, columns, tuple(rows), notes)


def ratio_figure(
    study: Study, found: Mapping[str, Mapping[float, Measured]], dense: Measured
) -> Figure:
    """The figure of ``figure6``.

    Args:
        study: Its first text gets solid markers, its second hollow ones.
        found: By method and pruned share.
        dense: The model as it is, drawn as horizontal lines.
    """
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    texts = study.texts[:_MOST_TEXTS]
    for (method, points), (colour, marker, line) in zip(found.items(), _STYLES, strict=False):
        for place, text in enumerate(texts):
            axes.plot(
                [100 * ratio for ratio in points],
                [each.perplexities[text] for each in points.values()],
                color=colour, marker=marker, linestyle=line, markersize=7,
                markerfacecolor=colour if place == 0 else "white",
                label=f"{title_of(method)}, {text_name(text)}",
            )  # fmt: skip
    for place, text in enumerate(texts):
        axes.axhline(
            dense.perplexities[text], color="#777777", linewidth=1, linestyle=("-", ":")[place],
            label=f"dense, {text_name(text)}",
        )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_xticks(sorted({100 * ratio for points in found.values() for ratio in points}))
    axes.set_xlabel("pruned share of the parameters (%)")
    axes.set_ylabel("perplexity (log scale)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(figure_title(study), fontsize=10)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9, handlelength=4)
    return figure
