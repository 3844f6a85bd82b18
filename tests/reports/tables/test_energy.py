"""The energy table: means over blocks, no rows without energies."""

import dataclasses

import pytest

from accelerator_sim.machine.catalog import load_cost_table
from reports.tables.energy import energy_table
from tests.reports.results import cycles
from workloads.results.table import to_dict

NAMES = ("MAC", "Decode", "SRAM", "DRAM", "Link", "Gather", "Static")


def test_energy_table_rows_are_means_and_parts_sum() -> None:
    both = cycles("event", 0.2, 0.9)
    rows = to_dict(energy_table([both]))["rows"]
    assert [row["Run"] for row in rows] == ["dense", "compressed"]
    parts = [f"{name} (uJ)" for name in NAMES]
    for row in rows:
        assert row["Total (uJ)"] == pytest.approx(sum(row[part] for part in parts))
    totals = [block.energy["MHA"]["sum"].total_pj for block in both.blocks]
    assert rows[1]["Total (uJ)"] == pytest.approx(sum(totals) / 2e6)
    assert rows[1]["Dense / run"] == pytest.approx(rows[0]["Total (uJ)"] / rows[1]["Total (uJ)"])
    area = both.blocks[0].area
    assert area is not None
    assert rows[0]["Area (mm2)"] == area.total_mm2


def test_energy_table_analytic_results_have_no_rows() -> None:
    assert energy_table([cycles("roofline", 0.5)]).rows == ()


def test_energy_table_compiled_repeats_no_row() -> None:
    assert len(energy_table([cycles("event", 0.5), cycles("compiled", 0.5)]).rows) == 2


def test_energy_table_two_cost_tables_stand_side_by_side() -> None:
    other = dataclasses.replace(load_cost_table(), name="mine")
    both = [cycles("event", 0.5), cycles("event", 0.5, costs=other)]
    rows = to_dict(energy_table(both))["rows"]
    assert [row["Costs"] for row in rows] == ["28nm", "28nm", "mine", "mine"]
