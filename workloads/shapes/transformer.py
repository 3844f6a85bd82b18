"""A decoder-only transformer's shape, and the projections of one of its blocks."""

from dataclasses import dataclass

from workloads.shapes.gemm import Gemm, Module
from workloads.support.presets import build, preset_names, read_preset, read_toml, toml_file
from workloads.support.toml_place import Place

PROJECTION_MODULES: dict[str, Module] = {
    "q_proj": "MHA",
    "k_proj": "MHA",
    "v_proj": "MHA",
    "o_proj": "MHA",
    "qkv_proj": "MHA",
    "gate_up_proj": "FFN",
    "gate_proj": "FFN",
    "up_proj": "FFN",
    "down_proj": "FFN",
}
SEPARATE = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""A block's projections where none is fused with another."""
FUSED = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj")
"""A block's projections where q, k and v are one matrix, and gate and up one."""
SHARED_INPUTS = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
"""Projections that read the same inputs as another one of their block."""


@dataclass(frozen=True)
class ModelShape:
    """Shape of a Llama- or Qwen-type model.

    Attributes:
        name: As printed in tables.
        hidden: Width of the residual stream.
        intermediate: Width of the FFN.
        heads: Query heads.
        kv_heads: Key and value heads (fewer than ``heads`` with GQA).
        head_dim: Width of one head.
        blocks: Decoder blocks.
        vocabulary: Rows of embeddings and head; 0 where nobody asked.
    """

    name: str
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    blocks: int
    vocabulary: int = 0

    def __post_init__(self) -> None:
        for field in ("hidden", "intermediate", "heads", "kv_heads", "head_dim", "blocks"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1, got {getattr(self, field)}")

    def projections(self, tokens: int = 1) -> tuple[Gemm, ...]:
        """The seven projections of one block, in the order in which they run."""
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        shapes = {
            "q_proj": (query, self.hidden),
            "k_proj": (key, self.hidden),
            "v_proj": (key, self.hidden),
            "o_proj": (self.hidden, query),
            "gate_proj": (self.intermediate, self.hidden),
            "up_proj": (self.intermediate, self.hidden),
            "down_proj": (self.hidden, self.intermediate),
        }
        return tuple(
            Gemm(name, PROJECTION_MODULES[name], m, n, tokens) for name, (m, n) in shapes.items()
        )


def model_names() -> list[str]:
    """Names of the model shapes that ship with the package."""
    return preset_names("workloads.shapes", "models")


def load_model(name: str) -> ModelShape:
    """A model shape by name, or from a file whose name ends in ``.toml``.

    Raises:
        InputError: No shape has that name, or the file or a value of it cannot be used.
    """
    file = toml_file("model", name)
    if file is not None:
        return build(ModelShape, read_toml(file), Place(name, file))
    return build(
        ModelShape, read_preset("workloads.shapes", "models", "model", name), f"model {name}"
    )
