"""Greedy generation token by token, several models side by side: what decoding costs each.

Models take turns, a token each, so that all see the same machine; the one that begins changes with
every token. A model's own cost is told apart from that of its head, which stays dense.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Generated:
    """What a model made of a prompt, and how long each token after the first took.

    Attributes:
        tokens: Token ids, the prompt not included.
        block_seconds: Embedding, blocks and final norm, for each token but the first.
        head_seconds: Logits and the choice of the largest, likewise.
    """

    tokens: tuple[int, ...]
    block_seconds: tuple[float, ...]
    head_seconds: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """Of all timed tokens, head included."""
        return sum(self.block_seconds) + sum(self.head_seconds)

    @property
    def tokens_per_second(self) -> float:
        """Head included."""
        return len(self.block_seconds) / self.seconds

    @property
    def tokens_per_second_of_blocks(self) -> float:
        """Head excluded."""
        return len(self.block_seconds) / sum(self.block_seconds)


class _Decoder:
    """One model on its way through one prompt."""

    def __init__(self, model: Any, prompt: torch.Tensor) -> None:
        from transformers import DynamicCache

        self._model, self._cache = model, DynamicCache()
        self._token = prompt.to(model.device)
        self.tokens: list[int] = []
        self.seconds: list[tuple[float, float]] = []

    def step(self) -> None:
        """Run what is new, the prompt at first, and choose the next token."""
        start = self._now()
        output = self._model.model(input_ids=self._token, past_key_values=self._cache)
        middle = self._now()
        logits = self._model.lm_head(output.last_hidden_state[:, -1:])
        self._token = logits.argmax(-1)
        self.tokens.append(int(self._token))
        self.seconds.append((middle - start, self._now() - middle))

    def _now(self) -> float:
        if self._token.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def generated(self) -> Generated:
        blocks, head = zip(*self.seconds[1:], strict=True)
        return Generated(tuple(self.tokens), blocks, head)


@torch.inference_mode()
def generate_side_by_side(
    models: Mapping[str, Any], prompt: torch.Tensor, *, tokens: int
) -> dict[str, Generated]:
    """Greedy generation by several models, a token each in turn, no end token observed.

    Args:
        models: Each a ``PreTrainedModel``; all with the vocabulary of the prompt.
        prompt: Token ids, shape (1, length).
        tokens: That each makes, 2 or more; the first, which runs the prompt, is not timed.

    Returns:
        By the names of ``models``.
    """
    decoders = {name: _Decoder(model, prompt) for name, model in models.items()}
    order = list(decoders.values())
    for turn in range(tokens):
        first = turn % len(order)
        for decoder in order[first:] + order[:first]:
            decoder.step()
    return {name: decoder.generated() for name, decoder in decoders.items()}
