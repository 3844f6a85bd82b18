"""Simulated and measured products under the rooflines of their machines."""

from collections.abc import Sequence
from typing import Any

from reports.page.charts.encodings import Encoding, name, number, shade, tips
from reports.page.parts import Chart
from reports.tables.roofline_points import Roof, RooflinePoint
from workloads.results.palette import SERIES
from workloads.shapes.gemm import MODULES

_GIGA = 1e9
_STEPS = 24
_CAPTION = (
    "Lines: the most that a machine can do at each intensity, by its memory (rising) and its "
    "arithmetic (flat). Points: what one block's products reach, simulated on the one machine "
    "and measured on the other; filled: dense, hollow: compressed. Both axes are logarithmic."
)


def roofline_chart(
    anchor: str, about: str, *, groups: Sequence[tuple[Roof, Sequence[RooflinePoint]]]
) -> Chart:
    """Rooflines as lines, products as points: shape by module, filled where dense.

    Args:
        anchor: Of the chart.
        about: What it is about, for the title.
        groups: A machine and its points each; machines without points are left out.
    """
    having = [(roof, points) for roof, points in groups if points]
    intensities = [point.macs_per_byte for _, points in having for point in points]
    corners = [r.macs_per_second / r.bytes_per_second for r, _ in having if r.macs_per_second]
    low, most = min(intensities) / 3, max(intensities)
    high = max(8 * most, min(2 * max(corners, default=0.0), 64 * most))
    roofs = [
        {"machine": roof.name, "x": x, "y": y / _GIGA}
        for roof, _ in having
        for x, y in _line(roof, low, high)
    ]
    values = [
        {
            "machine": roof.name,
            "what": point.label,
            "x": point.macs_per_byte,
            "y": point.macs_per_second / _GIGA,
            "module": point.module,
            "run": point.product,
        }
        for roof, points in having
        for point in points
    ]
    machines = list(dict.fromkeys(roof.name for roof, _ in having))
    colours = [SERIES[place % len(SERIES)][0] for place in range(len(machines))]
    spec = {
        "width": "container",
        "height": 380,
        "encoding": {
            "x": _axis("x", "MACs a byte read", [low, high]),
            "y": _axis("y", "GMAC/s", None),
            "color": shade("machine", machines, colours, legend={"columns": 1, "labelLimit": 500}),
        },
        "layer": [
            {"data": {"values": roofs}, "mark": {"type": "line", "strokeWidth": 2, "clip": True}},
            *(_points([v for v in values if v["run"] == run], run == "dense") for run in _RUNS),
        ],
    }
    return Chart(anchor, f"Roofline: {about}", _CAPTION, spec)


_RUNS = ("dense", "compressed")


def _line(roof: Roof, low: float, high: float) -> list[tuple[float, float]]:
    """Points of a roof, its corner among them."""
    peak = roof.macs_per_second
    low = low or high / 1e3  # nothing to do has no place on a logarithmic axis
    ratio = high / low
    at = [low * ratio ** (step / _STEPS) for step in range(_STEPS + 1)]
    if peak is not None and low < peak / roof.bytes_per_second < high:
        at = sorted([*at, peak / roof.bytes_per_second])
    return [(x, min(x * roof.bytes_per_second, peak or x * roof.bytes_per_second)) for x in at]


def _axis(field: str, title: str, domain: list[float] | None) -> Encoding:
    scale: dict[str, Any] = {"type": "log", "nice": False}
    if domain is not None:
        scale["domain"] = domain
    return number(field, title, scale=scale, axis={"tickCount": 6, "format": "~g"})


def _points(values: list[dict[str, Any]], filled: bool) -> dict[str, Any]:
    return {
        "data": {"values": values},
        "mark": {"type": "point", "filled": filled, "size": 90, "strokeWidth": 2, "opacity": 1},
        "encoding": {
            "shape": name("module", scale={"domain": list(MODULES), "range": ["circle", "square"]}),
            "tooltip": tips(
                {"machine": "machine", "what": "number is", "module": "module", "run": "run"},
                x=("MACs a byte", ".3~g"), y=("GMAC/s", ".4~g"),
            ),
        },
    }  # fmt: skip
