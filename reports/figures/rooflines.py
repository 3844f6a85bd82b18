"""Simulated beside measured: speedups by module and the rooflines of both machines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelerator_sim.models.cycles_result import SIMULATED, CyclesResult
from reports.tables.explained import RunField, runs_of
from reports.tables.side_by_side import SideBySide
from workloads.results.palette import GREY, LIGHT_GREY, SERIES
from workloads.results.runtime import BackendRuntime
from workloads.shapes.gemm import MODULES, Module

_FACES = {"dense": "full", "compressed": "none"}
_RUNS: dict[str, RunField] = {"dense": "dense_run", "compressed": "sum_run"}
_MODULE_MARKERS: dict[Module, str] = {"MHA": "o", "FFN": "s"}
_MARKERS = "round: MHA, square: FFN\nfilled: dense, hollow: compressed"


@dataclass(frozen=True)
class _Point:
    """A module's products on a roofline."""

    macs_per_byte: float
    macs_per_second: float
    module: Module
    product: str
    series: int
    label: str


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
    tokens = "1 token" if pair.tokens == 1 else f"{pair.tokens} tokens"
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
    fields = cycles[0].identity.machine.fields
    clock = cycles[0].clock_hz
    peak = fields["lines"] * fields["macs_per_line"] * clock
    stream = fields["dram"]["bytes_per_second"] * fields["dram"]["efficiency"]
    points = []
    for place, result in enumerate(cycles):
        for module, mean in result.mean_per_block.items():
            totals = {"dense": mean.dense_cycles, "compressed": mean.sum_cycles}
            for product, count in totals.items():
                work = _work(cycles, module, product)
                if work is not None and count:
                    macs, size = work
                    rate = macs / len(result.blocks) * clock / count
                    where = (macs / size, rate)
                    points.append(_Point(*where, module, product, place, result.basis))
    _roofline(axes, points, peak, stream)
    axes.set_title(f"simulated: {cycles[0].identity.machine.label}", fontsize=9)


def _work(
    cycles: Sequence[CyclesResult], module: Module, product: str
) -> tuple[float, float] | None:
    """MACs and bytes, every operand once, of a module in all blocks; None without a simulation."""
    for result in cycles:
        if result.identity.cycle_model in SIMULATED:
            runs = runs_of(result, module, _RUNS[product])
            if runs:
                return sum(r.roofline.macs for r in runs), sum(r.roofline.bytes for r in runs)
    return None


def _measured(axes: Axes, pair: SideBySide) -> None:
    points = []
    for module in MODULES:
        both = pair.measured(module)
        for one in both or ():
            points.append(_measured_point(pair, module, one))
    limits = pair.runtime.limits
    peak = limits.macs_per_second.get(pair.dtype)
    _roofline(axes, points, peak, limits.stream_bytes_per_second)
    axes.set_title(f"measured: {pair.runtime.identity.device.label}", fontsize=9)


def _measured_point(pair: SideBySide, module: Module, one: BackendRuntime) -> _Point:
    entries = [
        entry
        for entry in pair.runtime.projections
        if (entry.module, entry.tokens, entry.dtype) == (module, pair.tokens, pair.dtype)
    ]
    blocks = len({entry.block for entry in entries})
    macs = sum(entry.macs(one.product) for entry in entries) / blocks
    rate = macs / one.lower_quartile_seconds
    place = 0 if one.product == "dense" else 1
    return _Point(macs / one.weight_bytes, rate, module, one.product, place, one.backend)


def _roofline(axes: Axes, points: Sequence[_Point], peak: float | None, stream: float) -> None:
    """Points under min(peak, stream · intensity), both axes logarithmic."""
    if not points:
        axes.text(0.5, 0.5, "no simulated run", ha="center", transform=axes.transAxes)
        return
    intensities = [point.macs_per_byte for point in points]
    reach = np.geomspace(min(intensities) / 4, max(intensities) * 16, 64)
    roof = reach * stream if peak is None else np.minimum(peak, reach * stream)
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
