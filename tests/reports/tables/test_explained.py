"""The table of what binds: sums over projections and blocks, no rows without simulated runs."""

from typing import Any

import pytest

from reports.tables.explained import explained_table
from tests.reports.tables.test_energy import found
from workloads.results.table import to_dict


def rows_of(*results: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = to_dict(explained_table(results))["rows"]
    return rows


def test_explained_table_adds_up_runs_of_all_blocks() -> None:
    both = found("event", 0.2, 0.9)
    rows = rows_of(both)
    assert [row["Run"] for row in rows] == ["dense", "compressed"]
    runs = [block["projections"][0]["sum_run"] for block in both["blocks"]]
    cycles = sum(run["cycles"] for run in runs)
    useful = sum(run["actions"]["macs"] - run["actions"]["executed_zeros"] for run in runs)
    row = rows[1]
    assert row["Utilisation"] == pytest.approx(useful / (4 * cycles))
    assert row["Bound / cycles"] == sum(run["roofline_cycles"] for run in runs) / cycles
    assert row["DRAM (MB)"] == pytest.approx(sum(run["traffic"]["total"] for run in runs) / 2e6)
    assert row["MACs/byte"] == useful / sum(run["roofline"]["bytes"] for run in runs)
    assert (row["Balance"], row["Bound by"]) == (1.0, "memory")
    busy = sum(run[engine]["compute"] for run in runs for engine in ("denser", "sparser"))
    assert row["Binding"] == "compute"
    assert row["Share"] == pytest.approx(busy / (2 * cycles))


def test_explained_table_analytic_and_compiled_results_add_no_rows() -> None:
    event = found("event", 0.5)
    assert rows_of(found("roofline", 0.5), found("published", 0.5)) == []
    assert rows_of(event, found("compiled", 0.5)) == rows_of(event)
