"""A transformers model with other linear layers in place of its own; the rest is shared."""

import copy
from collections.abc import Callable
from typing import Any

from torch import nn

Swap = Callable[[nn.Linear], nn.Module]
HEAD = "lm_head"


def with_projections(model: Any, swap: Swap) -> Any:
    """A model with another layer for every linear layer of its blocks.

    Args:
        model: A ``PreTrainedModel``; it stays as it is.
        swap: Makes the layer from the one that it replaces.

    Returns:
        A model that shares every other tensor with ``model``.
    """
    other = _sharing(model)
    layers = other.model.layers
    linears = [(n, module) for n, module in layers.named_modules() if isinstance(module, nn.Linear)]
    for name, linear in linears:
        layers.set_submodule(name, swap(linear))
    return other


def with_head(model: Any, head: nn.Module) -> Any:
    """A model that shares every tensor with ``model`` but has another head."""
    other = _sharing(model)
    other.set_submodule(HEAD, head)
    return other


def _sharing(model: Any) -> Any:
    """A copy of the modules that holds the same tensors, and the same layers of other kinds."""
    kept: dict[int, Any] = {id(parameter): parameter for parameter in model.parameters()}
    kept |= {id(buffer): buffer for buffer in model.buffers()}
    kept |= {id(m): m for m in model.modules() if not list(m.children())}
    return copy.deepcopy(model, kept)
