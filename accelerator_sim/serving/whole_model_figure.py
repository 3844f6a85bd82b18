"""Cycles of a whole model by phase and kind of work, dense beside compressed."""

from matplotlib.figure import Figure

from accelerator_sim.serving.whole_model_result import PHASES, RUNS, WholeModelResult
from workloads.results.palette import BLUE, GREEN, LIGHT_GREY, ORANGE, SKY

_WORK = {
    "embedding": (SKY, ""),
    "projections": (BLUE, ""),
    "attention": (ORANGE, "//"),
    "norms": (LIGHT_GREY, ""),
    "head": (GREEN, "\\\\"),
}


def served_figure(result: WholeModelResult) -> Figure:
    """A panel for each phase; bars are time to the first token, and time of each further one.

    Args:
        result: One model on one machine.
    """
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    panels = figure.subplots(1, len(PHASES), squeeze=False)[0]
    requests, clock = result.identity.requests, float(result.identity.machine.fields["clock_hz"])
    passes = {"prefill": 1, "decode": max(1, len(requests.contexts))}
    titles = {"prefill": "first token", "decode": "each further token (mean)"}
    for axes, phase in zip(panels, PHASES, strict=True):
        left = [0.0] * len(RUNS)
        for name, (colour, hatch) in _WORK.items():
            widths = [
                result.amount(run, phase, [name]).cycles / passes[phase] / clock * 1e3
                for run in RUNS
            ]
            if not any(widths):
                continue
            axes.barh(
                RUNS, widths, 0.6, left, color=colour, hatch=hatch, edgecolor="#444444",
                linewidth=0.4, label=name,
            )  # fmt: skip
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.invert_yaxis()
        axes.set_title(titles[phase], fontsize=9)
        axes.set_xlabel("ms (each panel has its own scale)")
        axes.spines[["top", "right"]].set_visible(False)
    shown = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        shown.values(), shown.keys(), loc="outside lower center", ncols=len(_WORK), frameon=False
    )
    identity = result.identity
    figure.suptitle(
        f"{identity.subject.model}, {identity.subject.method}, {identity.machine.label}: "
        f"{requests.batch} x ({requests.prompt:,} + {requests.output:,}) tokens, {result.basis}",
        fontsize=10,
    )
    return figure
