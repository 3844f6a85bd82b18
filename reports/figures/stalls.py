"""Where the PE-line cycles of both engines go, as bars."""

from collections import Counter
from dataclasses import asdict

from matplotlib.figure import Figure

from accelerator_sim.models.cycles_figure import subject
from accelerator_sim.models.cycles_result import CyclesResult
from reports.tables.explained import RunField, runs_of
from workloads.results.palette import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    PINK,
    RED,
    SKY,
    YELLOW,
)
from workloads.shapes.gemm import Module

_REASONS = {
    "compute": ("compute", GREEN, ""),
    "imbalance": ("imbalance", RED, "///"),
    "index_decode": ("index decode", YELLOW, "..."),
    "weights": ("waiting for weights", BLUE, ""),
    "activations": ("waiting for activations", SKY, "\\\\\\"),
    "accumulation": ("waiting for accumulation", PINK, ""),
    "output_space": ("waiting for output space", ORANGE, "xxx"),
    "fill": ("fill", GREY, ""),
    "drain": ("drain", LIGHT_GREY, ""),
    "idle": ("idle", "#FFFFFF", "---"),
}
_RUNS: tuple[tuple[str, RunField], ...] = (("dense", "dense_run"), ("compressed", "sum_run"))


def stalls_figure(result: CyclesResult) -> Figure:
    """Shares of PE-line cycles of the sparser and the denser engine, by module and run.

    Args:
        result: Of the model ``event`` or ``compiled``.
    """
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    axes = figure.subplots()
    bars = [
        (f"{module} {label}", _reasons(result, module, run))
        for module in result.mean_per_block
        for label, run in _RUNS
    ]
    shown: set[str] = set()
    for place, (_, counts) in enumerate(bars):
        whole, left = max(1, sum(counts.values())), 0.0
        for reason, (name, colour, hatch) in _REASONS.items():
            share = counts[reason] / whole
            if not share:
                continue
            axes.barh(
                place, share, 0.7, left, color=colour, hatch=hatch, edgecolor="#444444",
                linewidth=0.4, label=None if reason in shown else name,
            )  # fmt: skip
            shown.add(reason)
            left += share
    axes.set_yticks(range(len(bars)), [label for label, _ in bars])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("share of PE-line cycles, both engines")
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{subject(result)}: where the cycles go, {result.basis}", fontsize=10)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def _reasons(result: CyclesResult, module: Module, run: RunField) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in runs_of(result, module, run):
        for account in one.stalls.values():
            counts.update(asdict(account))
    return counts
