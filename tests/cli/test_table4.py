"""Table 4 of the paper from the command line: one run over a context, with torch blocked."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import document
from tests.cli.test_without_torch import blocked

ATTENTION = {"llama2-7b": 2 * 32 * 128, "qwen2.5-7b": 2 * 28 * 128}
"""Cycles of Q K and A V: 32 or 28 heads of 128 over 4,096 tokens, once each."""
INSIDE, ON_TOP = "S keeps p minus the low-rank share", "S keeps p"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table4")


@pytest.fixture(scope="module")
def results(folder: Path) -> list[dict[str, Any]]:
    """What the run printed as JSON."""
    run = ("reproduce", "table4", "--cycle-model", "published", "--context", 4096)
    done = blocked(folder, *run, "--json", "--out", folder)
    printed: list[dict[str, Any]] = document(done)["results"]
    return printed


def _blocks(results: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Cycles of a block by model, reading of the budget and module."""
    blocks = {}
    for result in results:
        if result["kind"] == "cycles":
            subject = result["identity"]["subject"]
            for module, cycles in result["mean_per_block"].items():
                key = subject["model"], subject["settings"]["budget_reading"], module
                blocks[key] = cycles
    return blocks


def test_reproduce_table4_dense_and_factors_hit_published_rows(
    results: list[dict[str, Any]], folder: Path
) -> None:
    printed = {
        ("llama2-7b", "MHA"): (16384, 1024),
        ("llama2-7b", "FFN"): (33024, 1416),
        ("qwen2.5-7b", "MHA"): (7168, 704),
        ("qwen2.5-7b", "FFN"): (49728, 2112),
    }
    blocks = _blocks(results)
    assert {(model, module) for model, _, module in blocks} == set(printed)
    for (model, _, module), cycles in blocks.items():
        dense, low_rank = printed[model, module]
        attention = ATTENTION[model] if module == "MHA" else 0
        assert cycles["dense_cycles"] == dense + attention
        assert cycles["low_rank_cycles"] == low_rank
    assert "24,576.0" in next(folder.glob("table4-shapes-*.txt")).read_text()


def test_reproduce_table4_context_adds_attention_to_both_readings(
    results: list[dict[str, Any]], folder: Path
) -> None:
    """Without a context S takes 7,168 or 8,192, and 2,880 or 3,584 cycles."""
    blocks = _blocks(results)
    llama, qwen = ATTENTION["llama2-7b"], ATTENTION["qwen2.5-7b"]
    expected = {
        ("llama2-7b", INSIDE): 7168 + llama,
        ("llama2-7b", ON_TOP): 8192 + llama,
        ("qwen2.5-7b", INSIDE): 2880 + qwen,
        ("qwen2.5-7b", ON_TOP): 3584 + qwen,
    }
    for (model, reading), sparse in expected.items():
        cycles = blocks[model, reading, "MHA"]
        assert cycles["sparse_cycles"] == sparse
        assert cycles["sum_cycles"] == sparse + cycles["low_rank_cycles"]
    table = next(folder.glob("table4-shapes-*.txt")).read_text()
    assert "MHA, context 4,096" in table
    lines = [line for line in table.splitlines() if "7b" in line.lower()]
    assert "MHA" in lines[0]


def test_reproduce_table4_curves_end_at_the_cycles_of_s(
    results: list[dict[str, Any]], folder: Path
) -> None:
    sparse = {}
    for result in results:
        if result["kind"] == "cycles":
            attention = ATTENTION[result["identity"]["subject"]["model"]]
            for module, cycles in result["mean_per_block"].items():
                without = cycles["sparse_cycles"] - (attention if module == "MHA" else 0)
                sparse[result["identity"]["workload"]["sha256"], module] = without
    curves = [result for result in results if result["kind"] == "published_curve"]
    assert len(curves) == 8
    for curve in curves:
        identity = curve["identity"]
        least = sparse[identity["workload"]["sha256"], identity["module"]]
        assert curve["thresholds"][-1] == 1.0
        assert curve["sparse_cycles"][-1] == min(curve["sparse_cycles"]) == least
    table = next(folder.glob("table4-curve-*.txt")).read_text()
    notes = table.split("no t beats G = 0.")[1]
    assert "qwen2.5-7b FFN: the printed S, 49.8% of dense, is below 24,864" in notes
    assert notes.count("printed S") == 1
    assert len(list(folder.glob("table4-curve-*.svg"))) == 1
