"""A finished sweep as people read it: the Pareto front as a table and as JSON."""

import dataclasses
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from accelerator_sim.design_space.evaluation import Estimate
from accelerator_sim.design_space.objectives import OBJECTIVES
from accelerator_sim.design_space.pareto import pareto_front
from accelerator_sim.design_space.space import TOKENS, Space
from reports.tables.cycles import PROVENANCE
from workloads.results.table import Cell, Column, Table

_WHOLE_UNITS = ("cycles", "bytes", "pJ")
_SHOWN_ROWS = 30


def sweep_result(space: Space, results: pa.Table) -> dict[str, Any]:
    """The Pareto front of a sweep, with what it was a sweep of.

    Points with different tokens are different work, so each number of tokens has its own front.

    Args:
        space: What was swept.
        results: From ``accelerator_sim.design_space.evaluation.run_sweep``.
    """
    rows = results.to_pylist()
    reasons = Counter(row["reason"] for row in rows if not row["feasible"])
    feasible = [row for row in rows if row["feasible"]]
    workload = {name: value for name, value in asdict(space.workload).items() if value != ""}
    if space.workload.artifact:
        workload = {"artifact": Path(space.workload.artifact).name, "blocks": workload["blocks"]}
    return {
        "kind": "sweep",
        "accelerator": space.accelerator.name,
        "cycle_model": space.cycle_model,
        "provenance": PROVENANCE[space.cycle_model],
        "cost_table": space.costs.name,
        "workload": {**workload, "masks": space.workload.masks},
        "sha256": space.digest,
        "axes": [axis.key for axis in space.axes],
        "objectives": list(space.objectives),
        "points": len(rows),
        "infeasible": sum(reasons.values()),
        "infeasible_reasons": [
            {"reason": reason, "points": count} for reason, count in reasons.most_common()
        ],
        "front": _front(feasible, space.objectives),
    }


def _front(rows: list[dict[str, Any]], objectives: tuple[str, ...]) -> list[dict[str, Any]]:
    front: list[dict[str, Any]] = []
    for tokens in sorted({row[TOKENS] for row in rows}):
        group = [row for row in rows if row[TOKENS] == tokens]
        values = [[row[name] * OBJECTIVES[name].sign for name in objectives] for row in group]
        best = [group[place] for place in pareto_front(np.array(values)).tolist()]
        front += sorted(best, key=lambda row: row[objectives[0]] * OBJECTIVES[objectives[0]].sign)
    return [{k: v for k, v in row.items() if k not in ("feasible", "reason")} for row in front]


def front_table(space: Space, result: dict[str, Any]) -> Table:
    """One row per point on the front: the fields that vary, then what was measured.

    Args:
        space: What was swept.
        result: From ``sweep_result``.
    """
    axes = [
        axis.key
        for axis in space.axes
        if axis.key == TOKENS or axis.interval is not None or len(axis.values) > 1
    ]
    measured = space.measured
    columns = (
        Column("Point"),
        *(Column(key, ",") for key in axes),
        *(_heading(name) for name in measured),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        tuple(row[name] for name in ("point", *axes, *measured)) for row in result["front"]
    )
    subject = space.workload.model or Path(space.workload.artifact).name
    title = f"Pareto front of {subject} on {space.accelerator.name}: {', '.join(space.objectives)}"
    notes = [
        f"{len(rows)} of {result['points']:,} points, {result['provenance']}; "
        f"masks {space.workload.masks}. Each number of tokens has its own front.",
        f"Energy and area by the cost table {space.costs.name}.",
    ]
    if result["infeasible"]:
        first = result["infeasible_reasons"][0]
        notes.append(
            f"{result['infeasible']:,} points are infeasible; most often ({first['points']:,}): "
            f"{first['reason']}"
        )
    return Table("front", title, columns, rows, tuple(notes))


def shortened(table: Table, directory: Path) -> Table:
    """The table's first rows for a terminal, with a note where the others are."""
    if len(table.rows) <= _SHOWN_ROWS:
        return table
    note = f"{len(table.rows) - _SHOWN_ROWS:,} more rows in {directory / 'front.csv'}."
    return dataclasses.replace(table, rows=table.rows[:_SHOWN_ROWS], notes=(note, *table.notes))


def estimate_table(space: Space, found: Estimate) -> Table:
    """How many points a sweep has and how long it will take."""
    rows: tuple[tuple[Cell, ...], ...] = (
        ("points", found.points),
        ("finished already", found.finished),
        ("batches", -(-found.points // space.batch_points)),
        ("workers", found.workers),
        ("seconds to prepare a worker", found.setup_seconds),
        (f"seconds per point (measured, mean of {found.timed_points})", found.point_seconds),
        ("seconds in all (estimate)", found.seconds),
    )
    title = f"Dry run of {Path(space.source).name}"
    return Table("dry-run", title, (Column("What"), Column("Value", ",.6g")), rows)


def _heading(name: str) -> Column:
    unit = OBJECTIVES[name].unit
    return Column(name, ",.0f" if unit in _WHOLE_UNITS else ",.3f")
