"""One compressed block trained on the outputs of the dense block for the same inputs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from sslc.model.blocks import TOKENS_AT_ONCE, BlockwiseModel
from sslc.model.finite import not_finite
from sslc.model.names import block_name
from sslc.refinement.optimisation import Optimisation
from sslc.refinement.stages import BlockMatching, falling
from sslc.refinement.trainable import Store, places_of, trainable_block
from workloads.artifact.record import CompressedTensors

_BETAS = (0.9, 0.999)


@dataclass(frozen=True, eq=False)
class Matched:
    """What training leaves of a block.

    Attributes:
        stored: Of each trained projection, by its name in the block.
        norms: Trained norms by their names in the checkpoint; none unless they are trained.
        first_loss: Mean squared error of an output entry before training.
        last_loss: And after it, both over all windows.
    """

    stored: Mapping[str, CompressedTensors]
    norms: Mapping[str, torch.Tensor]
    first_loss: float
    last_loss: float


def match_block(
    model: BlockwiseModel,
    index: int,
    *,
    stored: Mapping[str, CompressedTensors],
    inputs: torch.Tensor,
    targets: torch.Tensor,
    settings: BlockMatching,
    store: Store,
) -> Matched:
    """Train what is kept of a block's projections; the places of S stay.

    Args:
        model: The dense model.
        index: Which block.
        stored: Every compressed projection of the block by name; the others stay dense.
        inputs: What the compressed blocks before it give, shape (w, L, h).
        targets: What the dense block gives for them, shape (w, L, h).
        settings: How it is trained.
        store: Rounds a trained projection.

    Raises:
        InputError: The training diverged.

    Source: transformer matching of 3BASiL (Makni et al. 2026) and EBFT (Guo et al. 2024).
    """
    with trainable_block(model, index, stored) as (block, layers), torch.enable_grad():
        norms = _norms(block) if settings.norms else {}
        for parameter in norms.values():
            parameter.requires_grad_()
        optimisation = Optimisation(
            [*places_of(layers), *((each, None) for each in norms.values())], _BETAS
        )
        first = _error(model, index, block, (inputs, targets))
        for batch, rate in _batches(len(inputs), index, settings):
            for part in _parts(batch, inputs.shape[1]):
                _loss(model, index, block, (inputs[part], targets[part])).backward()  # type: ignore[no-untyped-call]
            optimisation.step(rate)
        last = _error(model, index, block, (inputs, targets))
        if not np.isfinite(last):
            raise not_finite(model.source, f"the refinement of block {index}")
        kept = {name: store(name, layer.trained()) for name, layer in layers.items()}
        trained = {
            f"{block_name(index)}.{name}": each.detach().cpu() for name, each in norms.items()
        }
    return Matched(kept, trained, first, last)


def _norms(block: nn.Module) -> dict[str, nn.Parameter]:
    return {name: each for name, each in block.named_parameters() if "norm" in name}


def _batches(windows: int, index: int, settings: BlockMatching) -> list[tuple[torch.Tensor, float]]:
    """Windows and learning rate of every step: all windows in a new order in each epoch."""
    generator = torch.Generator().manual_seed(settings.seed * 1000 + index)
    batches = [
        batch
        for _ in range(settings.epochs)
        for batch in torch.split(
            torch.randperm(windows, generator=generator), settings.batch_windows
        )
    ]
    rates = (
        settings.learning_rate * falling(step, steps=len(batches), warmup=0, floor=settings.floor)
        for step in range(len(batches))
    )
    return list(zip(batches, rates, strict=True))


def _parts(windows: torch.Tensor, length: int) -> tuple[torch.Tensor, ...]:
    """So many windows at a time that their activations stay small."""
    return torch.split(windows, max(1, TOKENS_AT_ONCE // length))


def _loss(
    model: BlockwiseModel, index: int, block: nn.Module, pair: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    inputs, targets = (part.clone().to(model.device) for part in pair)  # no inference tensors
    outputs = model.outputs(index, block, inputs)
    return nn.functional.mse_loss(outputs, targets, reduction="sum")


@torch.no_grad()
def _error(
    model: BlockwiseModel, index: int, block: nn.Module, pair: tuple[torch.Tensor, torch.Tensor]
) -> float:
    """Mean squared error of an output entry over all windows."""
    inputs, targets = pair
    parts = _parts(torch.arange(len(inputs)), inputs.shape[1])
    losses = [_loss(model, index, block, (inputs[part], targets[part])).item() for part in parts]
    return sum(losses) / targets.numel()
