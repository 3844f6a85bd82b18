"""Cycles of attention by stage as bars, dense beside sparse."""

from matplotlib.figure import Figure

from accelerator_sim.attention.attention_result import STAGES, AttentionResult
from workloads.results.palette import BLUE, GREY

_WIDTH = 0.38


def stages_figure(result: AttentionResult) -> Figure:
    """A pair of bars for each stage, with its speedup.

    Args:
        result: One vision transformer on one machine.
    """
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes, stages = figure.subplots(), result.stages
    left = [index - _WIDTH / 2 for index in range(len(stages))]
    right = [index + _WIDTH / 2 for index in range(len(stages))]
    dense = [stage.dense_cycles for stage in stages.values()]
    sparse = [stage.sparse_cycles for stage in stages.values()]
    axes.bar(left, dense, _WIDTH, color=GREY, label="dense")
    axes.bar(right, sparse, _WIDTH, color=BLUE, label="with masks")
    for x, stage in zip(right, stages.values(), strict=True):
        if stage.speedup is not None:
            axes.annotate(
                f"{stage.speedup:.2f}x", (x, stage.sparse_cycles), ha="center", va="bottom"
            )
    axes.set_xticks(range(len(stages)), [STAGES[name] for name in stages])
    axes.set_ylabel("cycles, all heads")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(
        f"{result.identity.shape.name} on {result.identity.machine.label}, {result.basis}",
        fontsize=10,
    )
    return figure
