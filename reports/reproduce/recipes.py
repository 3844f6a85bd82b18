"""How a study's models are compressed, and what that determines: the identity of a cell."""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from reports.reproduce.results import (
    CalibrationIdentity,
    CellIdentity,
    ModelIdentity,
    RecipeIdentity,
)
from reports.reproduce.study import Study
from sslc.calibration.windows import Calibration, load_calibration
from sslc.compression.plan import Choice, Override
from sslc.methods.base import Method
from sslc.methods.registry import QUANTIZERS, load_method
from sslc.methods.rounded import settings_of
from sslc.model.config import load_config
from sslc.recovery.settings import Training
from sslc.refinement.stages import BlockMatching
from workloads.results.identity import DENSE
from workloads.support.files import sha256_file


@dataclass(frozen=True)
class Recipe:
    """How a model is compressed.

    Attributes:
        method: A registered method, or ``dense`` for the model as it is.
        settings: Of the method; the study's kept fraction unless it is among them.
        calibration: Another calibration text than the study's.
        seed: Of the calibration windows.
        windows: Another number of calibration windows than the study's.
        window_tokens: Another length.
        overrides: Settings by pattern of projections.
        matching: Training of each block before the next one is compressed.
        recovery: Fine-tuning after compression.
    """

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    calibration: str | None = None
    seed: int = 0
    windows: int | None = None
    window_tokens: int | None = None
    overrides: tuple[Override, ...] = ()
    matching: BlockMatching | None = None
    recovery: Training | None = None


def cell_identity(study: Study, recipe: Recipe) -> CellIdentity:
    """All that determines a compressed model, before it is made.

    Raises:
        InputError: The settings do not fit the method, or a text cannot be had.
    """
    return CellIdentity(model_identity(study), _recipe_identity(study, recipe), device_kind(study))


def model_identity(study: Study) -> ModelIdentity:
    """The study's dense model."""
    return ModelIdentity(study.checkpoint.name, study.model_sha256)


def device_kind(study: Study) -> str:
    """``cpu`` or ``cuda``: which of the devices of a kind computes does not determine a number."""
    return study.device.partition(":")[0]


def _recipe_identity(study: Study, recipe: Recipe) -> RecipeIdentity:
    if recipe.method == DENSE:
        return RecipeIdentity(DENSE)
    return RecipeIdentity(
        recipe.method,
        settings_of(method_of(study, recipe)),
        calibration_identity(study, calibration_of(study, recipe)),
        choice_of(study, recipe).to_json(),
        None if recipe.recovery is None else _recovery_identity(recipe.recovery),
        None if recipe.matching is None else asdict(recipe.matching),
    )


def _recovery_identity(training: Training) -> dict[str, Any]:
    data = Path(training.data)
    return asdict(training) | {"data_sha256": sha256_file(data) if data.is_file() else None}


def calibration_identity(study: Study, calibration: Calibration) -> CalibrationIdentity:
    """A calibration with the hash of its text, which the study's model may have written.

    Raises:
        InputError: The text cannot be had.
    """
    text = load_calibration(
        study.checkpoint, calibration, device=torch.device(study.device), progress=study.progress
    )
    size = (calibration.windows, calibration.window_tokens, calibration.seed)
    return CalibrationIdentity(text.source, text.sha256, *size)


def calibration_of(study: Study, recipe: Recipe | None = None) -> Calibration:
    """Text and windows within the study's limits, or as the recipe says otherwise."""
    recipe, limits = recipe or Recipe(DENSE), study.limits
    return Calibration(
        recipe.calibration or study.calibration,
        recipe.windows or limits.windows,
        recipe.window_tokens or limits.window_tokens,
        recipe.seed,
    )


def method_of(study: Study, recipe: Recipe) -> Method:
    """The recipe's method with its settings.

    Raises:
        InputError: The method is unknown, or a setting does not fit it.
    """
    kept = {} if recipe.method in QUANTIZERS else {"kept_fraction": study.kept_fraction}
    settings = {**kept, **recipe.settings}
    return load_method(recipe.method, settings)


def choice_of(study: Study, recipe: Recipe) -> Choice:
    """The blocks within the limits, and the recipe's overrides."""
    return Choice(include=include_first(study), overrides=recipe.overrides)


def include_first(study: Study) -> tuple[str, ...]:
    """Patterns of the blocks that the limits let be compressed; none when all are."""
    blocks = study.limits.blocks
    if blocks is None or blocks >= model_blocks(study):
        return ()
    return tuple(f"layers.{index}.*" for index in range(blocks))


def model_blocks(study: Study) -> int:
    """How many blocks the model has."""
    return _blocks_in(study.checkpoint.directory)


@functools.cache
def _blocks_in(directory: Path) -> int:
    return int(load_config(directory).num_hidden_layers)


def studied_blocks(study: Study) -> int:
    """How many of them are within the limits."""
    return min(model_blocks(study), study.limits.blocks or model_blocks(study))
