"""An artifact as a working transformers model that keeps S and U, V apart; and other models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sslc.model.adapter import AdaptedWeights
from sslc.model.config import build_on_meta, load_config
from sslc.model.fence import fenced
from sslc.model.names import HEAD, weight_name
from sslc.model.shapes import check_shapes
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights, sparse_part, to_torch
from workloads.artifact.read import Artifact
from workloads.artifact.record import CompressedTensors
from workloads.support.extras import missing

Layer = Callable[[CompressedTensors, torch.dtype], nn.Module]


class SparseLowRankLinear(nn.Module):
    """y = S x + U (Vᵀ x) + bias, with S, U and V as stored.

    Attributes:
        sparse: S, m×n with its zeros, a frozen parameter.
        u: m×r, trainable.
        v: n×r, trainable.
        bias: Shape (m,), frozen, or None.
    """

    def __init__(self, stored: CompressedTensors, dtype: torch.dtype) -> None:
        super().__init__()
        self.sparse = nn.Parameter(sparse_part(stored).to(dtype), requires_grad=False)
        self.u = nn.Parameter(to_torch(stored.u).to(dtype))
        self.v = nn.Parameter(to_torch(stored.v).to(dtype))
        bias = None if stored.bias is None else to_torch(stored.bias).to(dtype)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x of shape (..., n) to (..., m)."""
        return nn.functional.linear(x, self.sparse, self.bias) + (x @ self.v) @ self.u.T


def load_artifact(artifact: Artifact, dtype: torch.dtype = torch.float32) -> Any:
    """A transformers causal LM whose projections are ``SparseLowRankLinear``.

    Args:
        artifact: The compressed model.
        dtype: Of every tensor.

    Returns:
        A ``PreTrainedModel`` in evaluation mode, ready for ``generate``; only U and V require
        gradients, as in SSLC Eq. 9.

    Raises:
        InputError: The artifact is broken.
    """
    return build_model(artifact, dtype, SparseLowRankLinear)


def load_base(artifact: Artifact, dtype: torch.dtype = torch.float32) -> Any:
    """A transformers causal LM with S alone in plain linear layers: the base of an adapter.

    Args:
        artifact: The compressed model.
        dtype: Of every tensor.

    Returns:
        A ``PreTrainedModel`` in evaluation mode in which nothing requires gradients.
    """
    return build_model(artifact, dtype, _sparse_linear)


def build_model(artifact: Artifact, dtype: torch.dtype, layer: Layer) -> Any:
    """A transformers causal LM with a layer of a kind in place of every compressed projection.

    Args:
        artifact: The compressed model.
        dtype: Of every tensor.
        layer: Makes the layer of a projection from what is stored and that dtype.

    Returns:
        A ``PreTrainedModel`` in evaluation mode; only what the layers want requires gradients.

    Raises:
        InputError: The artifact is broken.
    """
    config, shapes = load_config(artifact.path), ArtifactWeights(artifact).shapes()
    check_shapes(artifact.path, config, shapes)
    if weight_name(HEAD) in shapes:
        config.tie_word_embeddings = False  # a head of its own counts, as in transformers
    model = build_on_meta(config, dtype, directory=artifact.path)
    model.requires_grad_(False)
    _fill(model, artifact, dtype, layer)
    return model.eval()


def _sparse_linear(stored: CompressedTensors, dtype: torch.dtype) -> nn.Linear:
    linear = nn.Linear(stored.mask.columns, stored.mask.rows, stored.bias is not None, "meta")
    linear.weight = nn.Parameter(sparse_part(stored).to(dtype), requires_grad=False)
    if stored.bias is not None:
        linear.bias = nn.Parameter(to_torch(stored.bias).to(dtype), requires_grad=False)
    return linear


def load_whole(source: WeightSource, dtype: torch.dtype = torch.float32) -> Any:
    """Any source as a transformers causal LM in evaluation mode, all of it in memory.

    Args:
        source: An artifact, whose projections stay S, U and V; a base with its adapter, which
            stays one (PEFT); or a checkpoint.
        dtype: Of every tensor.

    Raises:
        InputError: It cannot be loaded, or PEFT is needed and not installed.
    """
    from transformers import AutoModelForCausalLM

    if isinstance(source, ArtifactWeights):
        return load_artifact(source.artifact, dtype)
    config = load_config(source.directory)
    check_shapes(source.directory, config, source.shapes())
    with fenced(f"{source.directory}: transformers cannot load it"):
        model: Any = AutoModelForCausalLM.from_pretrained(
            source.directory,
            config=config,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
        if isinstance(source, AdaptedWeights):
            model = _with_adapter(model, source.adapter)
    return model.eval()


def _with_adapter(model: Any, adapter: Path) -> Any:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise missing(f"{adapter}: the adapter needs", "PEFT", "recover") from error
    return PeftModel.from_pretrained(model, adapter).get_base_model()


def _fill(model: Any, artifact: Artifact, dtype: torch.dtype, layer: Layer) -> None:
    for index, block in enumerate(artifact.blocks):
        for record in block.projections:
            linear = layer(artifact.read(index, record.name), dtype)
            model.model.layers[index].set_submodule(record.name, linear)
    weights = ArtifactWeights(artifact)
    for name, parameter in list(model.named_parameters()):
        if parameter.is_meta and name in weights.names():
            parent, _, last = name.rpartition(".")
            tensor = nn.Parameter(weights.tensor(name).to(dtype), requires_grad=False)
            setattr(model.get_submodule(parent), last, tensor)
    model.tie_weights()
