"""The models that generate side by side for table 5: dense in two ways, and compressed.

The head stays dense everywhere; where our own kernel multiplies, it multiplies the head too.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from reports.reproduce.decoding_results import OWN, TORCH, Decoded
from sslc.runtime.dense_linear import DenseLinear
from sslc.runtime.generation import Generated, generate_side_by_side
from sslc.runtime.linear import CompressedLinear
from sslc.runtime.swap import with_head, with_projections
from workloads.support.progress import Progress

PROMPTS = 5
PROMPT_TOKENS = 16


@dataclass(frozen=True)
class Baseline:
    """A dense model, by torch and on a CPU by our own kernel, and what the others take over.

    Attributes:
        models: By kernel.
        head: Of every model but torch's.
    """

    models: Mapping[str, Any]
    head: nn.Module

    def completed(self, model: Any) -> Any:
        """A compressed model with this head and, on a CPU, our own kernel where it is dense."""
        other = with_head(model, self.head)
        return with_projections(other, DenseLinear) if OWN in self.models else other


def baseline(dense: Any) -> Baseline:
    """The dense decoders of a model.

    Args:
        dense: A ``PreTrainedModel`` on the device.
    """
    if dense.device.type != "cpu":
        return Baseline({TORCH: dense}, dense.lm_head)
    head = DenseLinear(dense.lm_head)
    own = with_head(with_projections(dense, DenseLinear), head)
    return Baseline({TORCH: dense, OWN: own}, head)


def kernels(device: torch.device) -> tuple[str, ...]:
    """The keys of ``Baseline.models`` on a device."""
    return (TORCH, OWN) if device.type == "cpu" else (TORCH,)


def prompts_sha256(prompts: torch.Tensor) -> str:
    """Hash of token ids, shape (prompts, tokens)."""
    return hashlib.sha256(prompts.numpy().astype("<i8").tobytes()).hexdigest()


def run_decoders(
    models: Sequence[Any], prompts: torch.Tensor, *, new_tokens: int, progress: Progress
) -> tuple[Decoded, ...]:
    """Generate by all models from every prompt.

    Args:
        models: Take turns, a token each.
        prompts: Token ids, shape (prompts, tokens).
        new_tokens: Of each model and prompt.
        progress: Told after every prompt.

    Returns:
        In the order of the models.
    """
    named = {str(number): model for number, model in enumerate(models)}
    generate_side_by_side(named, prompts[:1], tokens=2)  # compiles kernels, touches all memory
    made: list[Mapping[str, Generated]] = []
    for number, prompt in enumerate(prompts):
        progress("generate", number, len(prompts))
        made.append(generate_side_by_side(named, prompt[None], tokens=new_tokens))
    progress("generate", len(prompts), len(prompts))
    return tuple(
        _decoded(model, [generated[name] for generated in made]) for name, model in named.items()
    )


def _decoded(model: Any, generated: Iterable[Generated]) -> Decoded:
    generated = list(generated)
    return Decoded(
        sum(map(_weight_bytes, model.model.layers.modules())),
        tuple(one.seconds for one in generated),
        tuple(sum(one.block_seconds) for one in generated),
    )


def _weight_bytes(module: nn.Module) -> int:
    if isinstance(module, CompressedLinear):
        return module.operator.weight_bytes
    if isinstance(module, DenseLinear):
        return int(module.matrix.rows.nbytes)
    return module.weight.nbytes if isinstance(module, nn.Linear) else 0
