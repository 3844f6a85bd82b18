"""Gains of each resource as bars: the compressed run, tile and split held, and planned anew."""

from matplotlib.figure import Figure

from accelerator_sim.sensitivity.what_if_result import WhatIfResult
from workloads.results.palette import BLUE, SKY

_HEIGHT = 0.38


def gains_figure(result: WhatIfResult) -> Figure:
    """A pair of bars for each change, from 1: no gain.

    Args:
        result: One workload on one machine.
    """
    figure = Figure(figsize=(7.2, 1.2 + 0.3 * len(result.gains)), layout="constrained")
    axes, base = figure.subplots(), result.base.compressed
    held = [base / gain.held.compressed for gain in result.gains]
    anew = [base / gain.anew.compressed for gain in result.gains]
    rows = range(len(result.gains))
    above, below = ([row + shift for row in rows] for shift in (-_HEIGHT / 2, _HEIGHT / 2))
    axes.barh(above, _less_one(held), _HEIGHT, 1, color=BLUE, label="tile and split held")
    axes.barh(below, _less_one(anew), _HEIGHT, 1, color=SKY, hatch="//", label="planned anew")
    axes.axvline(1, color="black", linewidth=0.8)
    names = [f"{gain.change.resource}, {gain.change.step}" for gain in result.gains]
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.set_xlim(min(0.95, *held, *anew))
    axes.set_xlabel("gain: cycles as it is over cycles with the change")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    identity = result.identity
    tokens = identity.workload.tokens
    figure.suptitle(
        f"{identity.subject.model}, {identity.subject.method}, compressed, "
        f"{tokens} token{'' if tokens == 1 else 's'}\n{identity.machine.label}, {result.basis}",
        fontsize=9,
    )
    return figure


def _less_one(gains: list[float]) -> list[float]:
    """Lengths of bars that begin at 1."""
    return [gain - 1 for gain in gains]
