"""What a joint sweep will make and how long it will take, before anything is written.

Beside ``joint_sweep``. Times are of samples on this machine: compressing as ``sslc compress
--dry-run`` has it, machines as ``sslc sweep --dry-run``, evaluating by the pace of products.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

from accelerator_sim.design_space.evaluation import estimate
from accelerator_sim.design_space.workload import Workload
from reports.codesign.compressed_models import PlannedModel, asked_of, plan_models
from reports.codesign.compression_points import CompressedModel
from reports.codesign.joint_space import JointSpace, load_joint_space
from reports.codesign.joint_sweep import check_directory, machines_of, missing_of
from reports.codesign.model_quality import known_perplexity
from sslc.compression.sampling import passing_seconds
from sslc.model.blocks import BlockwiseModel
from sslc.model.checkpoint import Checkpoint
from sslc.model.opening import open_checkpoint
from sslc.operations import estimate_run
from workloads.artifact.read import MANIFEST, open_artifact
from workloads.results.subject import subject_of
from workloads.shapes.attention import read_heads
from workloads.shapes.transformer import ModelShape
from workloads.support.crowding import crowding
from workloads.support.progress import Progress, silent
from workloads.texts.windows import load_text

_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class JointEstimate:
    """What a run will make, at most: constraints may spare evaluations.

    Attributes:
        points: Of the space, models times machines.
        finished: Of them in the directory already.
        compressions: Models that are still to be compressed.
        compressed: Models that are there.
        impossible: Ways of compressing that do not fit the model.
        evaluations: Perplexities that are still to be measured, the dense model's included.
        compressing_seconds: Of the compressions.
        evaluating_seconds: Of the evaluations.
        running_seconds: Of the points that are left.
        workers: That share the work.
    """

    DERIVED: ClassVar = ("seconds",)

    points: int
    finished: int
    compressions: int
    compressed: int
    impossible: int
    evaluations: int
    compressing_seconds: float
    evaluating_seconds: float
    running_seconds: float
    workers: int

    @property
    def seconds(self) -> float:
        """All together."""
        return self.compressing_seconds + self.evaluating_seconds + self.running_seconds


def estimate_joint(
    path: Path, out: Path, *, workers: int, progress: Progress = silent
) -> JointEstimate:
    """Count what a sweep would make, and time samples of it; writes nothing into the directory.

    Args:
        path: The space's file.
        out: Directory of the sweep.
        workers: That will share the work.
        progress: Told after every sample.

    Raises:
        InputError: The space would be refused.
    """
    space = load_joint_space(path)
    check_directory(out)
    common = space.compressions.of
    checkpoint = open_checkpoint(common.model, progress)
    models = plan_models(checkpoint, common, space.compressions.points)
    possible = [model for model in models if not model.reason]
    new = [model for model in possible if not _is_made(model, out)]
    per_model = len(space.machines.points)
    left = sum(missing_of(space, model, out) for model in possible)
    evaluations = _evaluations(space, possible, out, checkpoint)
    return JointEstimate(
        points=len(models) * per_model,
        finished=len(possible) * per_model - left,
        compressions=len(new),
        compressed=len(possible) - len(new),
        impossible=len(models) - len(possible),
        evaluations=evaluations,
        compressing_seconds=_compressing(common, new, workers, progress),
        evaluating_seconds=evaluations * _evaluating(checkpoint, common) if evaluations else 0.0,
        running_seconds=_running(space, possible, out, checkpoint, workers, left) if left else 0.0,
        workers=workers,
    )


def _is_made(model: PlannedModel, out: Path) -> bool:
    return (model.folder(out) / MANIFEST).is_file()


def _evaluations(
    space: JointSpace, models: Sequence[PlannedModel], out: Path, checkpoint: Checkpoint
) -> int:
    if not space.evaluates:
        return 0
    common, left = space.compressions.of, 0
    for model in models:
        folder = model.folder(out)
        made = _is_made(model, out)
        sha256 = subject_of(open_artifact(folder)).sha256 if made else ""
        left += not made or known_perplexity(folder, sha256, common) is None
    relative = any(each.most_times_dense is not None for each in space.constraints.values())
    return left + (relative and known_perplexity(out, checkpoint.sha256(), common) is None)


def _compressing(
    common: CompressedModel, models: Sequence[PlannedModel], workers: int, progress: Progress
) -> float:
    seconds = 0.0
    for done, model in enumerate(models):
        progress("timing compressions", done, len(models))
        asked = asked_of(common, model.point)
        seconds += estimate_run(common.model, **asked, workers=workers).seconds
    return seconds


def _evaluating(checkpoint: Checkpoint, common: CompressedModel) -> float:
    text = len(load_text(common.text, "evaluation").content) // _CHARACTERS_PER_TOKEN
    tokens = min(common.max_tokens or text, text)
    return passing_seconds(BlockwiseModel(checkpoint), tokens=tokens) * crowding(1)


def _running(
    space: JointSpace,
    models: Sequence[PlannedModel],
    out: Path,
    checkpoint: Checkpoint,
    workers: int,
    left: int,
) -> float:
    """By a model that is there; else by synthetic masks of its shape, one block for all."""
    made = next((model for model in models if _is_made(model, out)), None)
    with tempfile.TemporaryDirectory() as folder:
        if made is not None:
            machines = machines_of(space, made, open_artifact(made.folder(out)))
            blocks = 1
        else:
            shape = _shape(checkpoint)
            file = Path(folder) / "shape.toml"
            lines = (f"{key} = {json.dumps(value)}" for key, value in asdict(shape).items())
            file.write_text("\n".join(lines), encoding="utf-8")
            kept = models[0].point.at("kept_fraction")
            workload = Workload(
                model=str(file), kept_fraction=kept if isinstance(kept, float) else 0.5
            )
            machines = replace(space.machines, workload=workload)
            blocks = space.compressions.of.blocks or shape.blocks
        timed = estimate(machines, Path(folder) / "none", workers=workers)
    return left * timed.point_seconds * blocks / workers * timed.crowding


def _shape(checkpoint: Checkpoint) -> ModelShape:
    config, heads = BlockwiseModel(checkpoint).config, read_heads(checkpoint.directory)
    return ModelShape(
        checkpoint.name,
        config.hidden_size,
        config.intermediate_size,
        heads.heads,
        heads.kv_heads,
        heads.head_dim,
        config.num_hidden_layers,
    )
