"""The picture of the calibration study: bars by calibration text, and points by amount."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.reproduce.comparison import figure_title, title_of
from reports.reproduce.results import Measured
from reports.reproduce.study import Study, text_names

_FILLS = (("#0072B2", ""), ("#E69F00", "//"), ("#009E73", ".."), ("#CC79A7", "xx"))
Matrix = Mapping[tuple[str, str], Measured]
"""By method and calibration text."""
Amounts = Mapping[tuple[int, int], Measured]
"""By number of calibration windows and tokens in each."""


def calibration_figure(
    study: Study,
    dense: Measured,
    *,
    matrix: Matrix,
    amounts: Amounts,
) -> Figure:
    """A panel per evaluation text: methods by calibration text; and one for the amounts.

    Args:
        study: Its texts are the panels and the bars.
        dense: The model as it is, a line in each panel.
        matrix: The bars.
        amounts: The points, calibrated on the first text.
    """
    count = len(study.texts) + 1
    figure = Figure(figsize=(3.6 * count, 4.2), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0]
    for axes, text in zip(panels, study.texts, strict=False):
        _bars(axes, study, matrix, text)
        axes.axhline(dense.perplexities[text], color="#444444", linestyle=":", label="dense")
    panels[0].set_ylabel("perplexity")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    _amounts(panels[-1], study, amounts)
    figure.suptitle(f"{figure_title(study)}, {study.kept_fraction:.0%} kept", fontsize=10)
    return figure


def _bars(axes: Axes, study: Study, matrix: Matrix, text: str) -> None:
    methods, names = list(dict.fromkeys(method for method, _ in matrix)), text_names(study.texts)
    width = 0.8 / len(study.texts)
    for index, (source, (colour, hatch)) in enumerate(zip(study.texts, _FILLS, strict=False)):
        heights = [matrix[method, source].perplexities[text] for method in methods]
        bars = axes.bar(
            np.arange(len(methods)) + index * width, heights, width * 0.95, color=colour,
            hatch=hatch, edgecolor="white", label=f"calibrated on {names[source]}",
        )  # fmt: skip
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    middle = np.arange(len(methods)) + (len(study.texts) - 1) * width / 2
    axes.set_xticks(middle, [title_of(method) for method in methods])
    axes.set_title(f"evaluated on {names[text]}", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _amounts(axes: Axes, study: Study, amounts: Amounts) -> None:
    labels = [f"{windows} × {tokens}" for windows, tokens in amounts]
    names = text_names(study.texts)
    for index, text in enumerate(study.texts):
        values = [cell.perplexities[text] for cell in amounts.values()]
        colour, marker = _FILLS[index % len(_FILLS)][0], "os^D"[index % 4]
        axes.plot(labels, values, marker, color=colour, label=f"evaluated on {names[text]}")
    axes.tick_params(axis="x", rotation=30)
    axes.set_xlabel("calibration windows × tokens in each")
    axes.set_title(f"SSLC, calibrated on {names[study.texts[0]]}", fontsize=9)
    axes.margins(y=0.45)
    axes.legend(fontsize=8, frameon=False, loc="upper center")
    axes.spines[["top", "right"]].set_visible(False)
