"""Embeddings, norms, causal attention and the cache of keys and values, by hand."""

from accelerator_sim.machine.catalog import load_cost_table
from accelerator_sim.models.by_name import Model
from accelerator_sim.serving.amounts import Amount
from accelerator_sim.serving.phases import (
    Setting,
    attention_amount,
    decode_attention,
    embedding_amount,
    head_amount,
    norm_amount,
    prefill_attention,
)
from accelerator_sim.serving.whole_model_result import kv_cache_bytes
from tests.accelerator_sim.machines import plain_dram, small_machine
from workloads.shapes.attention import Heads
from workloads.shapes.embedding import Embedding

ONE_HEAD = Heads(1, 1, 4)
FAST = plain_dram(10**9, 1.0, 0, 1, 1)


def setting(model: Model = "roofline", *, query_block: int = 4, kv_bits: int = 8) -> Setting:
    """4 MACs and 4 scores a cycle, DRAM that never binds."""
    machine = small_machine(dram=FAST, softmax_elements_per_cycle=4)
    return Setting(machine, load_cost_table(), model, kv_bits, query_block, 9)


def test_kv_cache_bytes_counts_keys_and_values_of_every_block_and_head() -> None:
    heads = Heads(4, 2, 8)  # 2 x 3 blocks x 2 heads x 8 wide x 10 tokens
    assert kv_cache_bytes(heads, 3, tokens=10, bits=8) == 960
    assert kv_cache_bytes(heads, 3, tokens=10, bits=4) == 480
    assert kv_cache_bytes(Heads(1, 1, 1), 1, tokens=1, bits=3) == 1


def test_embedding_amount_moves_whole_bursts_of_every_row() -> None:
    """Rows of 10 bytes are 12 in bursts of 4: 36 bytes at 4 a cycle, then 2 cycles of latency."""
    dram = plain_dram(4000, 1.0, 2, 4, 1)
    machine, costs = small_machine(dram=dram), load_cost_table()
    simulated = Setting(machine, costs, "compiled", 8, 4, 9)
    per_byte = costs.energy.dram_pj_per_byte["ddr4"]
    assert embedding_amount(3, Embedding(100, 10), simulated) == Amount(11.0, 36 * per_byte)
    bound = Setting(machine, costs, "roofline", 8, 4, 9)
    assert embedding_amount(3, Embedding(100, 10), bound) == Amount(11.0, None)


def test_norm_amount_is_elements_over_the_units_rate() -> None:
    assert norm_amount(3, Embedding(100, 10), setting()) == Amount(8.0, None)


def test_head_amount_is_one_dense_product() -> None:
    """12 x 8 for 2 sequences: 192 MACs on 4 a cycle."""
    assert head_amount(2, Embedding(12, 8), setting()) == Amount(48.0, None)


def test_attention_amount_one_head_by_hand() -> None:
    """4 queries, 8 keys, 4 wide: 128 MACs twice and 32 scores, each at 4 a cycle."""
    assert attention_amount(ONE_HEAD, 4, 8, setting=setting()) == Amount(72.0, None)


def test_prefill_attention_skips_keys_behind_a_block_of_queries() -> None:
    """10 tokens in blocks of 4: 4 over 4 (16+16+4), 4 over 8 (32+32+8), 2 over 10 (20+20+5)."""
    whole = prefill_attention(ONE_HEAD, 10, setting=setting())
    assert (whole.amount, whole.error_cycles) == (Amount(36.0 + 72.0 + 45.0, None), 0.0)
    square = prefill_attention(ONE_HEAD, 10, setting=setting(query_block=10))
    assert square.amount == Amount(225.0, None)  # 100 + 100 + 25: nothing is skipped


def test_decode_attention_is_one_query_over_each_context() -> None:
    """Contexts 4 and 5: 4 + 4 + 1, and 5 + 5 + 2 cycles."""
    whole = decode_attention(ONE_HEAD, [4, 5], setting=setting())
    assert whole.amount == Amount(9.0 + 12.0, None)


def test_attention_amount_narrow_keys_and_values_take_less_energy() -> None:
    wide, narrow = (
        attention_amount(ONE_HEAD, 1, 64, setting=setting("compiled", kv_bits=bits)).energy_pj
        for bits in (8, 4)
    )
    assert wide is not None
    assert narrow is not None
    assert narrow < wide
