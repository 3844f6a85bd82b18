"""A causal LM run one block at a time, its weights read when they are needed.

The model is built on torch's meta device; a block becomes real while it runs. Memory holds one
block and the activations, whatever the model's size. ``compress.py`` and ``evaluate.py`` both
walk a model through this.

Shapes: w windows, L tokens per window, h hidden size.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from sslc.checkpoint import WeightSource, load_config
from workloads.errors import InputError

_TOKENS_AT_ONCE = 1024


class BlockwiseModel:
    """A causal LM whose parts are materialised one at a time.

    Args:
        source: Where configuration and tensors come from.
        device: Where blocks run.

    All arithmetic is float32, whatever dtype is stored.
    """

    def __init__(self, source: WeightSource, device: torch.device | None = None) -> None:
        from accelerate import init_empty_weights
        from transformers import AutoModelForCausalLM

        self.source = source
        self.device = device or torch.device("cpu")
        config = load_config(source.directory)
        with init_empty_weights(include_buffers=False), _quiet():
            model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
        self._model = model.eval()
        self._layers: nn.ModuleList = self._model.model.layers
        self._layer_arguments: list[dict[str, Any]] = []

    @property
    def blocks(self) -> int:
        """Decoder blocks."""
        return len(self._layers)

    def linear_names(self) -> tuple[str, ...]:
        """Dotted names of the linear layers inside a block."""
        modules = self._layers[0].named_modules()
        return tuple(name for name, module in modules if isinstance(module, nn.Linear))

    @torch.inference_mode()
    def embed(self, windows: torch.Tensor) -> torch.Tensor:
        """Inputs of the first block.

        Args:
            windows: Token ids, shape (w, L).

        Returns:
            Hidden states, shape (w, L, h), on the CPU.

        Raises:
            InputError: A token id has no embedding: the tokenizer belongs to another model.
        """
        body = self._model.model
        if int(windows.max()) >= body.embed_tokens.num_embeddings:
            raise InputError(
                f"{self.source.directory}: the tokenizer gives id {int(windows.max())}, "
                f"the model has {body.embed_tokens.num_embeddings} embeddings"
            )
        stubs = [_Recorder(layer) for layer in self._layers]
        body.rotary_emb.to(self.device)
        with self._real(body.embed_tokens, "model.embed_tokens"):
            hidden: torch.Tensor = body.embed_tokens(windows.to(self.device)).cpu()
            body.layers, norm, body.norm = nn.ModuleList(stubs), body.norm, nn.Identity()
            try:
                body(input_ids=windows[:1].to(self.device), use_cache=False)
            finally:
                body.layers, body.norm = self._layers, norm
        self._layer_arguments = [stub.arguments for stub in stubs]
        return hidden

    @contextlib.contextmanager
    def block(self, index: int) -> Iterator[nn.Module]:
        """One block with its weights, for as long as the context lasts."""
        with self._real(self._layers[index], f"model.layers.{index}") as block:
            yield block

    @torch.inference_mode()
    def run(self, index: int, block: nn.Module, hidden: torch.Tensor, *, keep: bool = True) -> None:
        """Run a block over all windows.

        Args:
            index: Which block it is.
            block: From ``block(index)``.
            hidden: Shape (w, L, h); overwritten with the block's outputs when ``keep`` is true.
            keep: False to run only for what hooks see.
        """
        step = max(1, _TOKENS_AT_ONCE // hidden.shape[1])
        for start in range(0, len(hidden), step):
            part = hidden[start : start + step]
            output = block(part.to(self.device), **self._layer_arguments[index])
            if keep:
                part.copy_(output[0] if isinstance(output, tuple) else output)

    @torch.inference_mode()
    def negative_log_likelihoods(self, hidden: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """Mean negative log likelihood of each window's tokens 2 … L, given those before them.

        Args:
            hidden: Outputs of the last block, shape (w, L, h).
            windows: Token ids, shape (w, L).

        Returns:
            Shape (w,), float64.
        """
        head = self._model.lm_head
        tied = "lm_head.weight" not in self.source.names()
        name = "model.embed_tokens" if tied else "lm_head"
        losses = []
        with self._real(self._model.model.norm, "model.norm") as norm, self._real(head, name):
            for states, tokens in zip(hidden, windows, strict=True):
                logits = head(norm(states[:-1].to(self.device)))
                losses.append(nn.functional.cross_entropy(logits, tokens[1:].to(self.device)))
        return torch.stack(losses).double().cpu()

    @contextlib.contextmanager
    def _real(self, module: nn.Module, prefix: str) -> Iterator[nn.Module]:
        names = dict(module.named_parameters())
        state = {}
        for name, parameter in names.items():
            tensor = self.source.tensor(f"{prefix}.{name}")
            if tensor.shape != parameter.shape:
                raise InputError(
                    f"{self.source.directory}: tensor {prefix}.{name} has shape "
                    f"{list(tensor.shape)}, config.json implies {list(parameter.shape)}"
                )
            state[name] = tensor.to(self.device, torch.float32)
        module.load_state_dict(state, strict=True, assign=True)
        module.requires_grad_(False)
        try:
            yield module
        finally:
            module.to("meta")


class _Recorder(nn.Module):
    """Stands in for a block: hands its input on and remembers what it was called with."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        if hasattr(layer, "attention_type"):
            self.attention_type = layer.attention_type
        self.arguments: dict[str, Any] = {}

    def forward(self, hidden: torch.Tensor, **arguments: Any) -> torch.Tensor:
        """Record and pass on."""
        self.arguments = arguments
        return hidden


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' advice about a model that is deliberately built without weights."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
