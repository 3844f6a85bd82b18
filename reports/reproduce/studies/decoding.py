"""Table 5: tokens a second in generation, dense against SSLC, measured on the device at hand.

Without a model a stack of LLaMA2-7B's shape and random weights; with one its own artifacts.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from typing import Any

import torch
from torch import nn

from reports.reproduce.cache import cached
from reports.reproduce.cells import CellModel
from reports.reproduce.decoders import (
    PROMPT_TOKENS,
    PROMPTS,
    baseline,
    kernels,
    prompts_sha256,
    run_decoders,
)
from reports.reproduce.decoding_results import (
    DecodeIdentity,
    DecodeResult,
    DecoderIdentity,
    StackIdentity,
)
from reports.reproduce.decoding_tables import gpu_table, throughput_table
from reports.reproduce.recipes import Recipe, cell_identity
from reports.reproduce.study import Reproduced, Study
from sslc.model.config import tokenize
from sslc.model.devices import device_name, find_device
from sslc.model.loading import load_whole
from sslc.runtime.backend_model import load_on_backend
from sslc.runtime.backends import choose_backend
from sslc.runtime.features import NotAvailableError, host_level
from sslc.runtime.linear import CompressedLinear
from sslc.runtime.stack import LLAMA2_7B, StackShape, random_projection, random_stack
from sslc.runtime.swap import with_projections
from workloads.results.identity import DENSE, provenance
from workloads.support.errors import InputError
from workloads.support.wording import counted
from workloads.texts.windows import load_text, random_windows

SPARSITIES = (0.5, 0.6, 0.7)
RANK_SHARE = 0.0625
_METHOD = "sslc"
_DTYPE, _TORCH_DTYPE = "BF16", torch.bfloat16


def table5(study: Study) -> Reproduced:
    """The published throughputs beside ours.

    Raises:
        InputError: No kernel of ours can run on the device.
    """
    result = of_a_stack(study) if study.simulation.by_shape else _of_the_model(study)
    tables = (throughput_table(study, result),)
    return Reproduced((*tables, gpu_table()) if study.simulation.by_shape else tables, (result,))


def of_a_stack(study: Study, shape: StackShape = LLAMA2_7B) -> DecodeResult:
    """Generation by a stack of random weights, as many blocks of it as the limits allow.

    Args:
        study: Limits, seed, device and cells.
        shape: Of the stack.

    Raises:
        InputError: No kernel of ours can run on the device.
    """
    blocks, seed = min(shape.blocks, study.limits.blocks or shape.blocks), study.simulation.seed
    shape = replace(shape, blocks=blocks)
    size = (shape.hidden, shape.inner, shape.heads, shape.vocabulary)
    stack = StackIdentity(shape.name, blocks, *size, RANK_SHARE, seed)
    generator = torch.Generator().manual_seed(seed)
    prompts = torch.randint(shape.vocabulary, (PROMPTS, PROMPT_TOKENS), generator=generator)
    compressed = [DecoderIdentity("random", s, _backend(study)) for s in SPARSITIES]
    subject = f"{shape.name} shape, {counted(blocks, 'block')}, random weights"
    identity = _identity(study, subject, stack, compressed, prompts)

    def models() -> list[Any]:
        device = find_device(study.device)
        dense = random_stack(shape, dtype=_TORCH_DTYPE, seed=seed).to(device)
        base = baseline(dense)
        made = list(base.models.values())
        for number, sparsity in enumerate(SPARSITIES):
            study.progress("compress the stack", number, len(SPARSITIES))
            made.append(base.completed(with_projections(dense, _swap(study, sparsity))))
        return made

    return _measured(study, identity, models, prompts)


def _swap(study: Study, sparsity: float) -> Callable[[nn.Linear], nn.Module]:
    """Makes a random compressed layer of a dense one."""
    device, backend = find_device(study.device).type, _backend(study)

    def swap(linear: nn.Linear) -> nn.Module:
        projection = random_projection(linear, sparsity=sparsity, rank_share=RANK_SHARE)
        return CompressedLinear(projection, backend=backend, device=device)

    return swap


def _of_the_model(study: Study) -> DecodeResult:
    recipes = [Recipe(_METHOD, {"kept_fraction": round(1 - s, 9)}) for s in SPARSITIES]
    cells = [CellModel(study, recipe, study.progress) for recipe in recipes]
    compressed = [
        DecoderIdentity(_METHOD, sparsity, _backend(study), cell.identity)
        for sparsity, cell in zip(SPARSITIES, cells, strict=True)
    ]
    tokens = tokenize(study.checkpoint.directory, load_text(study.texts[0], "evaluation").content)
    prompts = torch.from_numpy(random_windows(tokens, PROMPTS, PROMPT_TOKENS, 0))
    identity = _identity(study, study.checkpoint.name, None, compressed, prompts)

    def models() -> list[Any]:
        device = find_device(study.device)
        base = baseline(load_whole(study.checkpoint, _TORCH_DTYPE).to(device))
        loaded = [
            load_on_backend(cell.artifact, _TORCH_DTYPE, backend=_backend(study), device=device)
            for cell in cells
        ]
        return [*base.models.values(), *map(base.completed, loaded)]

    result = _measured(study, identity, models, prompts)
    for cell in cells:
        cell.discard()
    return result


def _backend(study: Study) -> str:
    """The kernel of compressed projections.

    Raises:
        InputError: None can run on the device.
    """
    try:
        return choose_backend("auto", device=find_device(study.device).type).name
    except NotAvailableError as error:
        raise InputError(f"table5: {error}") from error


def _identity(
    study: Study,
    subject: str,
    stack: StackIdentity | None,
    compressed: Sequence[DecoderIdentity],
    prompts: torch.Tensor,
) -> DecodeIdentity:
    device = find_device(study.device)
    cell = None if stack else cell_identity(study, Recipe(DENSE))
    dense = [DecoderIdentity(DENSE, 0.0, kernel, cell) for kernel in kernels(device)]
    level = host_level() if device.type == "cpu" else None
    return DecodeIdentity(
        subject=subject,
        stack=stack,
        decoders=(*dense, *compressed),
        prompts=len(prompts),
        prompts_sha256=prompts_sha256(prompts),
        new_tokens=study.limits.new_tokens,
        dtype=_DTYPE,
        device=device_name(device),
        features="" if level is None else level.name,
        threads=torch.get_num_threads() if device.type == "cpu" else 1,
        libraries={name: metadata.version(name) for name in ("torch", "transformers")},
    )


def _measured(
    study: Study,
    identity: DecodeIdentity,
    models: Callable[[], list[Any]],
    prompts: torch.Tensor,
) -> DecodeResult:
    """The result from its cell, or measured now."""

    def compute() -> DecodeResult:
        made, load = models(), os.getloadavg()[0]
        decoded = run_decoders(
            made, prompts, new_tokens=identity.new_tokens, progress=study.progress
        )
        here = provenance(device=identity.device, threads=identity.threads)
        return DecodeResult(identity, here, decoded, identity.new_tokens - 1, load)

    return cached(study.directory, DecodeResult, identity=identity, compute=compute)
