"""Figures as PNG and SVG: cycles by module under each model, and where the cycles go."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workloads.shapes.gemm import MODULES

# Okabe and Ito's palette, which the colour-blind can tell apart; hatches for print.
_BLUE, _ORANGE, _GREEN, _SKY, _RED, _YELLOW, _PINK = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#F0E442", "#CC79A7",
)  # fmt: skip
_REASONS = {
    "compute": (_GREEN, ""),
    "imbalance": (_RED, "///"),
    "index_decode": (_YELLOW, "..."),
    "weights": (_BLUE, ""),
    "activations": (_SKY, "\\\\\\"),
    "accumulation": (_PINK, ""),
    "output_space": (_ORANGE, "xxx"),
    "fill": ("#999999", ""),
    "drain": ("#CCCCCC", ""),
    "idle": ("#FFFFFF", "---"),
}


def cycles_figure(results: Sequence[dict[str, Any]]) -> Figure:
    """Dense against sparse plus low-rank cycles by module, one panel per cycle model.

    Args:
        results: From ``speedup.cycles_result``, all about the same artifact and tokens.
    """
    figure = Figure(figsize=(3.4 * len(results) + 0.6, 3.6), layout="constrained")
    panels = figure.subplots(1, len(results), squeeze=False)[0]
    for axes, result in zip(panels, results, strict=True):
        _cycles_panel(axes, result)
    panels[0].set_ylabel("cycles of one block (mean)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    first = results[0]
    figure.suptitle(_subject(first), fontsize=10)
    return figure


def _cycles_panel(axes: Axes, result: dict[str, Any]) -> None:
    present = [module for module in MODULES if result["mean_per_block"][module]["dense_cycles"]]
    means = [result["mean_per_block"][module] for module in present]
    places = range(len(present))
    dense, sparse, low_rank = (
        [mean[f"{part}_cycles"] for mean in means] for part in ("dense", "sparse", "low_rank")
    )
    right = [place + 0.4 for place in places]
    axes.bar(places, dense, 0.36, color="#999999", label="dense")
    axes.bar(right, sparse, 0.36, color=_BLUE, label="sparse")
    axes.bar(right, low_rank, 0.36, sparse, color=_ORANGE, hatch="//", label="low-rank")
    for place, mean in zip(right, means, strict=True):
        speedup = mean["dense_cycles"] / mean["sum_cycles"]
        axes.annotate(f"{speedup:.2f}x", (place, mean["sum_cycles"]), ha="center", va="bottom")
    axes.set_xticks([place + 0.2 for place in places], present)
    axes.set_title(result["provenance"], fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_formatter("{x:,.0f}")


def stalls_figure(result: dict[str, Any]) -> Figure:
    """Where the PE-line cycles of the sparser and the denser engine go, by module and run.

    Args:
        result: From ``speedup.cycles_result`` with the model ``event`` or ``compiled``.
    """
    figure = Figure(figsize=(7.6, 3.4), layout="constrained")
    axes = figure.subplots()
    bars = [
        (f"{module} {label}", _reasons(result, module, run))
        for module in MODULES
        if result["mean_per_block"][module]["dense_cycles"]
        for label, run in (("dense", "dense_run"), ("compressed", "sum_run"))
    ]
    for place, (_, counts) in enumerate(bars):
        whole, left = max(1, sum(counts.values())), 0.0
        for reason, (colour, hatch) in _REASONS.items():
            share = counts[reason] / whole
            axes.barh(
                place, share, 0.7, left, color=colour, hatch=hatch, edgecolor="#444444",
                linewidth=0.4, label=reason.replace("_", " ") if place == 0 else None,
            )  # fmt: skip
            left += share
    axes.set_yticks(range(len(bars)), [label for label, _ in bars])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("share of PE-line cycles, both engines")
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{_subject(result)}\nwhere the cycles go, {result['provenance']}", fontsize=10)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    return figure


def _reasons(result: dict[str, Any], module: str, run: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for block in result["blocks"]:
        for projection in block["projections"]:
            if projection["module"] == module and run in projection:
                for engine in ("denser", "sparser"):
                    counts.update(projection[run][engine])
    return counts


def _subject(result: dict[str, Any]) -> str:
    subject = result["subject"]
    tokens = "1 token" if result["tokens"] == 1 else f"{result['tokens']} tokens"
    if result.get("context"):
        tokens += f", attention over {result['context']}"
    return (
        f"{subject['model']}, {subject['method']}, {subject['masks']} masks, "
        f"{result['accelerator']}, {tokens}"
    )


def write_figure(figure: Figure, directory: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG; returns the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.{suffix}" for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=160)
    return paths
