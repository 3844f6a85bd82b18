"""A causal LM run one block at a time, its weights read when they are needed.

The model is built on torch's meta device; a block becomes real while it runs. Memory holds one
block and the activations, whatever the model's size. Compression, perplexity and gradients
all walk a model through this.

Shapes: w windows, L tokens per window, h hidden size.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from sslc.model.config import build_on_meta, load_config
from sslc.model.names import EMBEDDING, HEAD, NORM, block_name, weight_name
from sslc.model.shapes import check_shapes
from sslc.model.source import WeightSource
from workloads.support.errors import InputError

TOKENS_AT_ONCE = 1024
Replaced = Callable[[str], torch.Tensor | None]


def _nothing(_name: str) -> None:
    """Replace no parameter."""


class Enough(Exception):  # noqa: N818  (it says that a pass may end, not that it failed)
    """Raised by a hook that needs nothing more of a pass over a block."""


class BlockwiseModel:
    """A causal LM whose parts are materialised one at a time.

    Args:
        source: Where configuration and tensors come from.
        device: Where blocks run.

    All arithmetic is float32, whatever dtype is stored.
    """

    def __init__(self, source: WeightSource, device: torch.device | None = None) -> None:
        self.source = source
        self.device = device or torch.device("cpu")
        config = load_config(source.directory)
        check_shapes(source.directory, config, source.shapes())
        with _quiet():
            model = build_on_meta(config, torch.float32, directory=source.directory)
        self._model = model.eval()
        self._layers: nn.ModuleList = self._model.model.layers
        self._layer_arguments: list[dict[str, Any]] = []

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self._model.config

    @property
    def blocks(self) -> int:
        """Decoder blocks."""
        return len(self._layers)

    def linear_names(self) -> tuple[str, ...]:
        """Dotted names of the linear layers inside a block."""
        return tuple(self.linears())

    def linears(self) -> dict[str, nn.Linear]:
        """A block's linear layers by dotted name, on the meta device: their shapes and biases."""
        modules = self._layers[0].named_modules()  # the blocks of a family are alike
        return {name: module for name, module in modules if isinstance(module, nn.Linear)}

    def read(self, name: str) -> torch.Tensor:
        """One of the source's tensors in float32 on the device where blocks run."""
        return self.source.tensor(name).to(self.device, torch.float32)

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
        name = weight_name(EMBEDDING)
        table = self.source.tensor(name)
        self._check_shape(name, table, body.embed_tokens.weight)
        hidden = table[windows].float()  # only the rows that occur are read
        scale = getattr(body.embed_tokens, "embed_scale", None)
        if scale is not None:  # Gemma's; the model itself applies it to ids alone
            hidden *= scale.float()
        body.rotary_emb.to(self.device)
        body.layers, norm, body.norm = nn.ModuleList(stubs), body.norm, nn.Identity()
        try:
            body(inputs_embeds=hidden[:1].to(self.device), use_cache=False)
        finally:
            body.layers, body.norm = self._layers, norm
        self._layer_arguments = [stub.arguments for stub in stubs]
        return hidden

    @contextlib.contextmanager
    def block(self, index: int, replaced: Replaced = _nothing) -> Iterator[nn.Module]:
        """One block with its weights, for as long as the context lasts.

        Args:
            index: Which block.
            replaced: Gives the tensor that takes the place of a parameter of the source, by its
                name inside the block, or None.
        """
        with self._real(self._layers[index], block_name(index), replaced) as block:
            yield block

    @torch.inference_mode()
    def run(self, index: int, block: nn.Module, hidden: torch.Tensor, *, keep: bool = True) -> None:
        """Run a block over all windows.

        Args:
            index: Which block it is.
            block: From ``block(index)``.
            hidden: Shape (w, L, h); overwritten with the block's outputs when ``keep`` is true.
            keep: False to run only for what hooks see, as far as the last of them: one that raises
                ``Enough`` ends the pass over the windows at hand.
        """
        step = max(1, TOKENS_AT_ONCE // hidden.shape[1])
        for start in range(0, len(hidden), step):
            part = hidden[start : start + step]
            with contextlib.suppress(Enough):
                output = block(part.to(self.device), **self._layer_arguments[index])
                if keep:
                    part.copy_(output[0] if isinstance(output, tuple) else output)

    def differentiate(
        self, index: int, block: nn.Module, hidden: torch.Tensor, upstream: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Gradients of a block's inputs and linear weights for one window.

        Args:
            index: Which block it is.
            block: From ``block(index)``; its linear weights must require gradients.
            hidden: Inputs of the window, shape (1, L, h).
            upstream: Gradient of the loss by the block's outputs, shape (1, L, h).

        Returns:
            The gradient by the inputs, on the CPU, and by each linear weight, by dotted name.
        """
        names = self.linear_names()
        weights = [block.get_parameter(f"{name}.weight") for name in names]
        inputs = hidden.to(self.device).detach().requires_grad_()
        output = self.outputs(index, block, inputs)
        gradients = torch.autograd.grad(
            output, [inputs, *weights], upstream.to(self.device), materialize_grads=True
        )  # no token of the window need reach an expert
        return gradients[0].cpu(), dict(zip(names, gradients[1:], strict=True))

    def outputs(self, index: int, block: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        """A block's outputs, which autograd can differentiate by whatever requires gradients.

        Args:
            index: Which block it is.
            block: From ``block(index)``.
            inputs: Shape (any, L, h), on the device where blocks run.

        Returns:
            Shape (any, L, h), on that device.
        """
        output = block(inputs.clone(), **_outside_inference(self._layer_arguments[index]))
        first: torch.Tensor = output[0] if isinstance(output, tuple) else output
        return first

    def loss_gradients(self, hidden: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """Gradient of each window's mean token cross-entropy by the last block's outputs.

        Args:
            hidden: Outputs of the last block, shape (w, L, h).
            windows: Token ids, shape (w, L).

        Returns:
            Shape (w, L, h), float32, on the CPU.
        """
        gradients = torch.empty_like(hidden)
        with self._head() as head:
            for window, (states, tokens) in enumerate(zip(hidden, windows, strict=True)):
                inputs = states.to(self.device).detach().requires_grad_()
                loss = nn.functional.cross_entropy(head(inputs[:-1]), tokens[1:].to(self.device))
                gradients[window] = torch.autograd.grad(loss, inputs)[0]
        return gradients

    @torch.inference_mode()
    def negative_log_likelihoods(self, hidden: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """Negative log likelihood of each window's tokens 2 … L, given those before them.

        Args:
            hidden: Outputs of the last block, shape (w, L, h).
            windows: Token ids, shape (w, L).

        Returns:
            Shape (w, L − 1), float64, in nats.
        """
        losses = []
        with self._head() as head:
            for states, tokens in zip(hidden, windows, strict=True):
                logits, next_tokens = head(states[:-1].to(self.device)), tokens[1:].to(self.device)
                losses.append(nn.functional.cross_entropy(logits, next_tokens, reduction="none"))
        return torch.stack(losses).double().cpu()

    @contextlib.contextmanager
    def _head(self) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
        """From the last block's outputs to logits: the final norm and the (perhaps tied) head."""
        head = self._model.lm_head
        tied = weight_name(HEAD) not in self.source.names()
        name = EMBEDDING if tied else HEAD
        with self._real(self._model.model.norm, NORM) as norm, self._real(head, name):
            yield lambda states: capped(self.config, head(norm(states)))

    @contextlib.contextmanager
    def _real(
        self, module: nn.Module, prefix: str, replaced: Replaced = _nothing
    ) -> Iterator[nn.Module]:
        names = dict(module.named_parameters())
        state = {}
        for name, parameter in names.items():
            tensor = replaced(name)
            if tensor is None:
                tensor = self.source.tensor(f"{prefix}.{name}")
            self._check_shape(f"{prefix}.{name}", tensor, parameter)
            state[name] = tensor.to(self.device, torch.float32)
        module.load_state_dict(state, strict=True, assign=True)
        module.requires_grad_(False)
        try:
            yield module
        finally:
            module.to("meta")

    def _check_shape(self, name: str, tensor: torch.Tensor, parameter: torch.Tensor) -> None:
        if tensor.shape != parameter.shape:
            raise InputError(
                f"{self.source.directory}: tensor {name} has shape "
                f"{list(tensor.shape)}, config.json implies {list(parameter.shape)}"
            )


def capped(config: Any, logits: torch.Tensor) -> torch.Tensor:
    """Logits as the family's model gives them: softly capped where its configuration says so."""
    cap = getattr(config, "final_logit_softcapping", None)
    return logits if cap is None else cap * torch.tanh(logits / cap)


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


def _outside_inference(value: Any) -> Any:
    """Copies that autograd may keep of tensors that were made in inference mode."""
    if isinstance(value, torch.Tensor):
        return value.clone() if value.is_inference() else value
    if isinstance(value, tuple):
        return tuple(_outside_inference(item) for item in value)
    if isinstance(value, dict):
        return {key: _outside_inference(item) for key, item in value.items()}
    return value


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
