"""Which tensors a configuration implies, and their shapes: compared before a model is built."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sslc.model.families import FAMILIES, Family, expert_count
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

    Source: the classes of transformers, ``LlamaForCausalLM`` and those of the other families.
    """
    hidden, family = config.hidden_size, FAMILIES[config.model_type]
    yield weight_name(EMBEDDING), (config.vocab_size, hidden)
    for block in range(config.num_hidden_layers):
        for norm in family.norms:
            yield weight_name(f"{block_name(block)}.{norm}"), (hidden,)
        for norm in ("q_norm", "k_norm") if family.head_norms else ():
            yield weight_name(f"{block_name(block)}.self_attn.{norm}"), (_head_width(config),)
        if family.experts:
            router = f"{block_name(block)}.mlp.gate"
            yield weight_name(router), (expert_count(config), hidden)
        for name, (shape, biased) in _projections(config).items():
            yield weight_name(full_name(block, name)), shape
            if biased:
                yield bias_name(full_name(block, name)), shape[:1]
    yield weight_name(NORM), (hidden,)
    if not config.tie_word_embeddings:
        yield weight_name(HEAD), (config.vocab_size, hidden)


def _head_width(config: Any) -> int:
    width = getattr(config, "head_dim", None)
    return int(width or config.hidden_size // config.num_attention_heads)


def _projections(config: Any) -> dict[str, tuple[tuple[int, int], bool]]:
    """Shape m×n of a block's projections, and whether they have a bias, by name in the block."""
    family, hidden = FAMILIES[config.model_type], config.hidden_size
    queries = config.num_attention_heads * _head_width(config)
    keys = config.num_key_value_heads * _head_width(config)
    said = family.biases in ("attention", "llama") and config.attention_bias
    inputs = said or family.biases == "inputs"
    rows = {"q_proj": queries, "k_proj": keys, "v_proj": keys}
    if family.fused:
        rows = {"qkv_proj": queries + 2 * keys}
    attention = {f"self_attn.{name}": ((m, hidden), inputs) for name, m in rows.items()}
    attention["self_attn.o_proj"] = (hidden, queries), said
    biased = family.biases == "llama" and config.mlp_bias
    parts = [f"mlp.experts.{expert}" for expert in range(expert_count(config))] or ["mlp"]
    return attention | {
        f"{part}.{name}": (shape, biased)
        for part in parts
        for name, shape in _feed_forward(hidden, getattr(config, family.inner), family).items()
    }


def _feed_forward(hidden: int, inner: int, family: Family) -> dict[str, tuple[int, int]]:
    rows = {"gate_up_proj": 2 * inner} if family.fused else {"gate_proj": inner, "up_proj": inner}
    return {name: (m, hidden) for name, m in rows.items()} | {"down_proj": (hidden, inner)}


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
