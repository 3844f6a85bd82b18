"""One cell of a table: a model compressed in one way, and what was measured on it.

What was measured stays in the study's cache, one file per text and task; the artifact is made when
something is missing, continues where an interrupted run left it, and goes when all is measured.
"""

import functools
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reports.reproduce.study import Study, digest
from reports.tables.zero_shot import ACCURACY
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.compression.plan import Choice, Override
from sslc.evaluation.perplexity import perplexity
from sslc.evaluation.zero_shot import ZeroShotSettings, zero_shot
from sslc.methods.registry import load_method
from sslc.model.config import load_config
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights
from sslc.recovery.recovered import recover_artifact
from sslc.recovery.settings import Training
from workloads.artifact.read import Artifact
from workloads.support.files import sha256_file
from workloads.support.progress import Progress
from workloads.texts.windows import load_text

DENSE = "dense"
LARGEST = 1e300  # JSON has no infinity


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
        recovery: Fine-tuning after compression.
    """

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    calibration: str | None = None
    seed: int = 0
    windows: int | None = None
    window_tokens: int | None = None
    overrides: tuple[Override, ...] = ()
    recovery: Training | None = None


@dataclass(frozen=True)
class Measured:
    """What was measured on a model.

    Attributes:
        kept_share: Of the compressed projections' parameters, factors included.
        scaled_error: Mean of ‖(W − S − L)D‖_F / ‖WD‖_F over them; None for dense or recovered.
        trained_parameters: By a recovery; 0 without one.
        perplexities: By evaluation text as the study names it.
        scores: By task and metric, such as ``acc``.
    """

    kept_share: float
    scaled_error: float | None
    trained_parameters: int
    perplexities: Mapping[str, float]
    scores: Mapping[str, Mapping[str, float]]

    @property
    def mean_accuracy(self) -> float | None:
        """Mean ``acc`` over the tasks in percent; None without tasks."""
        values = [score[ACCURACY] for score in self.scores.values() if ACCURACY in score]
        return 100 * sum(values) / len(values) if values else None


def measure(study: Study, recipe: Recipe, label: str, *, stay: bool = False) -> Measured:
    """Measure a model on the study's texts and tasks, from the cache where it is known.

    Args:
        study: Model, limits, texts and tasks.
        recipe: How it is compressed.
        label: In progress, such as ``table1 3/6 Wanda``.
        stay: Leave the artifact for the next cell, which starts from it.

    Raises:
        InputError: The recipe does not fit the model, or a text or task cannot be had.
    """
    model = CellModel(study, recipe, _prefixed(study.progress, label))
    about = model.about()
    facts = study.cached("facts", about, model.facts)
    found = Measured(
        facts["kept_share"],
        facts["scaled_error"],
        facts["trained_parameters"],
        {text: _perplexity(study, model, about, text) for text in study.texts},
        {name: score for task in study.tasks for name, score in _scores(study, model, about, task)},
    )
    if not stay:
        model.discard()
    return found


def _perplexity(study: Study, model: "CellModel", about: dict[str, Any], text: str) -> float:
    limits = study.limits
    cut = {"window_tokens": limits.window_tokens, "max_tokens": limits.max_tokens}
    content = load_text(text, "evaluation")
    key = {**about, **cut, "text": content.source, "text_sha256": content.sha256}

    def compute() -> float:
        found = perplexity(
            model.source, text, device=study.device, progress=model.progress,
            label=f"evaluate {Path(text).name}", **cut,
        )  # fmt: skip
        return min(found.perplexity, LARGEST)

    value = float(study.cached("perplexity", key, compute))
    return math.inf if value >= LARGEST else value


def _scores(
    study: Study, model: "CellModel", about: dict[str, Any], task: str
) -> list[tuple[str, dict[str, float]]]:
    content = sha256_file(Path(task)) if Path(task).is_file() else ""
    limit = study.limits.questions
    key = {**about, "task": task, "task_sha256": content, "questions": limit}

    def compute() -> list[Any]:
        settings = ZeroShotSettings(limit)
        found = zero_shot(
            model.source, [task], settings=settings, device=study.device, progress=model.progress
        )
        return [[score.task, {m.name: m.value for m in score.metrics}] for score in found]

    return [(name, score) for name, score in study.cached("zero-shot", key, compute)]


@dataclass(frozen=True)
class CellModel:
    """A recipe's model, made when it is first needed."""

    study: Study
    recipe: Recipe
    progress: Progress

    def about(self) -> dict[str, Any]:
        """All that determines the model besides the checkpoint, as plain values."""
        if self.recipe.method == DENSE:
            return {"method": DENSE}
        calibration = asdict(self._calibration)
        text = load_text(self._calibration.source, "calibration")
        about = {
            "method": self.recipe.method,
            "settings": asdict(self._method),
            "calibration": calibration | {"source": text.source, "sha256": text.sha256},
            "choice": self._choice.to_json(),
        }
        if self.recipe.recovery is not None:
            data = self.recipe.recovery.data
            content = sha256_file(Path(data)) if Path(data).is_file() else ""
            about["recovery"] = asdict(self.recipe.recovery) | {"data_sha256": content}
        return about

    def facts(self) -> dict[str, Any]:
        """What the manifest says of the compressed projections."""
        if self.recipe.method == DENSE:
            return {"kept_share": 1.0, "scaled_error": None, "trained_parameters": 0}
        artifact = self.artifact
        blocks = artifact.blocks[: self.study.limits.blocks]
        records = [record for block in blocks for record in block.projections]
        kept = sum(record.nonzeros + record.factor_parameters for record in records)
        errors = [record.scaled_error for record in records if record.scaled_error is not None]
        recovered = artifact.settings.recovery
        return {
            "kept_share": kept / sum(record.m * record.n for record in records),
            "scaled_error": sum(errors) / len(errors) if errors else None,
            "trained_parameters": recovered.get("trained_parameters", 0),
        }

    @functools.cached_property
    def source(self) -> WeightSource:
        """The model's tensors."""
        dense = self.recipe.method == DENSE
        return self.study.checkpoint if dense else ArtifactWeights(self.artifact)

    @functools.cached_property
    def artifact(self) -> Artifact:
        """The model as an artifact, made now or found finished."""
        study, directory = self.study, self._directory(None)
        directory.parent.mkdir(parents=True, exist_ok=True)
        output = Output(directory, resume=True)
        made = compress_checkpoint(
            study.checkpoint, self._method, calibration=self._calibration,
            output=output, device=study.device, progress=self.progress, choice=self._choice,
        )  # fmt: skip
        training = self.recipe.recovery
        if training is None:
            return made
        output = Output(self._directory(training), resume=True)
        return recover_artifact(
            made, training, output=output, device=study.device, progress=self.progress
        )

    def discard(self) -> None:
        """Remove the artifacts, which everything wanted was measured on."""
        if self.recipe.method != DENSE:
            for training in {None, self.recipe.recovery}:
                shutil.rmtree(self._directory(training), ignore_errors=True)

    def _directory(self, training: Training | None) -> Path:
        about = {**self.about(), "model": self.study.model_sha256}
        if training is None:
            about.pop("recovery", None)
        return self.study.directory / "work" / f"{self.recipe.method}-{digest(about)}"

    @functools.cached_property
    def _method(self) -> Any:
        settings = {"kept_fraction": self.study.kept_fraction, **self.recipe.settings}
        return load_method(self.recipe.method, settings)

    @property
    def _calibration(self) -> Any:
        recipe = self.recipe
        return self.study.calibrate(
            recipe.calibration, recipe.seed, recipe.windows, recipe.window_tokens
        )

    @property
    def _choice(self) -> Choice:
        include = include_first(self.study)
        return Choice(include=include, overrides=self.recipe.overrides)


def include_first(study: Study) -> tuple[str, ...]:
    """Patterns of the blocks that the limits let be compressed; none when all are."""
    blocks = study.limits.blocks
    whole = int(load_config(study.checkpoint.directory).num_hidden_layers)
    if blocks is None or blocks >= whole:
        return ()
    return tuple(f"layers.{index}.*" for index in range(blocks))


def _prefixed(progress: Progress, label: str) -> Progress:
    return lambda stage, done, total: progress(f"{label}: {stage}", done, total)
