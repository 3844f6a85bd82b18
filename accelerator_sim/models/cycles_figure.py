"""Cycles by module under each cycle model, as bars."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelerator_sim.models.cycles_result import CyclesResult
from workloads.results.palette import BLUE, GREY, ORANGE
from workloads.support.wording import counted


def cycles_figure(results: Sequence[CyclesResult]) -> Figure:
    """Dense against sparse plus low-rank cycles by module, a panel per cycle model, one scale.

    Args:
        results: All about the same model, machine and workload.
    """
    figure = Figure(figsize=(3.4 * len(results) + 0.6, 3.6), layout="constrained")
    panels = figure.subplots(1, len(results), squeeze=False, sharey=True)[0]
    for axes, result in zip(panels, results, strict=True):
        _panel(axes, result)
    panels[0].set_ylabel("cycles of one block (mean)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(subject(results[0]), fontsize=10)
    return figure


def subject(result: CyclesResult) -> str:
    """What a figure of cycles is about: model, method, masks, machine, tokens."""
    about, work = result.identity.subject, result.identity.workload
    tokens = counted(work.tokens, "token")
    if work.context:
        tokens += f", attention over {work.context}"
    machine = result.identity.machine.label
    return f"{about.model}, {about.method}, {about.masks} masks,\n{machine}, {tokens}"


def _panel(axes: Axes, result: CyclesResult) -> None:
    means = result.mean_per_block
    places = range(len(means))
    right = [place + 0.4 for place in places]
    sparse = [mean.sparse_cycles for mean in means.values()]
    low_rank = [mean.low_rank_cycles for mean in means.values()]
    dense = [mean.dense_cycles for mean in means.values()]
    axes.bar(places, dense, 0.36, color=GREY, label="dense")
    axes.bar(right, sparse, 0.36, color=BLUE, label="sparse")
    if any(low_rank):
        axes.bar(right, low_rank, 0.36, sparse, color=ORANGE, hatch="//", label="low-rank")
    for place, mean in zip(right, means.values(), strict=True):
        speedup = "-" if mean.speedup is None else f"{mean.speedup:.2f}x"
        axes.annotate(speedup, (place, mean.sum_cycles), ha="center", va="bottom")
    axes.set_xticks([place + 0.2 for place in places], list(means))
    axes.set_title(result.basis, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_formatter("{x:,.0f}")
