"""The paper's accelerator table: printed rows that add up, both readings of the budget."""

import pytest

from accelerator_sim.machine.catalog import load_accelerator
from reports.paper import table4 as module
from reports.paper.published import table4 as published_table4
from reports.paper.table4 import reproduce_table4, synthetic_block
from workloads.results.table import to_dict
from workloads.shapes.transformer import ModelShape, load_model


def test_table4_published_rows_add_up() -> None:
    for row in published_table4():
        assert row.sum_cycles == pytest.approx(row.sparse_cycles + row.low_rank_cycles)
        assert row.speedup == pytest.approx(row.dense_cycles / row.sum_cycles, abs=0.012)


@pytest.mark.parametrize(("inside", "share"), [(True, 0.4375), (False, 0.5)])
def test_synthetic_block_obeys_the_reading_of_the_budget(inside: bool, share: float) -> None:
    shape = ModelShape("square", 512, 512, 4, 4, 128, 1)
    projection = synthetic_block(shape, inside)[0]
    paid = 128 * 1024 if inside else 0
    assert projection.mask.nnz == 512 * 512 // 2 - paid
    full = load_model("llama2-7b").projections()[0]
    kept = 0.5 * full.parameters - (128 * 8192 if inside else 0)
    assert kept / full.parameters == share


def test_reproduce_table4_has_printed_rows_without_time_and_ours_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = ModelShape("llama2-7b", 512, 512, 4, 4, 128, 1)
    monkeypatch.setattr(module, "MODELS", ("llama2-7b",))
    monkeypatch.setattr(module, "load_model", lambda _: shape)
    machine = load_accelerator("array-64x64")
    made = reproduce_table4(machine, ["published", "roofline"])
    assert [len(reading.curves) for reading in made.readings] == [2, 0, 2, 0]
    rows = to_dict(made.tables[0])["rows"]
    ours = [row for row in rows if row["Budget reading"] != "as printed"]
    printed = [row for row in rows if row["Budget reading"] == "as printed"]
    assert all(row["Sum (us)"] is None for row in printed)
    assert [row["Sum (us)"] for row in ours] == [
        pytest.approx(row["Sum"] / machine.clock_hz * 1e6) for row in ours
    ]
    dense = {row["Module"]: row["Dense"] for row in ours if "published" in row["Cycles are"]}
    assert dense == {"MHA": 4 * 512 * 512 / 4096, "FFN": 3 * 512 * 512 / 4096}
    assert made.tables[1].name == "table4-curve"
