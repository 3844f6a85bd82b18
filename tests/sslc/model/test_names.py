"""The names that we spell are those of the checkpoints that transformers writes."""

from pathlib import Path

import pytest

from sslc.model.blocks import BlockwiseModel
from sslc.model.names import (
    EMBEDDING,
    HEAD,
    NORM,
    bias_name,
    block_name,
    full_name,
    pattern_name,
    weight_name,
)
from sslc.model.opening import open_checkpoint


@pytest.mark.parametrize(("family", "biased"), [("llama", ()), ("qwen", ("q", "k", "v"))])
def test_names_together_are_all_of_a_checkpoint(
    family: str, biased: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    checkpoint = open_checkpoint(str(request.getfixturevalue(family)))
    model = BlockwiseModel(checkpoint)
    expected = {weight_name(EMBEDDING), weight_name(NORM)}
    expected |= set() if family == "qwen" else {weight_name(HEAD)}  # whose head is tied
    for index in range(model.blocks):
        modules = {name: full_name(index, name) for name in model.linear_names()}
        expected |= {weight_name(module) for module in modules.values()}
        expected |= {bias_name(modules[f"self_attn.{part}_proj"]) for part in biased}
        for norm in ("input_layernorm", "post_attention_layernorm"):
            expected.add(weight_name(f"{block_name(index)}.{norm}"))
    assert checkpoint.names() == expected


def test_pattern_name_is_the_full_name_without_its_head() -> None:
    assert pattern_name(3, "mlp.up_proj") == "layers.3.mlp.up_proj"
    assert full_name(3, "mlp.up_proj") == "model." + pattern_name(3, "mlp.up_proj")


def test_names_of_a_directory_do_not_depend_on_where_it_lies(llama: Path) -> None:
    assert open_checkpoint(str(llama)).names() == open_checkpoint(f"{llama}/").names()
