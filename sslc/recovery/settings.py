"""What a recovery trains on, and how."""

import math
from dataclasses import dataclass

from workloads.support.errors import InputError


@dataclass(frozen=True)
class Training:
    """What is trained on, and how.

    Attributes:
        data: ``alpaca``, a ``.jsonl`` file of instructions, or a text by name or path (its
            calibration part).
        steps: Steps of the optimizer (AdamW without weight decay).
        window_tokens: Tokens per example at most.
        batch_size: Examples per step.
        learning_rate: At its peak; it rises and falls linearly.
        warmup_share: Share of the steps in which it rises.
        seed: Of the examples' order and of fresh factors.
        rank_share: Share of a projection's parameters that fresh LoRA factors may take, for
            artifacts without a low-rank part.
        teacher: The dense model whose next-token distributions are learnt in place of the data's
            tokens, by what ``open_checkpoint`` takes; None for none.
    """

    data: str = "embedded"
    steps: int = 100
    window_tokens: int = 256
    batch_size: int = 2
    learning_rate: float = 5e-4
    warmup_share: float = 0.1
    seed: int = 0
    rank_share: float = 0.0625
    teacher: str | None = None

    def __post_init__(self) -> None:
        least = {"steps": 1, "window_tokens": 2, "batch_size": 1, "seed": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise InputError(f"{name} must be at least {value}, got {getattr(self, name)}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate must be above 0, got {self.learning_rate}")
        for name in ("warmup_share", "rank_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be 0 to 1, got {getattr(self, name)}")
