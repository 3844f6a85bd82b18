"""What is kept of a projection as parameters that can be trained, and back to what is stored."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn

from sslc.methods.base import CompressedProjection
from sslc.model.blocks import BlockwiseModel
from sslc.model.loading import SparseLowRankLinear
from workloads.artifact.record import CompressedTensors

Store = Callable[[str, CompressedProjection], CompressedTensors]
"""Rounds a projection, by its name, to what is stored of it."""


class TrainableLinear(SparseLowRankLinear):
    """y = S x + U (Vᵀ x) + bias with S's values, at their places, trainable as U and V are.

    S is held with its zeros, m×n. Their gradient is zero, so Adam leaves them what they are.

    Attributes:
        mask: Places of S, m×n booleans.
    """

    def __init__(self, stored: CompressedTensors, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(stored, dtype)
        self.mask: torch.Tensor
        self.register_buffer("mask", torch.from_numpy(stored.mask.unpack()), persistent=False)
        self.sparse.requires_grad_()
        self.sparse.register_hook(lambda gradient: gradient * self.mask)  # type: ignore[no-untyped-call]

    def trained(self) -> CompressedProjection:
        """S, U and V as they are now; the places are those that were stored."""
        sparse, u, v = (part.detach().cpu() for part in (self.sparse, self.u, self.v))
        return CompressedProjection(self.mask.cpu(), sparse, u, v)


def places_of(
    layers: Mapping[str, TrainableLinear],
) -> list[tuple[nn.Parameter, torch.Tensor | None]]:
    """Parameters of trainable projections, each with its places; None for all of a factor."""
    return [
        pair
        for layer in layers.values()
        for pair in ((layer.sparse, layer.mask), (layer.u, None), (layer.v, None))
        if pair[0].numel()
    ]


@contextlib.contextmanager
def trainable_block(
    model: BlockwiseModel, index: int, stored: Mapping[str, CompressedTensors]
) -> Iterator[tuple[nn.Module, dict[str, TrainableLinear]]]:
    """A block whose compressed projections can be trained, for as long as the context lasts.

    Args:
        model: The dense model, which gives what is not compressed.
        index: Which block.
        stored: What is kept of every projection that is trained or stands in for the dense one.

    Yields:
        The block, and its trainable projections by name.
    """
    with model.block(index, lambda name: _placeholder(name, stored)) as block:
        dense = {name: block.get_submodule(name) for name in stored}
        layers = {name: TrainableLinear(kept).to(model.device) for name, kept in stored.items()}
        try:
            for name, layer in layers.items():
                block.set_submodule(name, layer)
            yield block, layers
        finally:
            for name, linear in dense.items():
                block.set_submodule(name, linear)


def _placeholder(name: str, stored: Mapping[str, CompressedTensors]) -> torch.Tensor | None:
    """One number in the shape of a dense weight or bias that the trainable layer takes over."""
    projection, _, part = name.rpartition(".")
    if projection not in stored:
        return None
    mask = stored[projection].mask
    shape = (mask.rows, mask.columns) if part == "weight" else (mask.rows,)
    return torch.zeros(1).expand(shape)
