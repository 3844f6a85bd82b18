"""A finished sweep as people read it: the Pareto front as a table, and a dry run."""

import dataclasses
from pathlib import Path

from accelerator_sim.design_space.evaluation import Estimate
from accelerator_sim.design_space.space import Space
from accelerator_sim.design_space.sweep_result import SweepResult, front_columns, objectives_label
from accelerator_sim.design_space.variation import WORK_AXES
from workloads.results.table import Cell, Column, Table
from workloads.support.wording import counted

_SHOWN_ROWS = 30


def front_table(space: Space, result: SweepResult) -> Table:
    """One row per point on the front: the fields that vary, then what was measured.

    Args:
        space: What was swept.
        result: Its result.
    """
    axes = [
        axis.key
        for axis in space.axes
        if axis.key in WORK_AXES or axis.interval is not None or len(axis.values) > 1
    ]
    columns, rows = front_columns(result, axes, space.measured)
    subject = space.workload.name
    machine = result.identity.machine.label
    title = f"Pareto front of {subject} on {machine}: {objectives_label(result)}"
    notes = [
        f"{len(rows)} of {counted(result.points, 'point')}, {result.basis}; "
        f"masks {space.workload.masks}. Each work ({', '.join(space.work_axes)}) has a front.",
        f"Energy and area by the cost table {space.costs.name}; seconds by the clock of the point. "
        "Knee: the point farthest from the line between the ends of the front, on log scales.",
    ]
    if space.tolerance:
        notes.append(
            f"Points of the front differ by more than {space.tolerance:.2%} in an objective; every "
            "other point is at most so much better than one of them."
        )
    if space.constraints:
        limits = "; ".join(each.describe(name) for name, each in space.constraints.items())
        notes.append(f"Only points with {limits}: {result.outside:,} feasible ones have not.")
    if result.infeasible:
        first = result.infeasible_reasons[0]
        notes.append(
            f"{result.infeasible:,} points are infeasible; most often ({first.points:,}): "
            f"{first.reason}"
        )
    return Table("front", title, columns, rows, tuple(notes))


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
