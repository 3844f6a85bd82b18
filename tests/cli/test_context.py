"""``--context``: attention as part of MHA, off unless asked for."""

import json
import shutil
from pathlib import Path

import pytest

from accelerator_sim.attention.context import attention_cycles
from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
from tests.cli.conftest import Run, by_model, results_of, stored
from workloads.shapes.attention import ContextAttention, Heads

LLAMA = Heads(heads=4, kv_heads=2, head_dim=16)


def test_simulate_context_adds_attention_to_mha_alone(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    run = ("simulate", artifact, "--json", "--tokens", 3, "--save", tmp_path)
    plain = by_model(sslc(*run))
    results = by_model(sslc(*run, "--context", 500))
    machine, costs = load_accelerator("array-64x64"), load_cost_table()
    for model, result in results.items():
        parts = attention_cycles(
            ContextAttention(LLAMA, 3, 500), machine, models=[model], costs=costs
        )[model]
        added = sum(part.sum_cycles for part in parts)
        before, after = plain[model]["mean_per_block"], result["mean_per_block"]
        for name in ("dense_cycles", "sparse_cycles", "sum_cycles"):
            assert after["MHA"][name] == pytest.approx(before["MHA"][name] + added)
        assert after["FFN"] == before["FFN"]
        assert result["identity"]["workload"]["context"] == 500
        assert plain[model]["identity"]["workload"]["context"] is None
    names = sorted(stored(tmp_path))
    assert len(names) == 6
    assert sum(n.startswith("cycles-event-3-context-500-array-64x64-") for n in names) == 1


def test_simulate_context_table_says_what_is_included(sslc: Run, artifact: Path) -> None:
    run = ("simulate", artifact, "--cycle-model", "compiled", "--blocks", 1)
    done = sslc(*run, "--context", 4096)
    assert done.returncode == 0, done.stderr
    assert "MHA, context 4,096" in done.stdout
    assert "every query meets every key" in done.stdout
    plain = sslc(*run)
    assert "context" not in plain.stdout


def test_report_keeps_results_with_and_without_context_apart(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    run = ("simulate", artifact, "--cycle-model", "event", "--blocks", 1, "--save", tmp_path)
    for context in ((), ("--context", 64)):
        assert sslc(*run, *context).returncode == 0
    done = sslc("report", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    title = "Energy of one block by module"
    cycles, energy = done.stdout[: done.stdout.index(title)], done.stdout.split(title)[1]
    for table in (cycles, energy):
        assert "MHA, context 64" in table
        assert "MHA  " in table
    assert len(list((tmp_path / "out").glob("stalls-*.svg"))) == 2


def test_simulate_checkpoint_context_takes_its_configuration(sslc: Run, llama: Path) -> None:
    done = sslc(
        "simulate", llama, "--cycle-model", "roofline", "--blocks", 1, "--context", 9, "--json"
    )
    [result] = results_of(done)
    names = [part["name"] for part in result["blocks"][0]["projections"]]
    assert names[3:7] == ["qk", "softmax", "av", "o_proj"]


def test_simulate_context_bad_input_is_refused(sslc: Run, llama: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    shutil.copy(llama / "model.safetensors", weights)
    other = json.loads((llama / "config.json").read_text()) | {"head_dim": 8}
    wrong = tmp_path / "wrong"
    shutil.copytree(llama, wrong)
    (wrong / "config.json").write_text(json.dumps(other))
    roofline = ("--cycle-model", "roofline", "--blocks", 1)
    for message, arguments in (
        ("context must be at least tokens", (llama, "--tokens", 5, "--context", 4, *roofline)),
        ("no config.json; --context needs", (weights, "--context", 4, *roofline)),
        ("so q_proj should have 32 rows; it has 64", (wrong, "--context", 4, *roofline)),
        ("--context belongs to DIR", ("--mask", "m.npy", "--context", 4)),
    ):
        done = sslc("simulate", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stdout == ""
