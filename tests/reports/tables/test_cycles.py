"""Tables from simulated blocks: means, totals and ratios recomputed by hand."""

from pathlib import Path
from typing import Any

import pytest

from accelerator_sim.machine.catalog import load_accelerator
from reports.figures.cycles import cycles_figure, stalls_figure, write_figure
from reports.paper.published import table4
from reports.simulated import synthetic_block
from reports.stored.files import Subject
from reports.tables.cycles import cycles_result, runtime_table, speedup_table
from tests.accelerator_sim.machines import block_by
from workloads.shapes.transformer import ModelShape, load_model

SMALL = ModelShape("small", 128, 192, 4, 2, 32, 2)
SUBJECT = Subject("small", "sslc", 0.5, "synthetic")


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Any]]:
    machine = load_accelerator("array-64x64")
    found = {}
    for model in ("published", "roofline", "event"):
        blocks = [
            block_by(
                model,  # type: ignore[arg-type]
                _block(seed),
                machine,
            )
            for seed in (0, 1)
        ]
        found[model] = cycles_result(SUBJECT, machine.name, 1, blocks)
    return found


def _block(seed: int) -> Any:
    from workloads.masks.packed import SparseLowRankGemm
    from workloads.masks.synthetic import wanda_lognormal_mask

    return [
        SparseLowRankGemm(g, wanda_lognormal_mask(g.m, g.n, g.m * g.n // 2, seed), 4)
        for g in SMALL.projections()
    ]


@pytest.mark.parametrize("model", ["published", "roofline", "event"])
def test_cycles_result_mean_and_total_follow_from_blocks(
    results: dict[str, dict[str, Any]], model: str
) -> None:
    result = results[model]
    for module in ("MHA", "FFN"):
        for part in ("dense_cycles", "sparse_cycles", "low_rank_cycles", "sum_cycles"):
            by_hand = sum(
                projection[part]
                for block in result["blocks"]
                for projection in block["projections"]
                if projection["module"] == module
            )
            assert result["total"][module][part] == pytest.approx(by_hand)
            assert result["mean_per_block"][module][part] == pytest.approx(by_hand / 2)


def test_speedup_table_rows_are_modules_of_each_model(results: dict[str, dict[str, Any]]) -> None:
    table = speedup_table(reversed(results.values()))
    cells = [dict(zip([c.name for c in table.columns], row, strict=True)) for row in table.rows]
    assert [(c["Module"], c["Cycles are"].split()[0]) for c in cells] == [
        ("MHA", "analytic"),
        ("FFN", "analytic"),
        ("MHA", "analytic"),
        ("FFN", "analytic"),
        ("MHA", "simulated"),
        ("FFN", "simulated"),
    ]
    for cell in cells:
        assert cell["Sum"] == pytest.approx(cell["Sparse"] + cell["Low-rank"])
        assert cell["Speedup"] == pytest.approx(cell["Dense"] / cell["Sum"])


def test_table4_published_rows_add_up() -> None:
    for row in table4():
        assert row.sum_cycles == pytest.approx(row.sparse_cycles + row.low_rank_cycles)
        assert row.speedup == pytest.approx(row.dense_cycles / row.sum_cycles, abs=0.012)


@pytest.mark.parametrize(("inside", "share"), [(True, 0.4375), (False, 0.5)])
def test_synthetic_block_obeys_the_reading_of_the_budget(inside: bool, share: float) -> None:
    shape = ModelShape("square", 512, 512, 4, 4, 128, 1)
    projection = synthetic_block(shape, inside, 1, 0)[0]
    paid = 128 * 1024 if inside else 0
    assert projection.mask.nnz == 512 * 512 // 2 - paid
    full = load_model("llama2-7b").projections()[0]
    kept = 0.5 * full.parameters - (128 * 8192 if inside else 0)
    assert kept / full.parameters == share


def _runtime(tokens: int, dense: float, sparse: float) -> dict[str, Any]:
    return {
        "block": 0,
        "name": "q_proj",
        "module": "MHA",
        "tokens": tokens,
        "dense_seconds": dense,
        "sparse_seconds": sparse,
        "low_rank_seconds": 1e-6,
    }


def test_runtime_table_says_slower_as_plainly_as_faster() -> None:
    result = {
        "subject": {"model": "m", "method": "sslc"},
        "device": {"name": "cpu", "threads": 2, "torch_version": "x"},
        "projections": [_runtime(1, 4e-6, 9e-6), _runtime(8, 4e-6, 1e-6)],
    }
    rows = runtime_table([result]).rows
    assert [row[-1] for row in rows] == ["slower", "faster"]
    assert [row[-2] for row in rows] == [pytest.approx(0.4), pytest.approx(2.0)]


def test_figures_are_written_as_png_and_svg(
    results: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    write_figure(cycles_figure(list(results.values())), tmp_path, "cycles")
    write_figure(stalls_figure(results["event"]), tmp_path, "stalls")
    for name in ("cycles", "stalls"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()
