"""The table of what binds: sums over projections and blocks, no rows without simulated runs."""

from typing import Any

import pytest

from accelerator_sim.models.cycles_result import CyclesResult
from reports.tables.explained import explained_table
from tests.reports.results import cycles
from workloads.results.table import to_dict


def rows_of(*results: CyclesResult) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = to_dict(explained_table(results))["rows"]
    return rows


def test_explained_table_adds_up_runs_of_all_blocks() -> None:
    both = cycles("event", 0.2, 0.9)
    rows = rows_of(both)
    assert [row["Run"] for row in rows] == ["dense", "compressed"]
    first = [block.projections[0].sum_run for block in both.blocks]
    runs = [run for run in first if run is not None]
    assert len(runs) == 2
    total = sum(run.cycles for run in runs)
    useful = sum(run.actions.macs - run.actions.executed_zeros for run in runs)
    row = rows[1]
    assert row["Utilisation"] == pytest.approx(useful / (4 * total))
    assert row["Bound / cycles"] == sum(run.roofline_cycles for run in runs) / total
    assert row["DRAM (MB)"] == pytest.approx(sum(run.traffic.total for run in runs) / 2e6)
    assert row["MACs/byte"] == useful / sum(run.roofline.bytes for run in runs)
    assert (row["Balance"], row["Bound by"]) == (1.0, "memory")
    busy = sum(run.denser.compute + run.sparser.compute for run in runs)
    assert row["Binding"] == "compute"
    assert row["Share"] == pytest.approx(busy / (2 * total))


def test_explained_table_analytic_and_compiled_results_add_no_rows() -> None:
    event = cycles("event", 0.5)
    assert rows_of(cycles("roofline", 0.5), cycles("published", 0.5)) == []
    assert rows_of(event, cycles("compiled", 0.5)) == rows_of(event)
