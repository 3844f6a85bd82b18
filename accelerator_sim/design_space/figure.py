"""Points of a sweep and its Pareto front, the first objective against each other one."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelerator_sim.design_space.objectives import OBJECTIVES
from accelerator_sim.design_space.space import TOKENS

Row = Mapping[str, Any]
# Okabe and Ito's palette, which the colour-blind can tell apart; markers for print.
_STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"))
_LOG_FROM = 20.0


def front_figure(front: Sequence[Row], rows: Sequence[Row], *, objectives: Sequence[str]) -> Figure:
    """A panel for each objective after the first; with one objective, by the points' number.

    Args:
        front: Points that nothing beats.
        rows: Every feasible point, at least one.
        objectives: What the front is about.
    """
    pairs = [(objectives[0], other) for other in objectives[1:]] or [("point", objectives[0])]
    figure = Figure(figsize=(4.6 * len(pairs) + 0.6, 4.2), layout="constrained")
    panels = figure.subplots(1, len(pairs), squeeze=False)[0]
    for axes, (x, y) in zip(panels, pairs, strict=True):
        _panel(axes, front, rows, (x, y))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _panel(axes: Axes, front: Sequence[Row], rows: Sequence[Row], names: tuple[str, str]) -> None:
    x, y = names
    for index, tokens in enumerate(sorted({row[TOKENS] for row in rows})):
        colour, marker = _STYLES[index % len(_STYLES)]
        group = [row for row in rows if row[TOKENS] == tokens]
        best = sorted((row[x], row[y]) for row in front if row[TOKENS] == tokens)
        axes.scatter(
            [row[x] for row in group], [row[y] for row in group], s=9, color=colour, marker=marker,
            alpha=0.3, linewidths=0,
        )  # fmt: skip
        axes.plot(
            [point[0] for point in best], [point[1] for point in best], color=colour,
            marker=marker, linestyle="none", markeredgecolor="black",
            label=f"front, {tokens:,} token{'' if tokens == 1 else 's'}",
        )  # fmt: skip
    for name, set_scale in ((x, axes.set_xscale), (y, axes.set_yscale)):
        values = [row[name] for row in rows]
        if name != "point" and min(values) > 0 and max(values) / min(values) > _LOG_FROM:
            set_scale("log")
    axes.set_xlabel(_label(x))
    axes.set_ylabel(_label(y))
    axes.spines[["top", "right"]].set_visible(False)


def _label(name: str) -> str:
    unit = OBJECTIVES[name].unit if name in OBJECTIVES else ""
    return f"{name} ({unit})" if unit else name
