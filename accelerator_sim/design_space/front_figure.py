"""The points of a sweep and their Pareto front, as a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from accelerator_sim.design_space.objectives import OBJECTIVES
from accelerator_sim.design_space.sweep_result import KNEE, SweepResult
from accelerator_sim.design_space.variation import BATCH, CONTEXT, TOKENS, WORK_AXES
from accelerator_sim.design_space.workload import SOURCES
from workloads.results.palette import SERIES
from workloads.support.wording import counted

Points = Sequence[Mapping[str, Any]]
"""Rows of a sweep's Parquet shards: values by column, whose names the space decides."""
_METHOD = "method"
"""Axis of a space that compresses a model in several ways."""
_LOG_FROM = 20.0
_PREFIXES_FROM = 1000.0


def front_figure(result: SweepResult, points: Points) -> Figure:
    """The first objective against each other one; a colour and marker for each work and method.

    With two objectives and one method a line joins the front, which bounds all points. With more,
    the front of all objectives together is marked in each panel. With one, points stand by their
    number. A ring is around the knee of a front.

    Args:
        result: Of the sweep.
        points: Every feasible point, at least one.
    """
    objectives = result.identity.objectives
    pairs = [(objectives[0], other) for other in objectives[1:]] or [("point", objectives[0])]
    figure = Figure(figsize=(4.6 * len(pairs) + 0.6, 4.2), layout="constrained")
    panels = figure.subplots(1, len(pairs), squeeze=False)[0]
    points = _in_units(points)
    result = replace(result, front=tuple(_in_units(result.front)))
    for axes, (x, y) in zip(panels, pairs, strict=True):
        _panel(axes, result, points, x, y)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    workload = result.identity.workload
    subject = next(workload[name] for name in SOURCES if name in workload)
    figure.suptitle(
        f"{subject} on variants of {result.identity.machine.label}\n"
        f"{len(points):,} feasible points, {result.basis}\nmasks {workload['masks']}",
        fontsize=9,
    )
    return figure


def _panel(axes: Axes, result: SweepResult, points: Points, x: str, y: str) -> None:
    work = [axis for axis in result.identity.axes if axis in (*WORK_AXES, _METHOD)]
    first_knee = next((row for row in result.front if row[KNEE]), None)
    for place, values in enumerate(sorted({tuple(point[key] for key in work) for point in points})):
        colour, marker = SERIES[place % len(SERIES)]
        group = [point for point in points if tuple(point[key] for key in work) == values]
        axes.scatter(
            [point[x] for point in group], [point[y] for point in group], s=9, color=colour,
            marker=marker, alpha=0.3, linewidths=0, rasterized=True,
        )  # fmt: skip
        front = [row for row in result.front if tuple(row[key] for key in work) == values]
        joined = len(result.identity.objectives) == 2 and _METHOD not in work
        line = "-" if joined else "none"
        places = sorted((row[x], row[y]) for row in front)
        axes.plot(
            [place[0] for place in places], [place[1] for place in places], color=colour,
            marker=marker, markersize=5, linestyle=line, markeredgecolor="black",
            markeredgewidth=0.6, linewidth=1, drawstyle="steps-post",
            label=f"front, {_work_label(dict(zip(work, values, strict=True)))}",
        )  # fmt: skip
        bends = [row for row in front if row[KNEE]]
        axes.plot(
            [row[x] for row in bends], [row[y] for row in bends], linestyle="none", marker="o",
            markersize=13, markerfacecolor="none", markeredgecolor=colour,
            label="knee" if bends and bends[0] is first_knee else None,
        )  # fmt: skip
    for name, set_scale, axis in (
        (x, axes.set_xscale, axes.xaxis),
        (y, axes.set_yscale, axes.yaxis),
    ):
        numbers = [point[name] for point in points]
        if name != "point" and min(numbers) > 0 and max(numbers) / min(numbers) > _LOG_FROM:
            set_scale("log")
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        if max(numbers) >= _PREFIXES_FROM or max(numbers) < 1:
            axis.set_major_formatter(EngFormatter(sep=" "))
            axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(_label(x))
    axes.set_ylabel(_label(y))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)


def _in_units(points: Points) -> Points:
    """Points with what was measured in the units of the headings."""
    return [
        {k: OBJECTIVES[k].shown(v) if k in OBJECTIVES else v for k, v in point.items()}
        for point in points
    ]


def _work_label(work: Mapping[str, Any]) -> str:
    """Such as ``1 token``, ``1 token, batch 4, context 512``, or ``wanda, 1 token``."""
    tokens = work[TOKENS]
    others = [f"{key} {value:,}" for key, value in work.items() if key in (BATCH, CONTEXT)]
    method = [str(work[_METHOD])] if _METHOD in work else []
    return ", ".join([*method, counted(tokens, "token"), *others])


def _label(name: str) -> str:
    if name == "point":
        return "Point"
    objective = OBJECTIVES[name]
    return f"{objective.heading}{', more is better' if objective.better == 'more' else ''}"
