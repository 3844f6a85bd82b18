"""What every resource of a machine would gain, as bars."""

from accelerator_sim.sensitivity.what_if_result import Gain, WhatIfResult
from reports.page.charts.encodings import name, number, shade, tips
from reports.page.parts import Chart
from workloads.results.palette import BLUE, ORANGE
from workloads.support.wording import counted

_TELLING = 0.005
_HELD, _ANEW = "tile and split held", "planned anew"


def gain_chart(anchor: str, result: WhatIfResult, about: str) -> Chart:
    """A pair of bars for each change of a resource, from 1: no gain.

    Args:
        anchor: Of the chart.
        result: One workload on one machine.
        about: What it is about, for the title.
    """
    base = result.base.compressed
    telling = [gain for gain in result.gains if not _idle(gain, base)]
    values = [
        {"change": _words(gain), "plan": plan, "gain": base / new}
        for gain in telling
        for plan, new in ((_HELD, gain.held.compressed), (_ANEW, gain.anew.compressed))
    ]
    order = [_words(gain) for gain in telling]
    bars = {
        "mark": {"type": "bar"},
        "encoding": {
            "x": number("gain", "times as fast", scale={"zero": False}),
            "x2": {"datum": 1},
            "y": name("change", sort=order),
            "yOffset": {"field": "plan", "sort": [_HELD, _ANEW]},
            "color": shade("plan", [_HELD, _ANEW], [BLUE, ORANGE]),
            "tooltip": tips({"change": "change", "plan": "plan"}, gain=("gain", ".3f")),
        },
    }
    one = {"mark": {"type": "rule"}, "encoding": {"x": {"datum": 1}}}
    spec = {
        "data": {"values": values},
        "width": "container",
        "height": max(1, len(order)) * 30,
        "layer": [bars, one],
    }
    caption = _caption(result, [_words(gain) for gain in result.gains if _idle(gain, base)])
    return Chart(anchor, f"What each resource would gain: {about}", caption, spec)


def _caption(result: WhatIfResult, idle: list[str]) -> str:
    blocks = result.identity.workload.blocks
    caption = (
        f"{result.basis.capitalize()}, compressed run, projections of "
        f"{counted(blocks, 'block')}. Each resource is doubled (latency "
        "halved) or made ideal, one at a time; a long bar is what to build more of. Below 1 is a "
        "loss, from another tile or order of events."
    )
    if idle:
        caption += f" These change the cycles by less than {_TELLING:.1%}: {'; '.join(idle)}."
    return caption


def _words(gain: Gain) -> str:
    step = "halved" if "latency" in gain.change.resource else gain.change.step
    return f"{gain.change.resource}, {step if gain.change.step == 'doubled' else 'ideal'}"


def _idle(gain: Gain, base: float) -> bool:
    """Whether a change does nothing that could be seen in a bar."""
    return all(
        abs(base / new - 1) < _TELLING for new in (gain.held.compressed, gain.anew.compressed)
    )


def best_gain(result: WhatIfResult, about: str) -> str:
    """Which doubled resource gains most, in a sentence; which ideal one, if none is doubled.

    Args:
        result: One workload on one machine.
        about: What it is about.
    """
    base = result.base.compressed
    doubled = [gain for gain in result.gains if gain.change.step == "doubled"] or result.gains
    best = max(doubled, key=lambda gain: base / gain.anew.compressed)
    gain = base / best.anew.compressed
    if gain < 1 + _TELLING:
        return f"No resource, doubled alone, gains {_TELLING:.1%} ({about}, {result.basis})."
    return (
        f"Of all resources, {_words(best).replace(',', '')} gains most: the compressed run is "
        f"{gain:.2f} times as fast ({about}, {result.basis})."
    )
