"""Attention over a context: a case by hand, shared keys and values, bounds, and a block with it."""

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accelerator_sim.attention.context import attention_cycles, softmax_cycles
from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
from accelerator_sim.machine.hardware import Accelerator, Bits
from accelerator_sim.models.by_name import MODELS, Model
from accelerator_sim.models.cycles import ProjectionCycles
from tests.accelerator_sim.machines import block_by, machines, small_machine
from workloads.masks.synthetic import synthetic_block
from workloads.results.codec import to_json
from workloads.shapes.attention import ContextAttention, Heads
from workloads.shapes.transformer import ModelShape, load_model
from workloads.support.errors import InputError

SMALL = ModelShape("small", 128, 192, 4, 2, 32, 2)
COSTS = load_cost_table()


def attend(
    model: Model, heads: tuple[int, int, int], tokens: int, context: int, machine: Accelerator
) -> dict[str, ProjectionCycles]:
    attention = ContextAttention(Heads(*heads), tokens, context)
    parts = attention_cycles(attention, machine, models=[model], costs=COSTS)[model]
    return {part.name: part for part in parts}


@pytest.mark.parametrize("model", ["event", "compiled"])
def test_attention_cycles_one_shared_head_by_hand(model: Model) -> None:
    """2 query heads of 2 on one K and V head, 1 token, 4 keys; 2 lines of 2 MACs, 4 bytes a cycle.

    Q Kᵀ: K is 4x2 bytes, 2 cycles at the port; 2 queries of 2 bytes, 1 cycle; latency 2 and a
    hand-off: both are there at 6. Two rows a line, one step of 2 MACs, 2 queries: 4 cycles, seen at
    11. 8 scores of a byte take 2 cycles and the latency: 15. Softmax: 8 scores at 3 a cycle: 3.
    A V: Vᵀ is 2x4 bytes, 2 cycles; 2 x 4 scores, 2 cycles: there at 7. One row a line, two steps, 2
    queries: 4 cycles, seen at 12; 4 outputs take 1 cycle and the latency: 15.
    """
    machine = small_machine(softmax_elements_per_cycle=3)
    parts = attend(model, (2, 1, 2), 1, 4, machine)
    assert {name: part.sum_cycles for name, part in parts.items()} == {
        "qk": 15, "softmax": 3, "av": 15
    }  # fmt: skip
    for part in parts.values():
        assert part.dense_cycles == part.sparse_cycles == part.sum_cycles
    run = parts["qk"].sum_run
    assert run is not None
    assert (run.traffic.weights, run.traffic.activations, run.traffic.outputs) == (8, 4, 8)
    assert run.denser.compute == 8


def test_attention_cycles_heads_run_one_after_the_other() -> None:
    one = attend("event", (2, 1, 2), 1, 4, small_machine())
    three = attend("event", (6, 3, 2), 1, 4, small_machine())
    for name, part in one.items():
        assert three[name].sum_cycles == 3 * part.sum_cycles
    single, triple = one["av"].sum_run, three["av"].sum_run
    assert single is not None
    assert triple is not None
    assert triple.denser.total == 2 * triple.cycles
    assert triple.actions.macs == 3 * single.actions.macs
    assert triple.traffic.total == 3 * single.traffic.total
    assert triple.tile == single.tile


def test_attention_cycles_grouped_queries_share_keys_and_values() -> None:
    machine = load_accelerator("array-64x64")
    grouped = attend("event", (8, 2, 64), 1, 1024, machine)
    separate = attend("event", (8, 8, 64), 1, 1024, machine)
    for name in ("qk", "av"):
        few, many = grouped[name].sum_run, separate[name].sum_run
        assert few is not None
        assert many is not None
        assert few.traffic.weights * 4 == many.traffic.weights
        assert few.actions.macs == many.actions.macs == 8 * 64 * 1024
        assert few.cycles < many.cycles / 3
    assert grouped["softmax"].sum_cycles == separate["softmax"].sum_cycles == 8 * 1024 / 64


@pytest.mark.parametrize("model", ["roofline", "event", "compiled"])
def test_attention_cycles_decode_takes_its_cache_over_the_bandwidth(model: Model) -> None:
    """LLaMA3-8B over 8,192 tokens: K and V are 8 heads of 8,192 x 128 bytes each."""
    machine = load_accelerator("array-64x64")
    parts = attend(model, (32, 8, 128), 1, 8192, machine)
    rate = machine.peak_bytes_per_cycle if model == "roofline" else machine.bytes_per_cycle
    cache_cycles = 8 * 8192 * 128 / float(rate)
    for name in ("qk", "av"):
        assert cache_cycles <= parts[name].sum_cycles <= 1.08 * cache_cycles


def test_attention_cycles_wide_cache_and_narrow_weights_moves_the_cache() -> None:
    machine = small_machine(bits=Bits(weight=4, activation=16, factor=8, accumulator=32))
    run = attend("event", (2, 1, 2), 1, 4, machine)["qk"].sum_run
    assert run is not None
    assert run.traffic.weights == 4 * 2 * 2
    assert run.value_bits == 16


def test_attention_cycles_published_counts_products_only() -> None:
    parts = attend("published", (32, 8, 128), 16, 512, load_accelerator("array-64x64"))
    assert list(parts) == ["qk", "av"]
    assert parts["qk"].sum_cycles == 32 * 16 * 512 * 128 / 4096


def test_softmax_cycles_rounds_up() -> None:
    assert [softmax_cycles(n, small_machine(softmax_elements_per_cycle=4)) for n in (1, 4, 5)] == [
        1, 1, 2
    ]  # fmt: skip


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(
    machine=machines(),
    group=st.integers(1, 3),
    kv_heads=st.integers(1, 3),
    head_dim=st.integers(1, 6),
    tokens=st.integers(1, 3),
    earlier=st.integers(0, 6),
)
def test_attention_cycles_random_machine_engines_agree_and_roofline_bounds(
    machine: Accelerator, group: int, kv_heads: int, head_dim: int, tokens: int, earlier: int
) -> None:
    heads = (group * kv_heads, kv_heads, head_dim)
    try:
        event = attend("event", heads, tokens, tokens + earlier, machine)
    except InputError:
        assume(False)
    compiled = attend("compiled", heads, tokens, tokens + earlier, machine)
    bound = attend("roofline", heads, tokens, tokens + earlier, machine)
    for name, part in event.items():
        assert dataclasses.replace(compiled[name], model="event") == part
        assert bound[name].sum_cycles <= part.sum_cycles
        if part.sum_run is not None:
            lines = part.sum_run.denser_lines
            assert part.sum_run.denser.total == lines * part.sum_run.cycles


@pytest.mark.parametrize("model", MODELS)
def test_simulate_block_context_adds_attention_before_the_output_projection(model: Model) -> None:
    machine = load_accelerator("array-64x64")
    items = synthetic_block(SMALL, 0.5, 8, tokens=2, seed=0)
    attention = ContextAttention(Heads(4, 2, 32), 2, 100)
    without = block_by(model, items, machine)
    block = block_by(model, items, machine, attention=attention)
    names = [part.name for part in block.projections]
    middle = ["qk", "av"] if model == "published" else ["qk", "softmax", "av"]
    assert names == ["q_proj", "k_proj", "v_proj", *middle, "o_proj", *names[-3:]]
    added = sum(
        part.sum_cycles
        for part in attention_cycles(attention, machine, models=[model], costs=COSTS)[model]
    )
    assert added > 0
    assert block.modules["MHA"].sum_cycles == without.modules["MHA"].sum_cycles + added
    assert block.modules["MHA"].low_rank_cycles == without.modules["MHA"].low_rank_cycles
    assert block.modules["FFN"] == without.modules["FFN"]
    assert to_json(block)["projections"][3]["name"] == "qk"


def test_simulate_block_context_adds_the_energy_of_the_products_alone() -> None:
    machine = load_accelerator("array-64x64")
    items = synthetic_block(SMALL, 0.5, 8, tokens=2, seed=0)
    attention = ContextAttention(Heads(4, 2, 32), 2, 100)
    without = block_by("event", items, machine).energy["MHA"]["sum"]
    block = block_by("event", items, machine, attention=attention)
    added = [part.energy["sum"].total_pj for part in block.projections[3:6] if part.energy]
    assert len(added) == 2
    whole = block.energy["MHA"]["sum"].total_pj
    assert whole == pytest.approx(without.total_pj + sum(added))


@pytest.mark.parametrize("rate", [1, 7])
def test_simulate_block_softmax_rate_changes_softmax_alone(rate: int) -> None:
    items: Any = synthetic_block(SMALL, 0.5, 8, tokens=1, seed=0)
    shape = load_model("smollm2-135m")
    attention = ContextAttention(Heads(shape.heads, shape.kv_heads, shape.head_dim), 1, 333)
    machine = load_accelerator("array-64x64", {"softmax_elements_per_cycle": rate})
    block = block_by("event", items, machine, attention=attention)
    by_name = {part.name: part.sum_cycles for part in block.projections}
    assert by_name["softmax"] == 3 * -(-3 * 333 // rate)
    usual = block_by("event", items, load_accelerator("array-64x64"), attention=attention)
    others = {part.name: part.sum_cycles for part in usual.projections}
    del by_name["softmax"], others["softmax"]
    assert by_name == others


def test_accelerator_softmax_rate_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="softmax_elements_per_cycle must be a whole number"):
        load_accelerator("vitcod", {"softmax_elements_per_cycle": 0})
