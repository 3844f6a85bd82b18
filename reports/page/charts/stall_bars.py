"""Where the cycles of a block go, as stacked bars."""

from accelerator_sim.models.cycles_result import CyclesResult
from reports.page.charts.encodings import name, number, shade, tips
from reports.page.parts import Chart
from reports.tables.stalls import REASONS, stall_parts
from workloads.results.palette import STALLS

_ROOM = 1.2
"""Of the longest bar: the number behind it needs some."""
_CAPTION = (
    "Each bar is as long as the cycles of one block, the number behind it; its parts are what the "
    "lines of both engines do in that time, and add up to it."
)


def stall_chart(anchor: str, result: CyclesResult, about: str) -> Chart:
    """One bar for each module and run, as long as its cycles.

    Args:
        anchor: Of the chart.
        result: Of the model ``event`` or ``compiled``.
        about: What it is about, for the title.
    """
    bars = stall_parts(result)
    labels = [f"{bar.module} {bar.run}" for bar in bars]
    reasons = [reason for reason in REASONS if any(reason in bar.parts for bar in bars)]
    values = [
        {
            "bar": f"{bar.module} {bar.run}",
            "reason": REASONS[reason],
            "order": reasons.index(reason),
            "cycles": cycles,
            "share": cycles / bar.cycles,
        }
        for bar in bars
        for reason, cycles in bar.parts.items()
    ]
    totals = [{"bar": label, "all": bar.cycles} for label, bar in zip(labels, bars, strict=True)]
    scale = {"domainMax": _ROOM * max(bar.cycles for bar in bars)}
    y, words = name("bar", sort=labels), [REASONS[reason] for reason in reasons]
    parts = {
        "data": {"values": values},
        "mark": {"type": "bar", "stroke": "#555555", "strokeWidth": 0.5, "height": {"band": 0.75}},
        "encoding": {
            "x": number("cycles", "cycles of one block (mean)", scale=scale),
            "y": y,
            "color": shade("reason", words, [STALLS[reason] for reason in reasons]),
            "order": {"field": "order"},
            "tooltip": tips(
                {"bar": "run", "reason": "reason"},
                cycles=("cycles", ",.1f"), share=("share", ".1%"),
            ),
        },
    }  # fmt: skip
    whole = {
        "data": {"values": totals},
        "mark": {"type": "text", "align": "left", "dx": 4},
        "encoding": {"x": number("all", None), "y": y, "text": number("all", None, format=",.0f")},
    }
    spec = {"width": "container", "height": 36 * len(labels), "layer": [parts, whole]}
    return Chart(
        anchor, f"Where the cycles go: {about}", f"{result.basis.capitalize()}. {_CAPTION}", spec
    )
