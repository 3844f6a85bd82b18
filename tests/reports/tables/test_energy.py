"""The energy table: means over blocks, no rows without energies, old results accepted."""

import dataclasses
import json
from typing import Any

import pytest

from accelerator_sim.machine.catalog import load_cost_table
from accelerator_sim.machine.costs import CostTable
from reports.stored.files import Subject
from reports.tables.cycles import cycles_result
from reports.tables.energy import energy_table
from tests.accelerator_sim.machines import block_by, projection, random_mask, small_machine
from workloads.results.table import to_dict

SUBJECT = Subject("tiny", "wanda", 0.5, "real")


def found(model: Any, *densities: float, costs: CostTable | None = None) -> dict[str, Any]:
    machine = small_machine()
    blocks = [
        block_by(
            model, [projection(random_mask(8, 16, density, seed=1), rank=2)], machine, costs=costs
        )
        for density in densities
    ]
    result: dict[str, Any] = json.loads(json.dumps(cycles_result(SUBJECT, machine.name, 1, blocks)))
    return result


def test_energy_table_rows_are_means_and_parts_sum() -> None:
    both = found("event", 0.2, 0.9)
    rows = to_dict(energy_table([both]))["rows"]
    assert [row["Run"] for row in rows] == ["dense", "compressed"]
    parts = [f"{name} (uJ)" for name in ("MAC", "Decode", "SRAM", "DRAM", "Link")]
    for row in rows:
        assert row["Total (uJ)"] == pytest.approx(sum(row[part] for part in parts))
    totals = [block["energy"]["MHA"]["sum"]["total_pj"] for block in both["blocks"]]
    assert rows[1]["Total (uJ)"] == pytest.approx(sum(totals) / 2e6)
    assert rows[1]["Dense / run"] == pytest.approx(rows[0]["Total (uJ)"] / rows[1]["Total (uJ)"])
    assert rows[0]["Area (mm2)"] == both["blocks"][0]["area"]["total_mm2"]


def test_energy_table_analytic_and_older_results_have_no_rows() -> None:
    older = found("event", 0.5)
    for block in older["blocks"]:
        del block["energy"], block["area"], block["cost_table"]
    assert energy_table([found("roofline", 0.5), older]).rows == ()


def test_energy_table_compiled_repeats_no_row() -> None:
    table = energy_table([found("event", 0.5), found("compiled", 0.5)])
    assert len(table.rows) == 2


def test_energy_table_two_cost_tables_stand_side_by_side() -> None:
    other = dataclasses.replace(load_cost_table(), name="mine")
    rows = to_dict(energy_table([found("event", 0.5), found("event", 0.5, costs=other)]))["rows"]
    assert [row["Costs"] for row in rows] == ["28nm", "28nm", "mine", "mine"]
