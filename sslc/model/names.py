"""Names of a model's tensors in its checkpoint: the one place that spells them.

A projection has three names: in its block (``self_attn.q_proj``), in patterns of the user
(``layers.3.self_attn.q_proj``), and in the checkpoint (``model.layers.3.self_attn.q_proj``).
"""

EMBEDDING = "model.embed_tokens"
NORM = "model.norm"
HEAD = "lm_head"


def pattern_name(block: int, projection: str) -> str:
    """A projection's name as patterns are matched against it.

    Args:
        block: Index of its block, from 0.
        projection: Its name in the block.
    """
    return f"layers.{block}.{projection}"


def block_name(block: int) -> str:
    """The name of a whole block, by its index from 0."""
    return f"model.layers.{block}"


def full_name(block: int, projection: str) -> str:
    """A projection's name in the whole model; arguments as ``pattern_name``."""
    return f"{block_name(block)}.{projection}"


def weight_name(module: str) -> str:
    """The tensor that holds a module's weight, by the module's full name."""
    return f"{module}.weight"


def bias_name(module: str) -> str:
    """The tensor that holds a module's bias, by the module's full name."""
    return f"{module}.bias"
