"""Which refinements follow a method, and their settings."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workloads.support.errors import InputError, unknown_name
from workloads.support.presets import build

NONE = "none"
BLOCKS, LOGITS = "blocks", "logits"
PRODUCTS = ("bfloat16", "float32")


@dataclass(frozen=True)
class BlockMatching:
    """Every block trained on what the dense block gives for the same inputs.

    The loss is Σ ‖block(x) − dense block(x)‖², x from the compressed blocks before it; the
    optimizer is Adam.

    Attributes:
        epochs: Passes over the calibration windows.
        batch_windows: Windows per step.
        learning_rate: Of the first step; it falls by a cosine.
        floor: Share of the learning rate that is left at the end.
        norms: Whether the block's norms are trained too.
        seed: Of the windows' order.

    Source: transformer matching of 3BASiL (Makni et al. 2026): 20 epochs, 8 windows of 2,048 tokens
    a step, 2e-5, floor 0.2, norms trained. The defaults are ours, for few and short windows; its
    first epoch, which only measures, is left out.
    """

    epochs: int = 6
    batch_windows: int = 2
    learning_rate: float = 2e-4
    floor: float = 0.2
    norms: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, {"epochs": 1, "batch_windows": 1, "seed": 0})


@dataclass(frozen=True)
class LogitDistillation:
    """The whole model trained on the dense model's next-token distributions.

    The loss is KL(dense ‖ compressed), the mean over all positions; the optimizer is Adam with
    β = (0.9, 0.95).

    Attributes:
        steps: Of the optimizer.
        windows: Calibration windows that are drawn for it, from the same sources.
        batch_windows: Windows per step.
        learning_rate: At its peak.
        warmup_steps: Steps in which it rises; then it falls by a cosine.
        floor: Share of the learning rate that is left at the end.
        clip: Largest norm of the gradient.
        products: What the factors of products are rounded to: ``bfloat16``, which takes a third of
            the time on processors that have its products and nothing on others, or ``float32``.
        seed: Of the windows' order.

    Source: Hinton et al. 2015, at temperature 1. Ours: what is trained, and the schedule.
    """

    steps: int = 40
    windows: int = 32
    batch_windows: int = 1
    learning_rate: float = 1e-4
    warmup_steps: int = 4
    floor: float = 0.05
    clip: float = 1.0
    products: str = "bfloat16"
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"steps": 1, "windows": 1, "batch_windows": 1, "warmup_steps": 0, "seed": 0}
        _check(self, least)
        if not self.clip > 0:
            raise ValueError(f"clip must be above 0, got {self.clip}")
        if self.products not in PRODUCTS:
            raise ValueError(f"products must be bfloat16 or float32, got {self.products!r}")


@dataclass(frozen=True)
class Refinement:
    """What follows the method; neither by default.

    Attributes:
        blocks: Each block, before the next one is compressed.
        logits: The whole model, when all blocks are compressed.
    """

    blocks: BlockMatching | None = None
    logits: LogitDistillation | None = None

    def to_json(self) -> dict[str, Any]:
        """The settings as they stand in the manifest: empty when nothing is trained."""
        stages = {BLOCKS: self.blocks, LOGITS: self.logits}
        return {name: asdict(stage) for name, stage in stages.items() if stage is not None}


NO_REFINEMENT = Refinement()
_STAGES = {BLOCKS: BlockMatching, LOGITS: LogitDistillation}


def read_refinement(stages: str, settings: Mapping[str, Any]) -> Refinement:
    """A refinement as a user names it.

    Args:
        stages: ``none``, ``blocks``, ``logits``, or both with a comma.
        settings: By stage and name, such as ``logits.steps``.

    Raises:
        InputError: A stage or a setting is unknown, out of range, or of a stage that is not named.
    """
    names = [part.strip() for part in stages.split(",")]
    if names == [NONE]:
        names = []
    for name in names:
        if name not in _STAGES:
            raise unknown_name("refinement", name, (NONE, *_STAGES))
    tables: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, value in settings.items():
        stage, _, name = key.partition(".")
        if stage not in _STAGES or not name:
            raise InputError(f"{key}: name the stage too, as in logits.steps=80")
        if stage not in tables:
            raise InputError(f"{key} is set, but --refine does not name {stage}")
        tables[stage][name] = value
    made: dict[str, Any] = {
        name: build(_STAGES[name], table, f"refinement {name}") for name, table in tables.items()
    }
    return Refinement(**made)


def falling(step: int, *, steps: int, warmup: int, floor: float) -> float:
    """Share of the learning rate in a step: a linear rise, then a cosine down to a floor.

    Args:
        step: From 0.
        steps: In all.
        warmup: Steps of the rise; the first has a share of 1/warmup.
        floor: Share that the cosine ends at, behind the last step.
    """
    if step < warmup:
        return (step + 1) / warmup
    way = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * (1 + math.cos(math.pi * way)) / 2


def _check(stage: BlockMatching | LogitDistillation, least: Mapping[str, int]) -> None:
    for name, value in least.items():
        if getattr(stage, name) < value:
            raise ValueError(f"{name} must be at least {value}, got {getattr(stage, name)}")
    if not 0 < stage.learning_rate < math.inf:
        raise ValueError(f"learning_rate must be above 0, got {stage.learning_rate}")
    if not 0 <= stage.floor <= 1:
        raise ValueError(f"floor must lie in [0, 1], got {stage.floor}")
