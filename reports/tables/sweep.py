"""A finished sweep as people read it: the Pareto front as a table, and a dry run."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from accelerator_sim.design_space.evaluation import Estimate
from accelerator_sim.design_space.objectives import OBJECTIVES
from accelerator_sim.design_space.space import Space
from accelerator_sim.design_space.spread import NO_SETTINGS, mean_changes
from accelerator_sim.design_space.sweep_result import SweepResult, front_columns, objectives_label
from accelerator_sim.design_space.variation import WORK_AXES
from accelerator_sim.design_space.workload import SOURCES
from workloads.results.table import Cell, Column, Table
from workloads.support.wording import counted

if TYPE_CHECKING:
    from reports.codesign.joint_estimate import JointEstimate

_SHOWN_ROWS = 30


def front_table(result: SweepResult, points: pa.Table, notes: Sequence[str] = ()) -> Table:
    """One row per point on the front: the parameters that vary, then what was measured.

    Args:
        result: Of the sweep.
        points: All of them.
        notes: What else there is to say of it.
    """
    identity = result.identity
    axes = [key for key in identity.axes if key in WORK_AXES or _varies(points, key)]
    measured = [name for name in OBJECTIVES if name in points.column_names]
    columns, rows = front_columns(result, axes, measured)
    subject = next(identity.workload[name] for name in SOURCES if name in identity.workload)
    title = f"Pareto front of {subject} on {identity.machine.label}: {objectives_label(result)}"
    return Table("front", title, columns, rows, (*_notes(result), *notes))


def _notes(result: SweepResult) -> Iterator[str]:
    identity = result.identity
    work = ", ".join(key for key in identity.axes if key in WORK_AXES)
    yield (
        f"{len(result.front)} of {counted(result.points, 'point')}, {result.basis}; "
        f"masks {identity.workload['masks']}. Each work ({work}) has a front."
    )
    yield (
        f"Energy and area by the cost table {identity.costs.name}; seconds by the clock of "
        "the point. Knee: the point farthest from the line between the ends of the front, on log "
        "scales."
    )
    if identity.tolerance:
        yield (
            f"Points of the front differ by more than {identity.tolerance:.2%} in an objective; "
            "every other point is at most so much better than one of them."
        )
    if identity.constraints:
        limits = "; ".join(each.describe(name) for name, each in identity.constraints.items())
        yield f"Only points with {limits}: {result.outside:,} feasible ones have not."
    if result.infeasible:
        first = result.infeasible_reasons[0]
        yield (
            f"{result.infeasible:,} points are infeasible; most often ({first.points:,}): "
            f"{first.reason}"
        )


def sensitivity_table(
    result: SweepResult, points: pa.Table, own: Mapping[str, Collection[str]] = NO_SETTINGS
) -> Table:
    """How far each objective moves when one parameter moves alone: a row for each that varies.

    Args:
        result: Of the sweep.
        points: All of them.
        own: As for ``spread.mean_changes``.
    """
    parameters = [key for key in result.identity.axes if _varies(points, key)]
    measured = [name for name in OBJECTIVES if name in points.column_names]
    cells: list[tuple[Cell, ...]] = []
    for key in parameters:
        changes = mean_changes(points, key, measured, parameters=parameters, own=own)
        values = len(points.column(key).drop_null().unique())
        cells.append((key, values, *changes.values()))
    columns = (
        Column("Parameter"),
        Column("Values"),
        *(Column(OBJECTIVES[name].heading.partition(" (")[0], ".2%") for name in measured),
    )
    notes = (
        "Mean over all settings of the others of (largest - smallest) / smallest while only this "
        "parameter moves through its values; a dash: no two points differ in it alone.",
    )
    return Table(
        "sensitivity", "Change of each objective by parameter", columns, tuple(cells), notes
    )


def _varies(points: pa.Table, key: str) -> bool:
    return len(points.column(key).unique()) > 1


def shortened(table: Table, directory: Path) -> Table:
    """The table's first rows for a terminal, with a note where the others are.

    Args:
        table: From ``front_table``.
        directory: Of the sweep.
    """
    if len(table.rows) <= _SHOWN_ROWS:
        return table
    note = f"{len(table.rows) - _SHOWN_ROWS:,} more rows in {directory / 'front.csv'}."
    return dataclasses.replace(table, rows=table.rows[:_SHOWN_ROWS], notes=(note, *table.notes))


def estimate_table(space: Space, estimate: Estimate) -> Table:
    """How many points a sweep has and how long it will take.

    Args:
        space: What would be swept.
        estimate: From a dry run.
    """
    rows: tuple[tuple[Cell, ...], ...] = (
        ("points", estimate.points),
        ("finished already", estimate.finished),
        ("batches", -(-estimate.points // space.batch_points)),
        ("workers", estimate.workers),
        ("seconds to prepare a worker", estimate.setup_seconds),
        (f"seconds per point (measured, mean of {estimate.timed_points})", estimate.point_seconds),
        ("wall over processor time, at the load of now", estimate.crowding),
        ("seconds in all (estimate)", estimate.seconds),
    )
    title = f"Dry run of {Path(space.source).name}"
    return Table("dry-run", title, (Column("What"), Column("Value", ",.6g")), rows)


def joint_estimate_table(path: Path, estimate: "JointEstimate") -> Table:
    """What a sweep of compressed models and machines will make, and how long it will take.

    Args:
        path: The space.
        estimate: From a dry run.
    """
    rows: tuple[tuple[Cell, ...], ...] = (
        ("points", estimate.points),
        ("finished already", estimate.finished),
        ("compressions", estimate.compressions),
        ("compressed already", estimate.compressed),
        ("compressions that do not fit the model", estimate.impossible),
        ("evaluations, at most", estimate.evaluations),
        ("workers", estimate.workers),
        ("seconds to compress (estimate)", estimate.compressing_seconds),
        ("seconds to evaluate (estimate)", estimate.evaluating_seconds),
        ("seconds to run the points (estimate)", estimate.running_seconds),
        ("seconds in all (estimate)", estimate.seconds),
    )
    columns = (Column("What"), Column("Value", ",.6g"))
    return Table("dry-run", f"Dry run of {path.name}", columns, rows)
