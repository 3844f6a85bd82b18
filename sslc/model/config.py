"""Configuration and tokenizer of a local model directory, read through transformers."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslc.model.companions import FOREIGN_FIELDS
from sslc.model.experts import separate_experts
from sslc.model.families import FAMILIES, check_family, supported
from sslc.model.fence import fenced
from workloads.support.errors import InputError, shown
from workloads.support.files import read_json

LARGEST_COUNT = 2**24
"""Limit of each whole number of ``config.json`` that is the size of something."""
_COUNTS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "vocab_size",
    "num_experts",
    "num_local_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
)
_COUNTS_OR_NONE = ("num_key_value_heads", "head_dim", "sliding_window")
_POSITIVE = (
    "rms_norm_eps",
    "rope_theta",
    "max_position_embeddings",
    "query_pre_attn_scalar",
    "final_logit_softcapping",
    "attn_logit_softcapping",
)
_FLAGS = ("tie_word_embeddings", "attention_bias", "mlp_bias", "use_sliding_window")


def load_config(directory: Path) -> Any:
    """The transformers configuration of a local model directory, without foreign fields.

    Raises:
        InputError: It is missing, broken, or of a family that is not supported.
    """
    from transformers import AutoConfig

    path = directory / "config.json"
    fields = read_fields(directory)
    kind = fields.get("model_type")
    if kind not in FAMILIES:
        raise InputError(
            f"{path}: model_type {shown(kind)} is not supported; supported: {supported()}"
        )
    check_numbers(path, fields)
    with fenced(f"{path}: not a configuration that transformers can read"):
        config = AutoConfig.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False
        )
    for name in FOREIGN_FIELDS:
        if hasattr(config, name):
            delattr(config, name)
    _check_heads(path, config)
    check_family(path, config)
    return config


def read_fields(directory: Path) -> Mapping[str, Any]:
    """The object of settings in a model directory's ``config.json``, as it is written.

    Raises:
        InputError: It is missing, or not an object.
    """
    fields = read_json(directory / "config.json")
    if not isinstance(fields, dict):
        raise InputError(f"{directory / 'config.json'}: not an object of settings")
    return fields


def build_on_meta(config: Any, dtype: Any, *, directory: Path) -> Any:
    """A transformers causal LM on the meta device, experts as linear layers (``experts``).

    Args:
        config: From ``load_config``, compared with the tensors (``shapes.check_shapes``).
        dtype: Of its parameters.
        directory: Of the model, for the error.

    Raises:
        InputError: transformers does not take the configuration.
    """
    from accelerate import init_empty_weights
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    with (
        fenced(f"{directory / 'config.json'}: transformers cannot build this model"),
        init_empty_weights(include_buffers=False),
        no_init_weights(),
    ):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)  # type: ignore[no-untyped-call]
    separate_experts(model)
    return model


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer of a local model directory.

    Raises:
        InputError: There is none that transformers can read.
    """
    from transformers import AutoTokenizer

    with fenced(f"{directory}: no usable tokenizer"):
        return AutoTokenizer.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False
        )


def tokenize(directory: Path, text: str, *, special: bool = False) -> NDArray[np.int64]:
    """Token ids of a text, shape (tokens,).

    Args:
        directory: Of the tokenizer.
        text: Any text.
        special: Whether the tokenizer's own special tokens are added.

    Raises:
        InputError: The directory has no usable tokenizer.
    """
    tokenizer = load_tokenizer(directory)
    with fenced(f"{directory}: the tokenizer fails on the text"):
        encoded = tokenizer(text, add_special_tokens=special, verbose=False)
        return np.asarray(encoded["input_ids"], dtype=np.int64)


def check_numbers(path: Path, fields: Mapping[str, Any]) -> None:
    """Check the numbers and switches of a configuration that decide about shapes and scales.

    Args:
        path: Where it was read, for the error.
        fields: As written; what is missing has a value of transformers', or does not exist.

    Raises:
        InputError: One has another type, or lies beyond its limits.
    """
    for name in (*_COUNTS, *_COUNTS_OR_NONE):
        value = fields.get(name)
        optional = name not in fields or (value is None and name in _COUNTS_OR_NONE)
        if not optional and not _is_count(value):
            raise InputError(
                f"{path}: {name} must be a whole number from 1 to {LARGEST_COUNT}, "
                f"got {shown(value)}"
            )
    for name in _POSITIVE:
        if fields.get(name) is not None and not _is_positive(fields[name]):
            raise InputError(f"{path}: {name} must be a positive number, got {shown(fields[name])}")
    for name in _FLAGS:
        if not isinstance(fields.get(name), bool | None):
            raise InputError(f"{path}: {name} must be true or false, got {shown(fields[name])}")


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= LARGEST_COUNT


def _is_positive(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < 2**63 and math.isfinite(value)


def _check_heads(path: Path, config: Any) -> None:
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    if heads % kv_heads:
        raise InputError(
            f"{path}: num_attention_heads {heads} is not a multiple of "
            f"num_key_value_heads {kv_heads}"
        )
