"""Cycles of one block as bars: dense beside sparse and low-rank, a panel for each cycle model."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelerator_sim.models.cycles import ModuleCycles
from workloads.shapes.gemm import Module

# Okabe and Ito's palette, which the colour-blind can tell apart; a hatch for print.
_DENSE, _SPARSE, _LOW_RANK = "#999999", "#0072B2", "#E69F00"
_WIDTH = 0.36


def cycles_figure(panels: Mapping[str, Mapping[Module, ModuleCycles]], *, title: str) -> Figure:
    """Bars by module.

    Args:
        panels: What the numbers of a panel are, and its cycles by module.
        title: Of the whole.
    """
    figure = Figure(figsize=(3.4 * len(panels) + 0.6, 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for panel, (basis, modules) in zip(axes, panels.items(), strict=True):
        _panel(panel, modules)
        panel.set_title(basis, fontsize=9)
    axes[0].set_ylabel("cycles of one block (mean)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title, fontsize=10)
    return figure


def _panel(axes: Axes, modules: Mapping[Module, ModuleCycles]) -> None:
    cycles = list(modules.values())
    sparse = [part.sparse_cycles for part in cycles]
    left = [index - _WIDTH / 2 for index in range(len(cycles))]
    right = [index + _WIDTH / 2 for index in range(len(cycles))]
    axes.bar(left, [part.dense_cycles for part in cycles], _WIDTH, color=_DENSE, label="dense")
    axes.bar(right, sparse, _WIDTH, color=_SPARSE, label="sparse")
    low_rank = [part.low_rank_cycles for part in cycles]
    axes.bar(right, low_rank, _WIDTH, sparse, color=_LOW_RANK, hatch="//", label="low-rank")
    for x, part in zip(right, cycles, strict=True):
        if part.speedup is not None:
            axes.annotate(f"{part.speedup:.2f}x", (x, part.sum_cycles), ha="center", va="bottom")
    axes.set_xticks(range(len(cycles)), list(modules))
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_formatter("{x:,.0f}")
