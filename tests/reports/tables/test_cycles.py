"""Tables from simulated blocks: means, totals, times and ratios recomputed by hand."""

import dataclasses
from typing import Any

import pytest

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.cycles_result import CyclesResult
from reports.tables.cycles import speedup_table, whole_model_table
from tests.reports.results import SUBJECT, cycles, cycles_of
from tests.workloads.results.results import PROVENANCE
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import wanda_lognormal_mask
from workloads.results.table import Table, to_dict
from workloads.shapes.transformer import ModelShape

SMALL = ModelShape("small", 128, 192, 4, 2, 32, 2)
MACHINE = load_accelerator("array-64x64")


def _block(seed: int) -> list[SparseLowRankGemm]:
    return [
        SparseLowRankGemm(g, wanda_lognormal_mask(g.m, g.n, g.m * g.n // 2, seed), 4)
        for g in SMALL.projections()
    ]


@pytest.fixture(scope="module")
def results() -> dict[str, CyclesResult]:
    blocks = [_block(0), _block(1)]
    return {
        model: cycles_of(model, blocks, machine=MACHINE, of_blocks=2)
        for model in ("published", "roofline", "event")
    }


def rows_of(table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = to_dict(table)["rows"]
    return rows


@pytest.mark.parametrize("model", ["published", "roofline", "event"])
def test_cycles_result_mean_and_total_follow_from_blocks(
    results: dict[str, CyclesResult], model: str
) -> None:
    result = results[model]
    for module in ("MHA", "FFN"):
        for part in ("dense_cycles", "sparse_cycles", "low_rank_cycles", "sum_cycles"):
            by_hand = sum(
                getattr(projection, part)
                for block in result.blocks
                for projection in block.projections
                if projection.module == module
            )
            assert getattr(result.total[module], part) == pytest.approx(by_hand)
            mean = getattr(result.mean_per_block[module], part)
            assert mean == pytest.approx(by_hand / 2)


def test_speedup_table_rows_are_modules_of_each_model(results: dict[str, CyclesResult]) -> None:
    rows = rows_of(speedup_table([*reversed(results.values())]))
    assert [(row["Module"], row["Cycles are"]) for row in rows] == [
        ("MHA", "analytic (published)"),
        ("FFN", "analytic (published)"),
        ("MHA", "analytic (roofline)"),
        ("FFN", "analytic (roofline)"),
        ("MHA", "simulated (event)"),
        ("FFN", "simulated (event)"),
    ]
    for row in rows:
        assert row["Sum"] == pytest.approx(row["Sparse"] + row["Low-rank"])
        assert row["Speedup"] == pytest.approx(row["Dense"] / row["Sum"])
        assert row["Sum (us)"] == pytest.approx(row["Sum"] / MACHINE.clock_hz * 1e6)


def test_speedup_table_alike_results_say_what_they_share_in_a_note() -> None:
    table = speedup_table([cycles("event", 0.5, of_blocks=4)])
    names = [column.name for column in table.columns]
    assert "Version" not in names
    assert any("Blocks: 1 of 4" in note for note in table.notes)
    assert any("Cycles are those of 8/8/8 bits" in note for note in table.notes)
    assert any("stores F32" in note for note in table.notes)


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"of_blocks": 4}, "Blocks"),
        ({"costs": "mine"}, "Costs"),
        ({"origin": dataclasses.replace(PROVENANCE, version="9.9")}, "Version"),
        ({"subject": dataclasses.replace(SUBJECT, masks="synthetic")}, "Masks"),
    ],
)
def test_speedup_table_what_differs_gets_a_column(change: dict[str, Any], column: str) -> None:
    if "costs" in change:
        from accelerator_sim.machine.catalog import load_cost_table

        change = {"costs": dataclasses.replace(load_cost_table(), name="mine")}
    table = speedup_table([cycles("event", 0.5), cycles("event", 0.5, **change)])
    assert len({row[column] for row in rows_of(table)}) == 2


def test_speedup_table_machines_are_called_what_they_are() -> None:
    plain, changed = (
        load_accelerator("array-64x64", over) for over in ({}, {"bits.weight": 4, "lines": 32})
    )
    rows = rows_of(
        speedup_table([cycles("event", 0.5, machine=plain), cycles("event", 0.5, machine=changed)])
    )
    assert {row["Accelerator"] for row in rows} == {
        "array-64x64", "array-64x64 + bits.weight=4, lines=32",
    }  # fmt: skip
    assert {row["Bits W/UV/X"] for row in rows} == {"8/8/8", "4/8/8"}


def test_speedup_table_two_settings_of_a_method_are_told_apart() -> None:
    other = dataclasses.replace(SUBJECT, settings={"kept_fraction": 0.4}, sha256="cd" * 32)
    rows = rows_of(speedup_table([cycles("event", 0.5), cycles("event", 0.4, subject=other)]))
    assert {row["Method"] for row in rows} == {
        "wanda (kept_fraction=0.5)", "wanda (kept_fraction=0.4)",
    }  # fmt: skip


def test_speedup_table_nothing_kept_has_no_speedup() -> None:
    empty = cycles("published", 0.0)
    part = dataclasses.replace(empty.blocks[0].projections[0], sparse_cycles=0.0, sum_cycles=0.0)
    block = dataclasses.replace(empty.blocks[0], projections=(part,))
    [row] = rows_of(speedup_table([dataclasses.replace(empty, blocks=(block,))]))
    assert row["Speedup"] is None


def test_whole_model_table_needs_every_block(results: dict[str, CyclesResult]) -> None:
    result = results["event"]
    [row] = rows_of(whole_model_table([result]))
    seconds = sum(block.total.sum_cycles for block in result.blocks) / MACHINE.clock_hz
    assert row["Sum (ms)"] == pytest.approx(seconds * 1e3)
    assert row["Sum tokens/s"] == pytest.approx(1 / seconds)
    assert row["Speedup"] == pytest.approx(row["Dense (ms)"] / row["Sum (ms)"])
    assert whole_model_table([cycles("event", 0.5, of_blocks=2)]).rows == ()
