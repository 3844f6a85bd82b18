"""The published model of S over the dense-column threshold, beside the printed rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.models.published import published_curve
from reports.paper.published import PublishedCycles
from workloads.masks.packed import SparseLowRankGemm
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES, Module

THRESHOLDS = tuple(step / 40 for step in range(41))
CURVE_NAME = "table4-curve"
_SHOWN = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)
_COLOURS = ("#0072B2", "#E69F00")
_STYLES = ("-", "--")
_PRINTED = "#D55E00"


@dataclass(frozen=True)
class Curve:
    """Cycles of S in one module of a block by the published model.

    Attributes:
        model: The model.
        module: MHA or FFN.
        reading: Of the budget.
        dense_cycles: m·n·tokens over all MACs, summed over the module.
        cycles: One for each of ``THRESHOLDS``; the last, t = 1, has no dense column: G = 0.
    """

    model: str
    module: Module
    reading: str
    dense_cycles: float
    cycles: tuple[int, ...]

    def at(self, threshold: float) -> int:
        """Cycles at one of ``THRESHOLDS``."""
        return self.cycles[THRESHOLDS.index(threshold)]

    def to_dict(self) -> dict[str, list[float]]:
        """Thresholds and cycles, point by point."""
        return {"threshold": list(THRESHOLDS), "sparse_cycles": [float(c) for c in self.cycles]}


def block_curves(
    model: str, reading: str, block: Sequence[SparseLowRankGemm], accelerator: Accelerator
) -> list[Curve]:
    """A curve for each module of a block, its projections one after the other."""
    curves = []
    for module in MODULES:
        items = [item for item in block if item.gemm.module == module]
        cycles = np.zeros(len(THRESHOLDS), dtype=np.int64)
        for item in items:
            lines, macs = accelerator.lines, accelerator.macs_per_line
            points = published_curve(
                item.mask, THRESHOLDS, lines=lines, macs_per_line=macs, tokens=item.gemm.tokens
            )
            cycles += [point.cycles for point in points]
        dense = sum(item.gemm.macs for item in items) / accelerator.peak_macs
        curves.append(Curve(model, module, reading, dense, tuple(cycles.tolist())))
    return curves


def curve_table(curves: Sequence[Curve], published: Sequence[PublishedCycles]) -> Table:
    """Cycles of S at some thresholds, beside the printed ones.

    Args:
        curves: From ``block_curves``.
        published: The paper's rows.
    """
    printed = {(row.model, row.module): row.sparse_cycles for row in published}
    rows: list[tuple[Cell, ...]] = [
        (
            curve.model,
            curve.module,
            curve.reading,
            curve.dense_cycles,
            printed.get((curve.model, curve.module)),
            curve.cycles[-1],
            *(curve.at(threshold) for threshold in _SHOWN),
        )
        for curve in curves
    ]
    columns = (
        *(Column(name) for name in ("Model", "Module", "Budget reading")),
        Column("Dense", ",.0f"),
        Column("S, printed", ",.0f"),
        Column("S, G = 0", ",d"),
        *(Column(f"t = {threshold:g}", ",d") for threshold in _SHOWN),
    )
    notes = [
        "Analytic (published). A column is dense when more than t of it is kept; G = 0: none is. "
        "Dense columns execute their zeros, which only adds work: no t beats G = 0.",
    ]
    for curve in curves:
        row, least = printed.get((curve.model, curve.module)), curve.cycles[-1]
        if row is not None and row < least:
            notes.append(
                f"{curve.model} {curve.module}: the printed S, {row / curve.dense_cycles:.1%} of "
                f'dense, is below {least:,}, the least that "{curve.reading}" can give at any t.'
            )
    title = "Cycles of S by the published model over the dense-column threshold t"
    return Table(CURVE_NAME, title, columns, tuple(rows), tuple(notes))


def curve_figure(curves: Sequence[Curve], published: Sequence[PublishedCycles]) -> Figure:
    """Cycles of S over the threshold: a column of panels per model, a row per module.

    Args:
        curves: From ``block_curves``; not more than two readings of the budget.
        published: The paper's rows.
    """
    models = list(dict.fromkeys(curve.model for curve in curves))
    figure = Figure(figsize=(4.4 * len(models) + 0.6, 6.4), layout="constrained")
    panels = figure.subplots(len(MODULES), len(models), sharex=True, squeeze=False)
    for row, module in zip(panels, MODULES, strict=True):
        for axes, model in zip(row, models, strict=True):
            mine = [c for c in curves if (c.model, c.module) == (model, module)]
            printed = [r for r in published if (r.model, r.module) == (model, module)]
            _draw(axes, mine, printed)
            axes.set_title(f"{model}, {module}", fontsize=10)
        row[0].set_ylabel("cycles of S, one block")
    for axes in panels[-1]:
        axes.set_xlabel("dense-column threshold t")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, curves: Sequence[Curve], printed: Sequence[PublishedCycles]) -> None:
    highest = max(curves, key=lambda curve: curve.cycles[-1])
    for curve, colour, style in zip(curves, _COLOURS, _STYLES, strict=False):
        axes.plot(THRESHOLDS, curve.cycles, style, color=colour, label=curve.reading, zorder=3)
        for threshold in (0.5, 1.0):
            place = (threshold, curve.at(threshold))
            axes.plot(*place, "o", color=colour, markersize=4, zorder=4, clip_on=False)
            above, side = curve is highest, "left" if curve is highest else "right"
            axes.annotate(
                f"{place[1]:,}", place, (0, 9 if above else -9), textcoords="offset points",
                ha="right" if threshold == 1.0 else side, va="bottom" if above else "top",
                fontsize=9, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8}, zorder=5,
            )  # fmt: skip
    axes.axhline(curves[0].dense_cycles, color="#999999", linestyle=":", label="dense")
    for row in printed:
        axes.axhline(row.sparse_cycles, color=_PRINTED, linewidth=1, label="S, as printed")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1: G = 0"])
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.1 * max(max(curve.cycles) for curve in curves))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
