"""A whole compressed model trained on the next-token distributions of the dense one.

The dense model's last hidden states are made once, block by block, and kept on disk. The compressed
model is in memory with the gradients and moments of what is kept. Logits are formed for a few
positions at a time.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sslc.model.blocks import BlockwiseModel, capped
from sslc.model.loading import SparseLowRankLinear, build_model
from sslc.refinement.optimisation import Optimisation, products_in
from sslc.refinement.stages import LogitDistillation, falling
from sslc.refinement.trainable import TrainableLinear, places_of
from workloads.artifact.read import Artifact
from workloads.artifact.record import CompressedTensors
from workloads.support.errors import InputError
from workloads.support.files import open_tensors, write_tensors
from workloads.support.progress import Progress, silent

STAGE = "distil"
_BETAS = (0.9, 0.95)
_POSITIONS = 128
_CHECKPOINTS = 4
_AVERAGED_STEPS = 10
_STATE, _TEACHER = "state.safetensors", "teacher.safetensors"


def trainable_model(artifact: Artifact) -> tuple[Any, dict[str, TrainableLinear]]:
    """An artifact in float32 in which what is kept of projections requires gradients.

    Returns:
        The model, and its trainable projections by their full names; those that were left dense
        are not among them.
    """
    model = build_model(artifact, torch.float32, _layer)
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, TrainableLinear)
    }
    return model, layers


def teacher_states(
    teacher: BlockwiseModel, windows: torch.Tensor, *, work: Path, progress: Progress = silent
) -> torch.Tensor:
    """The dense model's last hidden states, before the final norm.

    Args:
        teacher: The dense model.
        windows: Token ids, shape (w, L).
        work: Directory where they are kept; read when they are there.
        progress: Told after every block.

    Returns:
        Shape (w, L, h), float32, mapped from the file.
    """
    path = work / _TEACHER
    if not path.is_file():
        hidden = teacher.embed(windows)
        for index in range(teacher.blocks):
            progress("the dense model's outputs", index, teacher.blocks)
            with teacher.block(index) as block:
                teacher.run(index, block, hidden)
        progress("the dense model's outputs", teacher.blocks, teacher.blocks)
        write_tensors(path, {"states": hidden.numpy()})
    return torch.from_numpy(np.array(open_tensors(path).read("states")))


def distil(
    model: Any,
    layers: Mapping[str, TrainableLinear],
    *,
    windows: torch.Tensor,
    states: torch.Tensor,
    settings: LogitDistillation,
    work: Path,
    progress: Progress = silent,
) -> dict[str, float]:
    """Train the projections of a model; goes on from the state that is kept in a directory.

    Args:
        model: From ``trainable_model``; its layers are trained in place.
        layers: Its trainable projections.
        windows: Token ids, shape (w, L).
        states: The dense model's last hidden states, shape (w, L, h).
        settings: Of the training.
        work: Directory of the state, which is kept four times over a run and at its end.
        progress: Told after every step.

    Returns:
        Mean loss in nats of the ``first`` and of the ``last`` steps, ten or as many as there are.

    Raises:
        InputError: The loss is no longer finite.
    """
    optimisation = Optimisation(places_of(layers), _BETAS)
    losses = _restore(optimisation, work / _STATE)
    order = _order(len(windows), settings)
    every = math.ceil(settings.steps / _CHECKPOINTS)
    while optimisation.done < settings.steps:
        step = optimisation.done
        progress(STAGE, step, settings.steps)
        batch = order[step * settings.batch_windows : (step + 1) * settings.batch_windows]
        with products_in(settings.products):
            loss = sum(_backward(model, windows[i], states[i]) for i in batch) / len(batch)
        if not math.isfinite(loss):
            raise InputError(
                f"the distillation's loss is not finite at step {step + 1}; give a smaller "
                "logits.learning_rate"
            )
        _divide_gradients(layers, len(batch))
        share = falling(
            step, steps=settings.steps, warmup=settings.warmup_steps, floor=settings.floor
        )
        optimisation.step(settings.learning_rate * share, clip=settings.clip)
        losses.append(loss)
        if optimisation.done % every == 0 or optimisation.done == settings.steps:
            kept: dict[str, NDArray[Any]] = {"losses": np.array(losses), **optimisation.state()}
            write_tensors(work / _STATE, kept)
    progress(STAGE, settings.steps, settings.steps)
    some = min(_AVERAGED_STEPS, len(losses))
    return {"first": sum(losses[:some]) / some, "last": sum(losses[-some:]) / some}


def divergence(
    model: Any, student: torch.Tensor, teacher: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """KL(dense ‖ compressed) in nats, the mean over positions, and its gradient.

    Args:
        model: With the final norm and the head, which both models share.
        student: The compressed model's states behind the final norm, shape (L, h).
        teacher: The dense model's states before it, shape (L, h).

    Returns:
        The loss, and its gradient by ``student``, shape (L, h).
    """
    total, gradients = 0.0, []
    for own, dense in zip(
        *(torch.split(part, _POSITIONS) for part in (student, teacher)), strict=True
    ):
        with torch.no_grad():
            wanted = _logits(model, model.model.norm(dense)).log_softmax(-1)
        inputs = own.detach().requires_grad_()
        found = _logits(model, inputs).log_softmax(-1)
        loss = nn.functional.kl_div(found, wanted, reduction="sum", log_target=True) / len(student)
        gradients.append(torch.autograd.grad(loss, inputs)[0])
        total += loss.item()
    return total, torch.cat(gradients)


def _backward(model: Any, window: torch.Tensor, states: torch.Tensor) -> float:
    """Add a window's gradients; its loss."""
    device = model.device
    student = model.model(input_ids=window[None].to(device), use_cache=False).last_hidden_state[0]
    loss, gradient = divergence(model, student, states.to(device))
    student.backward(gradient)
    return loss


def _logits(model: Any, states: torch.Tensor) -> torch.Tensor:
    """Of states behind the final norm."""
    return capped(model.config, model.lm_head(states))


def _divide_gradients(layers: Mapping[str, TrainableLinear], by: int) -> None:
    if by > 1:
        for parameter, _ in places_of(layers):
            if parameter.grad is not None:
                parameter.grad /= by


def _order(windows: int, settings: LogitDistillation) -> Sequence[int]:
    """Which window when: all of them in a new order again and again."""
    generator = torch.Generator().manual_seed(settings.seed)
    wanted = settings.steps * settings.batch_windows
    rounds = math.ceil(wanted / windows)
    orders = [torch.randperm(windows, generator=generator) for _ in range(rounds)]
    return [int(each) for each in torch.cat(orders)[:wanted]]


def _restore(optimisation: Optimisation, path: Path) -> list[float]:
    """Losses so far, with the optimisation brought to where they end."""
    if not path.is_file():
        return []
    file = open_tensors(path)
    arrays = {name: file.read(name) for name in file.tensors}
    optimisation.restore(arrays)
    return [float(loss) for loss in arrays["losses"]]


def _layer(stored: CompressedTensors, dtype: torch.dtype) -> nn.Module:
    """Trainable where something was given up; a projection that was left dense stays."""
    dense = stored.mask.nnz == stored.mask.rows * stored.mask.columns and not stored.u.size
    return SparseLowRankLinear(stored, dtype) if dense else TrainableLinear(stored, dtype)
