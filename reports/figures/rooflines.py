"""Simulated beside measured: speedups by module and the rooflines of both machines."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelerator_sim.models.cycles_result import CyclesResult
from reports.tables.roofline_points import (
    Roof,
    RooflinePoint,
    measured_points,
    measured_roof,
    simulated_points,
    simulated_roof,
)
from reports.tables.side_by_side import SideBySide
from workloads.results.palette import GREY, LIGHT_GREY, SERIES
from workloads.shapes.gemm import MODULES, Module
from workloads.support.wording import counted

_FACES = {"dense": "full", "compressed": "none"}
_MODULE_MARKERS: dict[Module, str] = {"MHA": "o", "FFN": "s"}
_MARKERS = "round: MHA, square: FFN\nfilled: dense, hollow: compressed"


def side_by_side_figure(pair: SideBySide) -> Figure:
    """Speedups by module as bars; then each machine's roofline with dense and compressed products.

    Args:
        pair: The simulated results of the first machine are drawn.
    """
    machine = pair.cycles[0].identity.machine.sha256
    cycles = [result for result in pair.cycles if result.identity.machine.sha256 == machine]
    figure = Figure(figsize=(12.6, 4.2), layout="constrained")
    bars, simulated, measured = figure.subplots(1, 3)
    _speedups(bars, cycles, pair)
    _simulated(simulated, cycles)
    _measured(measured, pair)
    subject = pair.runtime.identity.subject
    tokens = counted(pair.tokens, "token")
    figure.suptitle(f"{subject.model}, {subject.method}, {tokens}", fontsize=10)
    return figure


def _speedups(axes: Axes, cycles: Sequence[CyclesResult], pair: SideBySide) -> None:
    series = [
        (r.basis, {m: mean.speedup or 0.0 for m, mean in r.mean_per_block.items()}) for r in cycles
    ]
    of_device = {
        m: both[0].lower_quartile_seconds / both[1].lower_quartile_seconds
        for m in MODULES
        if (both := pair.measured(m)) is not None
    }
    series.append((f"measured ({pair.dtype})", of_device))
    width = 0.8 / len(series)
    for place, (label, speedups) in enumerate(series):
        heights = [speedups.get(module, 0.0) for module in MODULES]
        at = [group + place * width for group in range(len(MODULES))]
        hatch = "//" if label.startswith("measured") else ""
        colour = SERIES[place % len(SERIES)][0]
        drawn = axes.bar(at, heights, width * 0.92, color=colour, hatch=hatch, label=label)
        axes.bar_label(drawn, fmt="%.2f", fontsize=7)
    axes.axhline(1, color=GREY, linewidth=0.8)
    axes.set_xticks([group + 0.4 - width / 2 for group in range(len(MODULES))], list(MODULES))
    axes.set_ylabel("speedup over dense")
    axes.set_title("speedups", fontsize=9)
    axes.margins(y=0.2)
    axes.legend(fontsize=7, frameon=False, loc="upper left", ncols=2)
    axes.spines[["top", "right"]].set_visible(False)


def _simulated(axes: Axes, cycles: Sequence[CyclesResult]) -> None:
    _roofline(axes, simulated_points(cycles), simulated_roof(cycles[0]))
    axes.set_title(f"simulated: {cycles[0].identity.machine.label}", fontsize=9)


def _measured(axes: Axes, pair: SideBySide) -> None:
    _roofline(axes, measured_points(pair), measured_roof(pair))
    axes.set_title(f"measured: {pair.runtime.identity.device.label}", fontsize=9)


def _roofline(axes: Axes, points: Sequence[RooflinePoint], top: Roof) -> None:
    """Points under min(peak, stream · intensity), both axes logarithmic."""
    if not points:
        axes.text(0.5, 0.5, "no simulated run", ha="center", transform=axes.transAxes)
        return
    intensities = [point.macs_per_byte for point in points]
    reach = np.geomspace(min(intensities) / 4, max(intensities) * 16, 64)
    peak = np.inf if top.macs_per_second is None else top.macs_per_second
    roof = np.minimum(peak, reach * top.bytes_per_second)
    axes.plot(reach, roof / 1e9, color="black", linewidth=1)
    axes.fill_between(reach, roof / 1e9, color=LIGHT_GREY, alpha=0.25, linewidth=0)
    shown: set[str] = set()
    for point in points:
        colour = SERIES[point.series % len(SERIES)][0]
        axes.plot(
            point.macs_per_byte, point.macs_per_second / 1e9, linestyle="none", color=colour,
            marker=_MODULE_MARKERS[point.module], fillstyle=_FACES[point.product], markersize=7,
            label=point.label if point.label not in shown else None,
        )  # fmt: skip
        shown.add(point.label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("MACs a byte read")
    axes.set_ylabel("GMAC/s")
    axes.legend(
        fontsize=7, title=_MARKERS, title_fontsize=7, frameon=False, loc="lower right",
        alignment="left",
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
