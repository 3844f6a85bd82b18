"""A profile bundle against single simulations of the same layers."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from accelerator_sim import export_llmservingsim, simulate
from accelerator_sim.machine.catalog import DEFAULT_COSTS, load_cost_table
from accelerator_sim.serving.layer_profile import Sizes, doubling
from accelerator_sim.serving.phases import (
    Setting,
    attention_amount,
    head_amount,
    prefill_attention,
)
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from tests.accelerator_sim.serving.test_whole import source
from workloads.shapes.attention import Heads
from workloads.shapes.embedding import Embedding
from workloads.shapes.gemm import Module
from workloads.support.errors import InputError

HEADS = Heads(4, 2, 4)
SIZES: dict[str, Any] = {"max_tokens": 20, "max_sequences": 3, "max_context": 40}


def setting() -> Setting:
    return Setting(small_machine(), load_cost_table(DEFAULT_COSTS), "compiled", 8, 64, 3)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("profile")
    files = export_llmservingsim(source(), out, small_machine(), **SIZES)
    assert sorted(files) == sorted(path for path in out.rglob("*") if path.is_file())
    return out / "perf"


def table(bundle: Path, run: str, name: str) -> dict[tuple[str, ...], float]:
    """Rows by all columns but the last, microseconds."""
    with (bundle / f"small-{run}/tiny/bf16/tp1" / name).open() as lines:
        rows = list(csv.reader(lines))
    assert rows[0][-1] == "time_us"
    return {tuple(row[:-1]): float(row[-1]) for row in rows[1:]}


def microseconds(cycles: float) -> Any:
    return pytest.approx(cycles / small_machine().clock_hz * 1e6, rel=1e-5)


@pytest.mark.parametrize(("run", "tokens"), [("dense", 1), ("compressed", 20)])
def test_export_llmservingsim_projections_are_the_mean_of_the_blocks(
    bundle: Path, run: str, tokens: int
) -> None:
    alone = simulate(source(), small_machine(), models="compiled", tokens=tokens)["compiled"]
    times = table(bundle, run, "dense.csv")
    layers_of: dict[Module, tuple[str, str]] = {
        "MHA": ("qkv_proj", "o_proj"),
        "FFN": ("gate_up_proj", "down_proj"),
    }
    for module, layers in layers_of.items():
        whole = alone.total[module]
        cycles = whole.dense_cycles if run == "dense" else whole.sum_cycles
        assert sum(times[layer, str(tokens)] for layer in layers) == microseconds(cycles / 2)


def test_export_llmservingsim_attention_of_a_mixed_pass_is_the_sum_of_its_parts(
    bundle: Path,
) -> None:
    times = table(bundle, "compressed", "attention.csv")
    assert times == table(bundle, "dense", "attention.csv")
    decode = attention_amount(HEADS, 1, 33, setting=setting()).cycles
    prefill = prefill_attention(HEADS, 16, history=40, setting=setting()).amount.cycles
    assert times["0", "0", "1", "32"] == microseconds(decode)
    assert times["0", "0", "3", "32"] == microseconds(3 * decode)
    assert times["16", "40", "0", "0"] == microseconds(prefill)
    assert times["16", "40", "3", "32"] == microseconds(prefill + 3 * decode)
    assert ("0", "0", "0", "0") not in times
    assert len(times) == (1 + 2 * 4) * (1 + 3 * 4) - 1


def test_prefill_attention_history_moves_the_keys_of_every_block() -> None:
    whole = prefill_attention(HEADS, 70, history=20, setting=setting()).amount.cycles
    parts = [attention_amount(HEADS, *part, setting=setting()) for part in ((64, 84), (6, 90))]
    assert whole == sum(part.cycles for part in parts)


def test_export_llmservingsim_head_and_what_is_not_counted(bundle: Path) -> None:
    times = table(bundle, "dense", "per_sequence.csv")
    head = head_amount(3, Embedding(40, 16), setting()).cycles
    assert times["lm_head", "3"] == microseconds(head)
    assert times["sampler", "3"] == 0
    layers = {layer for layer, _ in table(bundle, "dense", "dense.csv")}
    assert layers == {
        "embedding", "layernorm", "qkv_proj", "rotary_emb", "o_proj", "gate_up_proj", "act_fn",
        "down_proj", "final_layernorm",
    }  # fmt: skip


def test_export_llmservingsim_meta_names_the_folders_and_the_bounds(bundle: Path) -> None:
    meta = json.loads((bundle / "small-dense/tiny/bf16/meta.yaml").read_text())
    names = (meta["hardware"], meta["model"], meta["variant"], meta["tp_degrees"])
    assert names == ("small-dense", "tiny", "bf16", [1])
    engine = meta["engine_effective"]
    assert engine == {"max_num_batched_tokens": 20, "max_num_seqs": 3}


def test_export_llmservingsim_names_from_outside_stay_inside_the_folder(tmp_path: Path) -> None:
    files = export_llmservingsim(
        source(), tmp_path / "out", small_machine(name="../../x"), variant="/y", **SIZES
    )
    assert all(file.resolve().is_relative_to(tmp_path / "out" / "perf") for file in files)


def test_export_llmservingsim_without_heads_or_with_too_few_tokens_is_refused(
    tmp_path: Path,
) -> None:
    mask = projection(random_mask(8, 8, 0.5, seed=1))
    with pytest.raises(InputError, match="masks do not tell the heads"):
        export_llmservingsim([mask], tmp_path, small_machine())
    with pytest.raises(InputError, match="max_tokens must be at least 1"):
        export_llmservingsim(source(), tmp_path, small_machine(), max_tokens=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(1, 1, (1,)), (1, 8, (1, 2, 4, 8)), (1, 9, (1, 2, 4, 8, 9)), (16, 40, (16, 32, 40))],
)
def test_doubling_ends_with_the_last(first: int, last: int, expected: tuple[int, ...]) -> None:
    assert doubling(first, last) == expected


def test_sizes_small_limits_keep_their_order() -> None:
    assert Sizes(4, 2, 8).chunks == (4,)
    assert Sizes(4, 2, 8).histories == (0, 8)
