"""Where the cycles of a block go, as bars."""

from matplotlib.figure import Figure

from accelerator_sim.models.cycles_figure import subject
from accelerator_sim.models.cycles_result import CyclesResult
from reports.tables.stalls import REASONS, stall_parts
from workloads.results.palette import STALLS

_HATCHES = {
    "imbalance": "///",
    "index_decode": "...",
    "activations": "\\\\\\",
    "output_space": "xxx",
    "idle": "---",
}
"""For print without colours; the other parts have none."""


def stalls_figure(result: CyclesResult) -> Figure:
    """Cycles of one block by module and run, in parts by what the PE lines do.

    Args:
        result: Of the model ``event`` or ``compiled``.
    """
    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    axes = figure.subplots()
    bars = stall_parts(result)
    shown: set[str] = set()
    for place, bar in enumerate(bars):
        left = 0.0
        for reason, cycles in bar.parts.items():
            axes.barh(
                place, cycles, 0.7, left, color=STALLS[reason], hatch=_HATCHES.get(reason, ""),
                edgecolor="#444444", linewidth=0.4,
                label=None if reason in shown else REASONS[reason],
            )  # fmt: skip
            shown.add(reason)
            left += cycles
        axes.annotate(f" {bar.cycles:,.0f}", (left, place), va="center", fontsize=8)
    axes.set_yticks(range(len(bars)), [f"{bar.module} {bar.run}" for bar in bars])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("cycles of one block (mean), shared out over the PE lines of both engines")
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{subject(result)}: where the cycles go, {result.basis}", fontsize=10)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure
