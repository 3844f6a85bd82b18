"""Perplexity over stored bits, as points."""

from collections.abc import Sequence
from typing import Any

from reports.page.charts.encodings import number, shade, tips
from reports.page.parts import Chart
from reports.tables.stored_bits import StoredPerplexity
from workloads.results.palette import SERIES


def bits_chart(name: str, points: Sequence[StoredPerplexity]) -> Chart:
    """A point for each model and method, named; a colour for each text.

    Args:
        name: Of the chart.
        points: At least one.
    """
    several = len({point.model for point in points}) > 1
    values = [
        {
            "what": f"{point.model}, {point.method}" if several else point.method,
            "text": point.text,
            "bits": point.bits,
            "perplexity": point.perplexity,
        }
        for point in points
    ]
    ratio = max(p.perplexity for p in points) / min(p.perplexity for p in points)
    kind = {"type": "log"} if ratio > 20 else {"type": "linear", "zero": False}
    scale = {**kind, "padding": 18}
    half = max(point.bits for point in points) / 2
    texts = list(dict.fromkeys(point.text for point in points))
    spec = {
        "data": {"values": values},
        "width": "container",
        "height": 300,
        "encoding": {
            "x": number("bits", "stored bits a parameter of the projections"),
            "y": number("perplexity", "perplexity (less is better)", scale=scale),
            "color": shade("text", texts, [colour for colour, _ in SERIES], title="text"),
            "tooltip": tips(
                {"what": "model", "text": "text"},
                bits=("bits", ".2f"), perplexity=("perplexity", ".2f"),
            ),
        },
        "layer": [
            {"mark": {"type": "point", "filled": True, "size": 110, "opacity": 1}},
            _labels(f"datum.bits <= {half}", "left"),
            _labels(f"datum.bits > {half}", "right"),
        ],
    }  # fmt: skip
    caption = (
        "Perplexity: measured. Bits: mask, kept values and factors as they lie in the artifact, "
        "over the parameters of the projections; embeddings and head are left out, which are the "
        "same in all. Compare points of one text."
    )
    return Chart(name, "Perplexity over stored bits", caption, spec)


def _labels(which: str, align: str) -> dict[str, Any]:
    """Names of points, towards the middle of the chart."""
    return {
        "transform": [{"filter": which}],
        "mark": {"type": "text", "dy": -12, "fontSize": 12, "align": align},
        "encoding": {"text": {"field": "what"}, "color": {"value": "currentColor"}},
    }
