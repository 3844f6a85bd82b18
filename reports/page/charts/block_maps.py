"""Heat maps over blocks and projections: rank, kept, error, imbalance, cycles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accelerator_sim.models.cycles_result import CyclesResult
from accelerator_sim.simulation.result import EventResult
from reports.page.charts.encodings import name, number, tips
from reports.page.parts import Chart
from workloads.artifact.read import Artifact

Cells = Mapping[tuple[int, str], float]
"""A value by block and projection."""


@dataclass(frozen=True)
class BlockMap:
    """One quantity over blocks and projections.

    Attributes:
        name: For its anchor.
        title: What it is.
        form: How its numbers are written, in d3's notation.
        about: What it means and where it comes from.
        cells: The values.
    """

    name: str
    title: str
    form: str
    about: str
    cells: Cells

    @property
    def constant(self) -> float | None:
        """The value of every cell, if all have the same."""
        values = set(self.cells.values())
        return values.pop() if len(values) == 1 else None


def artifact_maps(artifact: Artifact) -> list[BlockMap]:
    """Rank, kept share and error as the manifest has them."""
    records = [
        (index, record)
        for index, block in enumerate(artifact.blocks)
        for record in block.projections
    ]
    rank = {(index, record.name): float(record.rank) for index, record in records}
    kept = {
        (index, record.name): (record.nonzeros + record.factor_parameters) / (record.m * record.n)
        for index, record in records
    }
    error = {
        (index, record.name): record.scaled_error
        for index, record in records
        if record.scaled_error is not None
    }
    return [
        BlockMap("rank", "Rank", ",.0f", "Columns of U and V.", rank),
        BlockMap("kept", "Kept", ".2%", "Share of the parameters in S, U and V.", kept),
        BlockMap(
            "error", "Scaled error", ".4f",
            "|(W - S - L)D| / |WD|, D the norms of the calibration inputs; less is better.", error,
        ),
    ]  # fmt: skip


def cycle_maps(result: CyclesResult) -> list[BlockMap]:
    """Cycles of the compressed run, and the share of line cycles lost to imbalance."""
    projections = [
        (index, one) for index, block in enumerate(result.blocks) for one in block.projections
    ]
    cycles = {(index, one.name): float(one.sum_cycles) for index, one in projections}
    imbalance = {
        (index, one.name): share
        for index, one in projections
        if one.sum_run is not None and (share := _imbalance(one.sum_run)) is not None
    }
    basis = result.basis
    return [
        BlockMap(
            "imbalance", "Imbalance", ".1%",
            f"Share of line cycles without a row while other lines work; {basis}.", imbalance,
        ),
        BlockMap("cycles", "Cycles", ",.0f", f"Of the compressed run; {basis}.", cycles),
    ]  # fmt: skip


def _imbalance(run: EventResult) -> float | None:
    whole = sum(account.total for account in run.stalls.values())
    return sum(account.imbalance for account in run.stalls.values()) / whole if whole else None


def constant_maps(maps: Sequence[BlockMap]) -> list[str]:
    """Those quantities that are the same everywhere, each in a sentence."""
    return [
        f"{one.title} is {_written(one.constant, one.form)} in every projection of every block."
        for one in maps
        if one.constant is not None
    ]


def _written(value: float, form: str) -> str:
    return format(value, form)


def map_charts(prefix: str, maps: Sequence[BlockMap], about: str) -> list[Chart]:
    """A heat map for each quantity that differs somewhere.

    Args:
        prefix: Of the charts' names.
        maps: Of one model.
        about: Its name, for the titles.
    """
    return [
        Chart(f"{prefix}-{one.name}", f"{one.title}: {about}", one.about, _spec(one))
        for one in maps
        if one.cells and one.constant is None
    ]


def _spec(one: BlockMap) -> dict[str, Any]:
    names = list(dict.fromkeys(full for _, full in one.cells))
    short = {full: full.rpartition(".")[2] for full in names}
    if len(set(short.values())) < len(short):
        short = {full: full for full in names}
    values = [
        {"block": block, "projection": short[full], "value": value}
        for (block, full), value in one.cells.items()
    ]
    return {
        "data": {"values": values},
        "width": "container",
        "height": 20 * len(names),
        "mark": {"type": "rect", "stroke": None},
        "encoding": {
            "x": {
                "field": "block",
                "type": "ordinal",
                "title": "block",
                "axis": {"labelAngle": 0, "labelOverlap": True},
            },
            "y": name("projection", sort=list(short.values())),
            "color": number(
                "value", one.title.lower(), scale={"scheme": "viridis", "zero": False},
                legend={"orient": "right", "direction": "vertical", "gradientLength": 110,
                        "format": one.form, "tickCount": 4},
            ),
            "tooltip": tips(
                {"block": "block", "projection": "projection"},
                value=(one.title.lower(), one.form),
            ),
        },
    }  # fmt: skip
