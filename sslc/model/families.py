"""What is particular to each supported family of models; everything else treats them alike.

A block of every family is norms, attention and a feed-forward part, called with the residual
stream; its projections are linear layers. Families differ in which norms there are, whether q, k
and v or gate and up lie in one matrix, which projections have a bias, and whether the feed-forward
part is one or several experts.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from workloads.support.errors import InputError

Biases = Literal["none", "inputs", "attention", "llama"]


@dataclass(frozen=True)
class Family:
    """How a family's blocks are made.

    Attributes:
        title: Models of it, for people.
        norms: Weights of a block that are as long as the residual stream is wide.
        head_norms: Whether queries and keys have norms of their own.
        fused: Whether q, k and v are one matrix, and gate and up one.
        biases: Which projections have one: none; q, k and v; those of attention where the
            configuration says ``attention_bias``; likewise, and all others with ``mlp_bias``.
        experts: Whether the feed-forward part is experts behind a router.
        inner: Field of the configuration with the width of a feed-forward part.
        spelling: Parts of tensor names as other families have them, and as its files have them.
    """

    title: str
    norms: tuple[str, ...] = ("input_layernorm", "post_attention_layernorm")
    head_norms: bool = False
    fused: bool = False
    biases: Biases = "none"
    experts: bool = False
    inner: str = "intermediate_size"
    spelling: tuple[tuple[str, str], ...] = ()


_SANDWICHED = (
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
)
FAMILIES = {
    "llama": Family("Llama 1 to 3, SmolLM", biases="llama"),
    "mistral": Family("Mistral"),
    "qwen2": Family("Qwen2, Qwen2.5", biases="inputs"),
    "qwen3": Family("Qwen3", head_norms=True, biases="attention"),
    "gemma2": Family("Gemma 2", norms=_SANDWICHED, biases="attention"),
    "gemma3_text": Family(
        "Gemma 3 without its image part", norms=_SANDWICHED, head_norms=True, biases="attention"
    ),
    "phi3": Family("Phi-3, Phi-4", fused=True),
    "mixtral": Family(
        "Mixtral",
        experts=True,
        spelling=(
            (".mlp.gate.", ".block_sparse_moe.gate."),
            (".gate_proj.", ".w1."),
            (".up_proj.", ".w3."),
            (".down_proj.", ".w2."),
            (".mlp.experts.", ".block_sparse_moe.experts."),
        ),
    ),
    "qwen3_moe": Family(
        "Qwen3-MoE",
        head_norms=True,
        biases="attention",
        experts=True,
        inner="moe_intermediate_size",
    ),
}
_OF_A_BLOCK = re.compile(r"model\.layers\.\d+\.")


def family_of(model_type: str) -> Family:
    """The family of a configuration's ``model_type``, one of ``FAMILIES``."""
    return FAMILIES[model_type]


def supported() -> str:
    """Every supported ``model_type`` and the models that have it, in one phrase."""
    titles = ", ".join(family.title for family in FAMILIES.values())
    return f"{', '.join(FAMILIES)} ({titles})"


def filed_name(model_type: str, name: str) -> str:
    """A tensor's name as the family's files spell it."""
    if _OF_A_BLOCK.match(name):
        for common, filed in FAMILIES[model_type].spelling:
            name = name.replace(common, filed)
    return name


def common_name(model_type: str, name: str) -> str:
    """The name by which a tensor of the family's files is known here."""
    if _OF_A_BLOCK.match(name):
        for common, filed in FAMILIES[model_type].spelling:
            name = name.replace(filed, common)
    return name


def expert_count(config: Any) -> int:
    """Experts of a block; 0 where the feed-forward part is one."""
    return int(config.num_experts) if FAMILIES[config.model_type].experts else 0


def check_family(path: Any, config: Any) -> None:
    """Refuse what a supported family allows and the block loop does not take.

    Args:
        path: Of the configuration, for the error.
        config: As transformers read it.

    Raises:
        InputError: Blocks are not all alike, or more experts are active than there are.
    """
    if not FAMILIES[config.model_type].experts:
        return
    if getattr(config, "mlp_only_layers", None) or getattr(config, "decoder_sparse_step", 1) != 1:
        raise InputError(
            f"{path}: blocks with experts and blocks without are mixed (mlp_only_layers, "
            "decoder_sparse_step), which is not supported"
        )
    if config.num_experts_per_tok > config.num_experts:
        raise InputError(
            f"{path}: num_experts_per_tok {config.num_experts_per_tok} is more than the "
            f"{config.num_experts} experts"
        )
