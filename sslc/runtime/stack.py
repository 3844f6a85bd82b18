"""Transformer stacks of random weights, dense and compressed: shapes without a checkpoint."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from sslc.model.weights import to_numpy
from sslc.runtime.backends import Projection

_SCALE = 0.02


@dataclass(frozen=True)
class StackShape:
    """A Llama-like stack.

    Attributes:
        name: Of the model whose shape it is.
        blocks: How many.
        hidden: Hidden size.
        inner: Of the feed-forward part.
        heads: Attention heads, all with keys and values of their own.
        vocabulary: Rows of embedding and head.
    """

    name: str
    blocks: int
    hidden: int
    inner: int
    heads: int
    vocabulary: int


LLAMA2_7B = StackShape("llama2-7b", 4, 4096, 11008, 32, 32000)
"""Four blocks of it; Source: Touvron et al., arXiv 2307.09288, and its config.json."""


def random_stack(shape: StackShape, *, dtype: torch.dtype, seed: int = 0) -> Any:
    """A dense stack of random weights, as a transformers causal LM in evaluation mode.

    Args:
        shape: Of the stack.
        dtype: Of every tensor.
        seed: Of the weights.
    """
    from accelerate import init_empty_weights
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.blocks,
        num_attention_heads=shape.heads,
        max_position_embeddings=4096,
        dtype=dtype,
    )
    with init_empty_weights(include_buffers=False):
        model: Any = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in list(model.named_parameters()):
        tensor = torch.ones(parameter.shape, dtype=dtype)
        if parameter.ndim > 1:
            tensor.normal_(0, _SCALE, generator=generator)
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, nn.Parameter(tensor, requires_grad=False))
    return model.eval()


def random_projection(
    linear: nn.Linear, *, sparsity: float, rank_share: float, seed: int = 0
) -> Projection:
    """A random compressed projection in place of a linear layer, its factors inside the budget.

    Args:
        linear: Of random weights; gives shape, dtype, bias and as many values as S keeps.
        sparsity: Share of all parameters left out, in [0, 1].
        rank_share: Share of all parameters in U and V, which S goes without.
        seed: Of the mask and of the factors.
    """
    m, n = linear.weight.shape
    rank = int(rank_share * m * n / (m + n))
    kept = 1 - sparsity - rank * (m + n) / (m * n)
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(m, n, generator=generator) < kept
    u, v = (
        torch.randn(length, rank, generator=generator).mul_(_SCALE).to(linear.weight.dtype)
        for length in (m, n)
    )
    values = linear.weight.detach().flatten()[: int(mask.sum())]
    bits = np.packbits(mask.numpy(), axis=1, bitorder="little")
    bias = None if linear.bias is None else to_numpy(linear.bias.float())
    return Projection(bits, to_numpy(values), n, to_numpy(u), to_numpy(v), bias)
