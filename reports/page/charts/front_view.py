"""A swept space for the page: points, front, and the machine that each point is."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from accelerator_sim.design_space.objectives import OBJECTIVES
from accelerator_sim.design_space.sweep_result import KNEE, SweepResult, objectives_label
from accelerator_sim.design_space.variation import WORK_AXES, hardware_keys
from reports.page.parts import Explorer
from reports.stored.material import Swept
from workloads.results.identity import flat
from workloads.results.palette import SERIES
from workloads.support.wording import counted

MOST_POINTS = 20_000
_POINT = "point"


def front_explorer(name: str, swept: Swept) -> Explorer | None:
    """The points of a sweep with its front; None where nothing is feasible.

    Args:
        name: Of the explorer.
        swept: With its points, or only the front.
    """
    result = swept.result
    axes = list(result.identity.axes)
    rows, left_out = _rows(swept)
    if not rows:
        return None
    measured = [n for n in OBJECTIVES if n in rows[0] and any(row[n] is not None for row in rows)]
    places = {row[_POINT]: place for place, row in enumerate(rows)}
    front = [places[row[_POINT]] for row in result.front]
    knees = [places[row[_POINT]] for row in result.front if row[KNEE]]
    objectives = list(result.identity.objectives)
    work = [axis for axis in axes if axis in WORK_AXES]
    data = {
        "columns": {key: _column(rows, key) for key in (_POINT, *axes, *measured)},
        "front": front,
        "knee": knees[0] if knees else None,
        "axes": axes,
        "work": work,
        "hardware": [axis for axis in axes if axis in hardware_keys()],
        "measured": measured,
        "names": {key: OBJECTIVES[key].heading for key in measured},
        "x": objectives[0],
        "y": objectives[1] if len(objectives) > 1 else axes[0],
        "machine": _machine(result),
        "colours": [colour for colour, _ in SERIES],
    }
    return Explorer(name, _title(result), _caption(swept, len(rows), left_out), data)


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    """Values of a column, in the units of the headings."""
    values = [row[key] for row in rows]
    return [OBJECTIVES[key].shown(value) for value in values] if key in OBJECTIVES else values


def _rows(swept: Swept) -> tuple[Sequence[Mapping[str, Any]], int]:
    """Points with every objective, the front among them; and how many were left out."""
    if swept.points is None:
        return list(swept.result.front), 0
    objectives = swept.result.identity.objectives
    rows = [row for row in _feasible(swept.points) if all(row[o] is not None for o in objectives)]
    if len(rows) <= MOST_POINTS:
        return rows, 0
    front = {row[_POINT] for row in swept.result.front}
    step = -(-len(rows) // MOST_POINTS)
    shown = [row for n, row in enumerate(rows) if n % step == 0 or row[_POINT] in front]
    return shown, len(rows) - len(shown)


def _feasible(points: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = points.filter(points.column("feasible")).to_pylist()
    return rows


def _machine(result: SweepResult) -> dict[str, Any]:
    """The base machine as its TOML would have it: tables last, nothing that is left to default."""
    fields = result.identity.machine.fields
    plain = {key: v for key, v in fields.items() if v is not None and not isinstance(v, Mapping)}
    tables = {
        key: {inner: v for inner, v in flat(value).items() if v is not None}
        for key, value in fields.items()
        if isinstance(value, Mapping)
    }
    return {**plain, **tables}


def _title(result: SweepResult) -> str:
    return (
        f"{result.points:,} variants of {result.identity.machine.label}: {objectives_label(result)}"
    )


def _caption(swept: Swept, shown: int, left_out: int) -> str:
    result = swept.result
    parts = [
        f"{result.basis.capitalize()}; energy and area by the cost table "
        f"{result.identity.costs.name}. Small marks: {shown:,} feasible points; large ones: the "
        f"{len(result.front):,} points that nothing beats."
    ]
    if swept.points is None:
        parts = [f"{result.basis.capitalize()}. Only the front is here: the shards are not."]
    if left_out:
        points = counted(left_out, "further point")
        parts.append(f"Only in the shards, evenly left out: {points}.")
    if result.infeasible:
        parts.append(f"Infeasible: {counted(result.infeasible, 'point')}.")
    parts.append(
        "Click a point, or choose one from the list, for its machine; drag over some to list only "
        "those."
    )
    return " ".join(parts)


def fronts(sweeps: Sequence[Swept]) -> list[Explorer]:
    """An explorer for each sweep that has a feasible point."""
    made = (front_explorer(f"front-{place}", swept) for place, swept in enumerate(sweeps))
    return [explorer for explorer in made if explorer is not None]
