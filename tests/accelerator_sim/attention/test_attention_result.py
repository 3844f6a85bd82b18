"""Attention's typed result: stages are sums over heads, and it is read back as it was."""

import json

import pytest

import accelerator_sim
from accelerator_sim.attention.attention_result import STAGES, AttentionIdentity, AttentionResult
from accelerator_sim.attention.masked import simulate_heads
from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
from accelerator_sim.machine.identity import cost_identity, machine_identity
from workloads.masks.head_masks import HeadMask, synthetic_attention_masks
from workloads.results.envelope import result_from_json, result_to_json
from workloads.results.identity import provenance
from workloads.shapes.attention import VitShape

SHAPE = VitShape("small", tokens=30, heads=2, head_dim=8, layers=1)
COSTS = load_cost_table()


def result_of(masks: list[HeadMask]) -> AttentionResult:
    machine = load_accelerator("vitcod")
    heads = simulate_heads(masks, machine, head_dim=8, models=["event"], costs=COSTS)
    identity = AttentionIdentity(
        SHAPE, "synthetic", "0" * 64, machine_identity(machine), cost_identity(COSTS), "event"
    )
    cycles = tuple(by_model["event"] for by_model in heads)
    return AttentionResult(identity, provenance(), dense_scores_stay=True, heads=cycles)


def test_attention_result_stages_are_sums_over_heads_and_their_repeats() -> None:
    first, second = synthetic_attention_masks(SHAPE, 0.2, seed=0)
    result = result_of([HeadMask("a", first.mask, 3), second])
    for place, name in enumerate(("sddmm", "softmax", "spmm")):
        a, b = (head.stages[place].sum_cycles for head in result.heads)
        assert result.stages[name].sparse_cycles == 3 * a + b
    parts = result.stages.values()
    assert result.total.sparse_cycles == sum(stage.sparse_cycles for stage in parts)
    assert result.total.dense_cycles == sum(stage.dense_cycles for stage in parts)
    assert result.kept_fraction == pytest.approx(0.2)
    assert result.stages["softmax"].detail is None
    assert result.stages["sddmm"].detail is not None


def test_attention_result_is_read_back() -> None:
    result = result_of(synthetic_attention_masks(SHAPE, 0.2, seed=0))
    values = json.loads(json.dumps(result_to_json(result)))
    assert result_from_json(values, [AttentionResult], "here") == result


def test_attention_result_table_and_figure_have_every_stage() -> None:
    result = result_of(synthetic_attention_masks(SHAPE, 0.2, seed=0))
    rows = result.to_table().rows
    assert [row[0] for row in rows] == [*STAGES.values(), "all"]
    assert rows[-1][1:4] == (
        result.total.dense_cycles, result.total.sparse_cycles, result.total.speedup,
    )  # fmt: skip
    assert rows[-1][5] == pytest.approx(result.total.sparse_cycles / 500)  # 500 MHz
    [axes] = result.plot().axes
    assert len(axes.patches) == 2 * len(STAGES)


def test_simulate_attention_is_the_heads_simulated_alone() -> None:
    masks = synthetic_attention_masks(SHAPE, 0.2, seed=0)
    [result] = accelerator_sim.simulate_attention(
        SHAPE, accelerator_sim.HeadMasks("synthetic", masks), models="event", costs=COSTS
    )
    assert result.heads == result_of(masks).heads
    assert result.identity.machine.name == "vitcod"
