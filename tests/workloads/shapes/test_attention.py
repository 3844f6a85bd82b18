"""Shapes of attention: products of a head, heads from a configuration, vision transformers."""

import json
from pathlib import Path

import pytest

from workloads.shapes.attention import (
    ContextAttention,
    Heads,
    check_heads,
    load_vit,
    read_heads,
    vit_names,
)
from workloads.shapes.gemm import Gemm
from workloads.shapes.transformer import load_model
from workloads.support.errors import InputError


def test_context_attention_products_count_every_query_and_key() -> None:
    attention = ContextAttention(Heads(32, 8, 128), tokens=3, context=1000)
    qk, av = attention.qk(), attention.av()
    assert (qk.m, qk.n, qk.tokens) == (1000, 128, 12)
    assert (av.m, av.n, av.tokens) == (128, 1000, 12)
    assert 8 * (qk.macs + av.macs) == 2 * 32 * 3 * 1000 * 128
    assert 8 * attention.scores == 32 * 3 * 1000


def test_context_attention_shorter_than_its_tokens_is_refused() -> None:
    with pytest.raises(InputError, match="context must be at least tokens: the 16 tokens"):
        ContextAttention(Heads(4, 2, 8), tokens=16, context=15)


def test_heads_that_do_not_share_evenly_are_refused() -> None:
    with pytest.raises(ValueError, match="heads must be a multiple of kv_heads, got 9 and 4"):
        Heads(9, 4, 64)


@pytest.mark.parametrize(
    ("config", "heads"),
    [
        ({"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 576}, (9, 3, 64)),
        ({"num_attention_heads": 4, "hidden_size": 64}, (4, 4, 16)),
        ({"num_attention_heads": 4, "num_key_value_heads": None, "head_dim": 32}, (4, 4, 32)),
    ],
)
def test_read_heads_takes_what_the_configuration_says(
    tmp_path: Path, config: dict[str, object], heads: tuple[int, int, int]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert read_heads(tmp_path) == Heads(*heads)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{}",
            "config.json: num_attention_heads must be a whole number from 1 to 16777216, got None",
        ),
        ("[]", "config.json: not a model's configuration"),
        ("{", "config.json: "),
        ('{"num_attention_heads": 4}', "hidden_size must be a whole number from 1 to"),
        ('{"num_attention_heads": 9, "num_key_value_heads": 4, "head_dim": 8}', "multiple of"),
        ('{"num_attention_heads": 2.5}', "num_attention_heads must be .*, got 2.5"),
        ('{"num_attention_heads": 8, "hidden_size": 4}', "head_dim must be"),
    ],
)
def test_read_heads_unusable_configuration_names_the_field(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_heads(tmp_path)


def test_read_heads_without_configuration_says_what_needs_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config.json; --context needs the model's heads"):
        read_heads(tmp_path)


def test_check_heads_other_rows_are_refused() -> None:
    shape = load_model("llama3-8b")
    heads = Heads(shape.heads, shape.kv_heads, shape.head_dim)
    check_heads(heads, shape.projections())
    wrong = [Gemm("layers.0.self_attn.k_proj", "MHA", 4096, 4096)]
    with pytest.raises(InputError, match=r"^config.json says 32 heads .* 1024 rows; it has 4096"):
        check_heads(heads, wrong)


@pytest.mark.parametrize(
    ("name", "width"), [("deit-tiny", 192), ("deit-small", 384), ("deit-base", 768)]
)
def test_load_vit_has_the_published_width(name: str, width: int) -> None:
    """Touvron et al. 2021, Table 1: embedding dimensions; 224 / 16 squared patches and a class."""
    shape = load_vit(name)
    assert shape.heads * shape.head_dim == width
    assert (shape.tokens, shape.layers) == (14 * 14 + 1, 12)


def test_vit_names_all_load_under_their_name() -> None:
    assert [load_vit(name).name for name in vit_names()] == vit_names()
    with pytest.raises(InputError, match="did you mean deit-tiny"):
        load_vit("deit-tny")
