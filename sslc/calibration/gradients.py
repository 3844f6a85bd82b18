"""Gradients of the language model's loss by every projection, one block in memory at a time.

A forward pass leaves each block's inputs on disk. Then, from the last block to the first, a block
is run again on its inputs and differentiated, window by window. Every file is written whole or not
at all, so an interrupted pass goes on where it stopped and ends with the same bytes.

In the directory, while the pass runs: ``inputs-NNN`` (of block NNN), ``upstream-NNN`` (gradient of
the loss by the inputs of block NNN) and ``gradients-NNN``, all safetensors. Only the gradients and
``upstream-000`` are left at the end.
"""

from pathlib import Path

import numpy as np
import torch

from sslc.model.blocks import BlockwiseModel
from workloads.support.files import open_tensors, write_tensors
from workloads.support.progress import Progress, silent


def collect_gradients(
    model: BlockwiseModel, windows: torch.Tensor, *, directory: Path, progress: Progress = silent
) -> None:
    """Root of the sum over windows of squared weight gradients, one file per block.

    Args:
        model: The dense model.
        windows: Token ids, shape (w, L); each window's loss is its mean token cross-entropy.
        directory: Where the files go; a pass that was interrupted there is continued.
        progress: Told after every block.

    Source: Dong et al. 2024 (Pruner-Zero), gradients of single samples, squared and summed.
    """
    directory.mkdir(exist_ok=True)
    hidden = model.embed(windows)
    reached = [int(file.stem.partition("-")[2]) for file in directory.glob("upstream-*")]
    if not reached:
        _forward(model, hidden.clone(), windows, directory, progress)
    start = min(reached, default=model.blocks)
    for index in reversed(range(start)):
        progress("gradients, backward", model.blocks - 1 - index, model.blocks)
        _differentiate_block(model, index, directory)
        (directory / _file("upstream", index + 1)).unlink()
        (directory / _file("inputs", index)).unlink()
    progress("gradients, backward", model.blocks, model.blocks)


def read_gradients(directory: Path, index: int, *, device: torch.device) -> dict[str, torch.Tensor]:
    """What ``collect_gradients`` left for a block: dotted projection name to an m×n tensor."""
    file = open_tensors(directory / _file("gradients", index))
    return {name: torch.from_numpy(np.array(file.read(name))).to(device) for name in file.tensors}


def _forward(
    model: BlockwiseModel,
    hidden: torch.Tensor,
    windows: torch.Tensor,
    directory: Path,
    progress: Progress,
) -> None:
    """Leave every block's inputs and the loss's gradient by the last outputs."""
    for index in range(model.blocks):
        progress("gradients, forward", index, model.blocks)
        _write(directory, "inputs", index, hidden)
        with model.block(index) as block:
            model.run(index, block, hidden)
    progress("gradients, forward", model.blocks, model.blocks)
    _write(directory, "upstream", model.blocks, model.loss_gradients(hidden, windows))


def _differentiate_block(model: BlockwiseModel, index: int, directory: Path) -> None:
    """Write a block's gradients, then the gradient by its inputs."""
    inputs = _read(directory, "inputs", index)
    upstream = _read(directory, "upstream", index + 1)
    with model.block(index) as block:
        sums = {}
        for name in model.linear_names():
            weight = block.get_parameter(f"{name}.weight").requires_grad_()
            sums[name] = torch.zeros_like(weight, requires_grad=False)
        for window in range(len(inputs)):
            one = slice(window, window + 1)
            upstream[one], by_name = model.differentiate(index, block, inputs[one], upstream[one])
            for name, gradient in by_name.items():
                sums[name].addcmul_(gradient, gradient)
        roots = {name: total.sqrt_().cpu().numpy() for name, total in sums.items()}
    write_tensors(directory / _file("gradients", index), roots)
    _write(directory, "upstream", index, upstream)


def _file(kind: str, index: int) -> str:
    return f"{kind}-{index:03d}.safetensors"


def _write(directory: Path, kind: str, index: int, tensor: torch.Tensor) -> None:
    write_tensors(directory / _file(kind, index), {kind: tensor.numpy()})


def _read(directory: Path, kind: str, index: int) -> torch.Tensor:
    """A writable copy of what ``_write`` wrote."""
    return torch.from_numpy(np.array(open_tensors(directory / _file(kind, index)).read(kind)))
