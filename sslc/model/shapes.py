"""Which tensors a configuration implies, and their shapes: compared before a model is built."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sslc.model.names import EMBEDDING, HEAD, NORM, bias_name, block_name, full_name, weight_name
from workloads.support.errors import InputError, shown

Shapes = Mapping[str, tuple[int, ...]]
_OTHER_HEADS = ("score.", "classifier.", "qa_outputs.", "v_head.")
_BLOCK = re.compile(r"model\.layers\.(\d+)\.")


def expected_shapes(config: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every tensor that a causal LM needs.

    Args:
        config: Of a supported family, from ``load_config``.

    Yields:
        In the order in which the model computes with them; the head only where it is not tied.

    Source: LlamaForCausalLM, MistralForCausalLM and Qwen2ForCausalLM of transformers.
    """
    hidden = config.hidden_size
    yield weight_name(EMBEDDING), (config.vocab_size, hidden)
    for block in range(config.num_hidden_layers):
        yield f"{block_name(block)}.input_layernorm.weight", (hidden,)
        yield f"{block_name(block)}.post_attention_layernorm.weight", (hidden,)
        for name, (shape, biased) in _projections(config).items():
            yield weight_name(full_name(block, name)), shape
            if biased:
                yield bias_name(full_name(block, name)), shape[:1]
    yield weight_name(NORM), (hidden,)
    if not config.tie_word_embeddings:
        yield weight_name(HEAD), (config.vocab_size, hidden)


def _projections(config: Any) -> dict[str, tuple[tuple[int, int], bool]]:
    """Shape m×n of a block's projections, and whether they have a bias, by name in the block."""
    hidden, inner, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
    width = getattr(config, "head_dim", None) or hidden // heads
    kv = config.num_key_value_heads * width
    llama = config.model_type == "llama"
    attention, ffn = llama and config.attention_bias, llama and config.mlp_bias
    inputs = attention or config.model_type == "qwen2"
    return {
        "self_attn.q_proj": ((heads * width, hidden), inputs),
        "self_attn.k_proj": ((kv, hidden), inputs),
        "self_attn.v_proj": ((kv, hidden), inputs),
        "self_attn.o_proj": ((hidden, heads * width), attention),
        "mlp.gate_proj": ((inner, hidden), ffn),
        "mlp.up_proj": ((inner, hidden), ffn),
        "mlp.down_proj": ((hidden, inner), ffn),
    }


def check_shapes(directory: Path, config: Any, shapes: Shapes) -> None:
    """Compare a model's tensors with what its configuration implies.

    Args:
        directory: Of the model, for the error.
        config: From ``load_config``.
        shapes: Of every tensor that there is, by name.

    Raises:
        InputError: A tensor is missing, has another shape, or belongs to a block beyond the last.
    """
    if weight_name(HEAD) not in shapes:
        _check_no_other_head(directory, shapes)
    for name, shape in expected_shapes(config):
        if name not in shapes:
            raise _missing(directory, name, shapes)
        _check_shape(directory, name, shapes[name], shape)
    if weight_name(HEAD) in shapes:
        embedding = (config.vocab_size, config.hidden_size)
        _check_shape(directory, weight_name(HEAD), shapes[weight_name(HEAD)], embedding)
    for name in shapes:
        block = _BLOCK.match(name)
        if block and int(block[1]) >= config.num_hidden_layers:
            raise InputError(
                f"{directory}: tensor {shown(name)} is of a block beyond the last "
                f"(num_hidden_layers of config.json is {config.num_hidden_layers})"
            )


def _check_shape(
    directory: Path, name: str, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    if tuple(shape) != expected:
        raise InputError(
            f"{directory}: tensor {name} has shape {list(shape)}, "
            f"config.json implies {list(expected)}"
        )


def _check_no_other_head(directory: Path, shapes: Shapes) -> None:
    other = next((name for name in sorted(shapes) if name.startswith(_OTHER_HEADS)), None)
    if other is not None:
        raise InputError(
            f"{directory}: the head is of another class (tensor {shown(other)}, no "
            f"{weight_name(HEAD)}); give a causal language model"
        )


def _missing(directory: Path, name: str, shapes: Shapes) -> InputError:
    if name.removeprefix("model.") in shapes:
        return InputError(
            f"{directory}: a base model, whose tensors lack the prefix 'model.' and which has no "
            "head; save it as a causal language model (AutoModelForCausalLM)"
        )
    tied = name == weight_name(HEAD)
    hint = ", and config.json does not tie it to the embedding" if tied else ""
    return InputError(f"{directory}: tensor {name!r} is missing{hint}")
