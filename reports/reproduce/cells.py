"""One cell of a table: a model compressed in one way, and what is measured on it.

What is measured stays in the study's cells, one file per text and task; the artifact is made when
something is missing, continues where an interrupted run left it, and goes when all is measured.
"""

import functools
import math
import shutil
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import torch

from reports.reproduce.cache import cached
from reports.reproduce.recipes import (
    Recipe,
    calibration_of,
    cell_identity,
    choice_of,
    method_of,
    studied_blocks,
)
from reports.reproduce.results import (
    CellFacts,
    CellIdentity,
    CellPerplexity,
    CellScores,
    CellTaskIdentity,
    CellTextIdentity,
    Measured,
    TaskIdentity,
)
from reports.reproduce.study import Study
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.evaluation.perplexity import perplexity
from sslc.evaluation.zero_shot import ZeroShotSettings, zero_shot
from sslc.model.devices import device_name, find_device
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights
from sslc.recovery.recovered import recover_artifact
from workloads.artifact.read import Artifact
from workloads.results.identity import DENSE, SHORT, Provenance, digest, provenance
from workloads.results.kinds import TextIdentity
from workloads.support.errors import InputError
from workloads.support.files import sha256_file
from workloads.support.progress import Progress
from workloads.texts.windows import load_text


def measure(study: Study, recipe: Recipe, *, label: str, keep_artifact: bool = False) -> Measured:
    """Measure a model on the study's texts and tasks, from finished cells where there are some.

    Args:
        study: Model, limits, texts and tasks.
        recipe: How it is compressed.
        label: In progress, such as ``table1 3/6 Wanda``.
        keep_artifact: Leave the artifact for the next cell, which starts from it.

    Raises:
        InputError: The recipe does not fit the model, or a text or task cannot be had.
    """
    model = CellModel(study, recipe, _prefixed(study.progress, label))
    measured = Measured(
        cached(study.directory, CellFacts, identity=model.identity, compute=model.facts),
        {text: _perplexity(model, text) for text in study.texts},
        {task: _scores(model, task) for task in study.tasks},
    )
    if not keep_artifact:
        model.discard()
    return measured


def _perplexity(model: "CellModel", text: str) -> CellPerplexity:
    study, limits, content = model.study, model.study.limits, load_text(text, "evaluation")
    cut = (limits.window_tokens, limits.window_tokens, limits.max_tokens)
    identity = CellTextIdentity(model.identity, TextIdentity(content.source, content.sha256, *cut))

    def compute() -> CellPerplexity:
        evaluated = perplexity(
            model.source, text, window_tokens=limits.window_tokens, max_tokens=limits.max_tokens,
            device=model.device, progress=model.progress, label=f"evaluate {Path(text).name}",
        )  # fmt: skip
        loss = evaluated.negative_log_likelihood
        if not math.isfinite(loss):
            raise InputError(f"{model.name}: its likelihood on {content.source} is not finite")
        return CellPerplexity(identity, model.provenance, loss, evaluated.predicted_tokens)

    return cached(study.directory, CellPerplexity, identity=identity, compute=compute)


def _scores(model: "CellModel", task: str) -> CellScores:
    limit = model.study.limits.questions
    content = sha256_file(Path(task)) if Path(task).is_file() else None
    identity = CellTaskIdentity(model.identity, TaskIdentity(task, content, limit, _harness()))

    def compute() -> CellScores:
        scores = zero_shot(
            model.source, [task], settings=ZeroShotSettings(limit), device=model.device,
            progress=model.progress,
        )  # fmt: skip
        by_task = {score.task: score.metrics for score in scores}
        return CellScores(identity, model.provenance, by_task)

    return cached(model.study.directory, CellScores, identity=identity, compute=compute)


def _harness() -> str:
    """Version of lm-eval; empty without it, and then no task can be asked."""
    try:
        return metadata.version("lm_eval")
    except metadata.PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class CellModel:
    """A recipe's model, made when it is first needed.

    Attributes:
        study: Model, limits and directory.
        recipe: How it is compressed.
        progress: Told where long work is.
    """

    study: Study
    recipe: Recipe
    progress: Progress

    @functools.cached_property
    def identity(self) -> CellIdentity:
        """All that determines it."""
        return cell_identity(self.study, self.recipe)

    @functools.cached_property
    def device(self) -> torch.device:
        """Where it is made and run."""
        return find_device(self.study.device)

    @property
    def provenance(self) -> Provenance:
        """Of what is computed here and now."""
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        return provenance(device=device_name(self.device), threads=threads)

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"{self.study.checkpoint.name} by {self.recipe.method}"

    def facts(self) -> CellFacts:
        """What the manifest says of the compressed projections."""
        if self.recipe.method == DENSE:
            return CellFacts(self.identity, self.provenance, 1.0, None, 0)
        artifact = self.artifact
        blocks = artifact.blocks[: studied_blocks(self.study)]
        records = [record for block in blocks for record in block.projections]
        kept = sum(record.nonzeros + record.factor_parameters for record in records)
        errors = [record.scaled_error for record in records if record.scaled_error is not None]
        return CellFacts(
            self.identity,
            self.provenance,
            kept / sum(record.m * record.n for record in records),
            sum(errors) / len(errors) if errors else None,
            artifact.settings.recovery.get("trained_parameters", 0),
        )

    @functools.cached_property
    def source(self) -> WeightSource:
        """The model's tensors."""
        dense = self.recipe.method == DENSE
        return self.study.checkpoint if dense else ArtifactWeights(self.artifact)

    @functools.cached_property
    def artifact(self) -> Artifact:
        """The model as an artifact, made now or left by an earlier run."""
        study, recipe = self.study, self.recipe
        directory = self._directory(recovered=False)
        directory.parent.mkdir(parents=True, exist_ok=True)
        compressed = compress_checkpoint(
            study.checkpoint, method_of(study, recipe),
            calibration=calibration_of(study, recipe), output=Output(directory, resume=True),
            device=self.device, progress=self.progress, choice=choice_of(study, recipe),
            matching=recipe.matching,
        )  # fmt: skip
        if recipe.recovery is None:
            return compressed
        output = Output(self._directory(recovered=True), resume=True)
        return recover_artifact(
            compressed, recipe.recovery, output=output, device=self.device, progress=self.progress
        )

    def discard(self) -> None:
        """Remove the artifacts, on which everything that was asked for has been measured."""
        if self.recipe.method != DENSE:
            for recovered in (False, True):
                shutil.rmtree(self._directory(recovered=recovered), ignore_errors=True)

    def _directory(self, *, recovered: bool) -> Path:
        identity = self.identity
        if not recovered:
            identity = replace(identity, recipe=replace(identity.recipe, recovery=None))
        name = f"{self.recipe.method}-{digest(identity)[: 2 * SHORT]}"
        return self.study.directory / "work" / name


def _prefixed(progress: Progress, label: str) -> Progress:
    return lambda stage, done, total: progress(f"{label}: {stage}", done, total)
