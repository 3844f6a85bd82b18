"""Experts as linear layers: what transformers holds in tensors of three dimensions, one by one.

transformers keeps all experts of a block in two tensors, which nothing can hook and nothing can
replace. Here each is three linear layers under the names that its files have, so that experts are
calibrated, compressed and stored like any other projection.

Shapes: t tokens, k active experts for each, h hidden size.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sslc.model.families import FAMILIES, expert_count


class Expert(nn.Module):
    """One gated feed-forward part."""

    def __init__(self, hidden: int, inner: int, activation: Callable[[Any], Any]) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, bias=False, device="meta")
        self.up_proj = nn.Linear(hidden, inner, bias=False, device="meta")
        self.down_proj = nn.Linear(inner, hidden, bias=False, device="meta")
        self._activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x of shape (t, h) to (t, h)."""
        gated: torch.Tensor = self._activation(self.gate_proj(x)) * self.up_proj(x)
        out: torch.Tensor = self.down_proj(gated)
        return out


class Experts(nn.ModuleList):
    """The experts of a block, in place of the module of transformers that holds them all.

    Attributes:
        on_every_token: When not empty, a pass runs these experts on every token and gives zeros:
            for the statistics of experts that too few tokens reach.
    """

    def __init__(self, experts: list[Expert]) -> None:
        super().__init__(experts)
        self.on_every_token: tuple[int, ...] = ()

    def forward(
        self, hidden: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """What the chosen experts give, weighted.

        Args:
            hidden: Shape (t, h).
            chosen: Index of each active expert, shape (t, k).
            weights: Of what it gives, shape (t, k).
        """
        total = torch.zeros_like(hidden)
        for index in self.on_every_token:
            self[index](hidden)
        if self.on_every_token:
            return total
        for index, expert in enumerate(self):
            token, place = torch.where(chosen == index)
            if len(token):
                given = expert(hidden[token]) * weights[token, place, None]
                total.index_add_(0, token, given.to(total.dtype))
        return total


def separate_experts(model: Any) -> None:
    """Put ``Experts`` in place of what transformers made, on the meta device; others stay."""
    count = expert_count(model.config)
    if not count:
        return
    inner = getattr(model.config, FAMILIES[model.config.model_type].inner)
    hidden = model.config.hidden_size
    for layer in model.model.layers:
        activation = layer.mlp.experts.act_fn
        layer.mlp.experts = Experts([Expert(hidden, inner, activation) for _ in range(count)])


def experts_of(block: nn.Module) -> Experts | None:
    """The experts of a block, if it has any."""
    return next((part for part in block.modules() if isinstance(part, Experts)), None)
