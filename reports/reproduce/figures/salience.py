"""Figures 1 and 4 as they are drawn."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.reproduce.block_results import MapPair, SalienceMap
from reports.reproduce.studies.salience_tables import PUBLISHED_MODEL, PublishedNeeded, all_matrices
from reports.reproduce.walk import heading
from sslc.evaluation.salience import SALIENCE_KEPT
from workloads.results.salience import Needed

# Okabe and Ito's palette, which the colour-blind can tell apart; hatches and markers for print.
_BLUE, _ORANGE, _GREY = "#0072B2", "#E69F00", "#999999"
_SIDES = {"before": "before: |W̃|", "after": "after: |W̃ − L̃|"}
_PARTS = ("pruning only", "sparse part", "low-rank part")
_BRIGHTEST = 99.5
"""Percentile of the cells before at which the colour scale ends; what lies above is as bright."""


def heat_maps_figure(maps: Mapping[str, MapPair], where: str) -> Figure:
    """A row of two maps for each projection, in one colour scale.

    Args:
        maps: By projection.
        where: Model and settings.
    """
    figure = Figure(figsize=(9.0, 3.6 * len(maps) + 0.7), layout="constrained")
    panels = figure.subplots(len(maps), len(_SIDES), squeeze=False)
    for row, (name, pair) in zip(panels, maps.items(), strict=True):
        brightest = float(np.percentile(pair.before.cells, _BRIGHTEST)) or 1.0
        for axes, (side, label) in zip(row, _SIDES.items(), strict=True):
            m, n = pair.sides[side].shape
            image = axes.imshow(
                pair.sides[side].cells, cmap="cividis", vmin=0, vmax=brightest, aspect="auto",
                interpolation="nearest", extent=(0, n, m, 0),
            )  # fmt: skip
            axes.set_title(f"{name}, {label}", fontsize=10)
            axes.set_xlabel("input channel")
        row[0].set_ylabel("output channel")
        figure.colorbar(image, ax=list(row), extend="max", label=_cell_label(pair.before))
    title = "Salience before and after the low-rank part is taken out"
    figure.suptitle(heading(title, where), fontsize=9)
    return figure


def _cell_label(drawn: SalienceMap) -> str:
    (m, n), (rows, columns) = drawn.shape, np.shape(drawn.cells)
    return f"salience, mean of {-(-m // rows)} × {-(-n // columns)} entries"


def needed_figure(
    shares: Mapping[str, Sequence[Needed]], published: PublishedNeeded, *, where: str
) -> Figure:
    """Bars of the means beside the published ones, and dots of every matrix by projection.

    Args:
        shares: By projection.
        published: Of LLaMA2-7B.
        where: Model and settings.
    """
    figure = Figure(figsize=(11.0, 4.6), layout="constrained")
    bars, dots = figure.subplots(1, 2, width_ratios=(1, 1.5))
    _bars(bars, all_matrices(shares), published)
    _dots(dots, shares)
    handles, labels = bars.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3, frameon=False)
    dots.legend(frameon=False)
    title = f"Parameters needed to keep {SALIENCE_KEPT:.0%} of the salience"
    figure.suptitle(heading(title, where), fontsize=9)
    return figure


def _bars(axes: Axes, group: Sequence[Needed], published: PublishedNeeded) -> None:
    ours = [
        mean(getattr(needed, part) for needed in group)
        for part in ("pruning", "sparse", "low_rank")
    ]
    printed = [published.pruning, published.sparse, published.low_rank]
    totals = [ours[0], ours[1] + ours[2], published.pruning, published.synergistic]
    for alpha, left, (pruning, sparse, low_rank) in ((1.0, 0, ours), (0.45, 3, printed)):
        style: dict[str, Any] = {"width": 0.8, "alpha": alpha, "edgecolor": "black"}
        labels = _PARTS if left == 0 else [None] * len(_PARTS)
        axes.bar(left, pruning, color=_GREY, label=labels[0], **style)
        axes.bar(left + 1, sparse, color=_BLUE, label=labels[1], **style)
        axes.bar(
            left + 1, low_rank, bottom=sparse, color=_ORANGE, hatch="//", label=labels[2], **style
        )
    for bar, total in zip((0, 1, 3, 4), totals, strict=True):
        axes.annotate(f"{total:.1%}", (bar, total), ha="center", va="bottom")
    axes.set_xticks(
        [0.5, 3.5],
        [f"measured, mean of\n{len(group)} matrices", f"published,\n{PUBLISHED_MODEL}"],
    )
    axes.axvline(2, color=_GREY, linestyle=":")
    _share_axis(axes)
    axes.set_ylabel("share of the parameters")
    axes.set_title("mean", fontsize=10)


def _dots(axes: Axes, shares: Mapping[str, Sequence[Needed]]) -> None:
    styles = (
        ("pruning", -0.17, _GREY, "o", "pruning only"),
        ("synergistic", 0.17, _BLUE, "^", "sparse + low-rank"),
    )
    for field, beside, colour, marker, label in styles:
        for index, group in enumerate(shares.values()):
            values = [getattr(needed, field) for needed in group]
            spots = index + beside + np.linspace(-0.1, 0.1, len(values))
            axes.scatter(
                spots, values, s=14, color=colour, marker=marker, linewidths=0,
                label=label if index == 0 else None,
            )  # fmt: skip
            axes.hlines(
                mean(values), index + beside - 0.14, index + beside + 0.14, color="black",
                label="mean" if index == 0 and field == "synergistic" else "_",
            )  # fmt: skip
    axes.set_xticks(range(len(shares)), list(shares))
    axes.set_xlabel("a mark for each block, from left to right the first to the last")
    axes.set_title("spread over the matrices, measured", fontsize=10)
    _share_axis(axes)


def _share_axis(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
