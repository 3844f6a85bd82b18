"""Attention's products as shapes: for a language model's context, and for a vision transformer.

Beside ``transformer``, which has the projections before and after attention.
"""

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError, shown
from workloads.support.files import read_json
from workloads.support.presets import build, preset_names, read_preset

CONFIG = "config.json"
_MOST = 2**24
_COUNT = f"a whole number from 1 to {_MOST}"


@dataclass(frozen=True)
class Heads:
    """Heads of an attention module.

    Attributes:
        heads: Query heads.
        kv_heads: Key and value heads; each serves ``group`` query heads.
        head_dim: Width of one head.
    """

    heads: int
    kv_heads: int
    head_dim: int

    def __post_init__(self) -> None:
        for field in ("heads", "kv_heads", "head_dim"):
            value = getattr(self, field)
            if not _is_count(value):
                raise ValueError(f"{field} must be {_COUNT}, got {shown(value)}")
        if self.heads % self.kv_heads:
            raise ValueError(
                f"heads must be a multiple of kv_heads, got {self.heads} and {self.kv_heads}"
            )

    @property
    def group(self) -> int:
        """Query heads that share a key and value head."""
        return self.heads // self.kv_heads


@dataclass(frozen=True)
class ContextAttention:
    """Attention of some tokens over a context, one key and value head after the other.

    Every query meets every key: the whole rectangle, also where a causal mask hides a part of it.

    Attributes:
        heads: Of the module.
        tokens: Queries; they are the last tokens of the context.
        context: Keys and values.
        sequences: Each has keys and values of its own.

    Raises:
        InputError: The context is shorter than the tokens.
    """

    heads: Heads
    tokens: int
    context: int
    sequences: int = 1

    def __post_init__(self) -> None:
        if self.context < self.tokens:
            raise InputError(
                f"context must be at least tokens: the {self.tokens} tokens are part of it, "
                f"got {self.context}"
            )

    @property
    def queries(self) -> int:
        """Query vectors of one key and value head: tokens times the heads that share it."""
        return self.heads.group * self.tokens

    @property
    def scores(self) -> int:
        """Scores of one key and value head."""
        return self.queries * self.context

    def qk(self) -> Gemm:
        """K (context x head_dim) times the queries of one key and value head."""
        return Gemm("qk", "MHA", self.context, self.heads.head_dim, self.queries)

    def av(self) -> Gemm:
        """Vᵀ (head_dim x context) times the softmax of their scores."""
        return Gemm("av", "MHA", self.heads.head_dim, self.context, self.queries)


def read_heads(directory: Path) -> Heads:
    """Heads from the ``config.json`` beside a model's weights.

    Raises:
        InputError: The file or a number is missing, or they do not go together.
    """
    path = directory / CONFIG
    if not path.is_file():
        raise InputError(f"{directory}: no {CONFIG}; --context needs the model's heads from it")
    config = read_json(path)
    if not isinstance(config, Mapping):
        raise InputError(f"{path}: not a model's configuration (an object of settings)")
    heads = config_count(config, "num_attention_heads", path)
    kv_heads = heads
    if config.get("num_key_value_heads") is not None:
        kv_heads = config_count(config, "num_key_value_heads", path)
    if config.get("head_dim") is not None:
        head_dim = config_count(config, "head_dim", path)
    else:
        head_dim = config_count(config, "hidden_size", path) // heads
    try:
        return Heads(heads, kv_heads, head_dim)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def config_count(config: Mapping[str, Any], key: str, path: Path) -> int:
    """A number of a model's configuration.

    Args:
        config: As read.
        key: Its name.
        path: Of the file, for the error.

    Raises:
        InputError: It is missing or no count.
    """
    value = config.get(key)
    if not _is_count(value):
        raise InputError(f"{path}: {key} must be {_COUNT}, got {shown(value)}")
    return int(typing.cast("int", value))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST


def check_heads(heads: Heads, projections: Iterable[Gemm]) -> None:
    """Compare heads with the projections that make queries, keys and values.

    Args:
        heads: As read.
        projections: Of one block.

    Raises:
        InputError: A projection has another number of rows.
    """
    rows = {
        "q_proj": heads.heads * heads.head_dim,
        "k_proj": heads.kv_heads * heads.head_dim,
        "v_proj": heads.kv_heads * heads.head_dim,
        "qkv_proj": (heads.heads + 2 * heads.kv_heads) * heads.head_dim,
    }
    for gemm in projections:
        expected = rows.get(gemm.name.rpartition(".")[2])
        if expected is not None and gemm.m != expected:
            raise InputError(
                f"{CONFIG} says {heads.heads} heads ({heads.kv_heads} of keys and values) "
                f"of {heads.head_dim}, so {gemm.name} should have {expected} rows; it has {gemm.m}"
            )


@dataclass(frozen=True)
class VitShape:
    """Attention of a vision transformer's encoder.

    Attributes:
        name: As printed in tables.
        tokens: Patches and the class token.
        heads: Of each layer.
        head_dim: Width of one head.
        layers: Encoder layers.
    """

    name: str
    tokens: int
    heads: int
    head_dim: int
    layers: int

    def __post_init__(self) -> None:
        for field in ("tokens", "heads", "head_dim", "layers"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, got {getattr(self, field)}")


def vit_names() -> list[str]:
    """Names of the vision transformers that ship with the package."""
    return preset_names("workloads.shapes", "vit")


def load_vit(name: str) -> VitShape:
    """A vision transformer's attention by name.

    Raises:
        InputError: No shape has that name.
    """
    table = read_preset("workloads.shapes", "vit", "vision transformer", name)
    return build(VitShape, table, f"vision transformer {name}")
