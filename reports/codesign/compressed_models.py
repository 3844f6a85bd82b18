"""One artifact for each way of compressing, made once: its folder is named by all that decides it.

After ``joint_space``. An interrupted compression goes on where it was; a finished one is opened.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerator_sim.design_space.axes import Value
from reports.codesign.compression_points import METHOD, CompressedModel, CompressionPoint
from sslc.calibration.windows import SELF, Calibration
from sslc.compression.estimate import estimate_projections
from sslc.compression.output import stored_dtype
from sslc.compression.plan import EVERYTHING, make_plan
from sslc.compression.projections import projection_names
from sslc.methods.registry import load_method, run_defaults
from sslc.methods.rounded import settings_of
from sslc.model.blocks import BlockwiseModel
from sslc.model.checkpoint import Checkpoint
from sslc.operations import compress
from workloads.artifact.read import MANIFEST, Artifact, open_artifact
from workloads.results.identity import digest
from workloads.support.errors import InputError
from workloads.support.progress import Progress
from workloads.texts.windows import load_text

FOLDER = "artifacts"
_DIGITS = 16


@dataclass(frozen=True)
class PlannedModel:
    """A way of compressing a model that was looked at.

    Attributes:
        point: The way.
        name: Of its folder: the method, and the hash of all that decides the artifact.
        reason: Why the model cannot be compressed so; empty where it can.
    """

    point: CompressionPoint
    name: str
    reason: str

    def folder(self, out: Path) -> Path:
        """Where its artifact is, or will be.

        Args:
            out: Directory of the sweep.
        """
        return out / FOLDER / self.name


def plan_models(
    checkpoint: Checkpoint, common: CompressedModel, points: Sequence[CompressionPoint]
) -> tuple[PlannedModel, ...]:
    """Name every artifact, and find out which cannot be made, from the checkpoint's headers.

    Args:
        checkpoint: The dense model.
        common: What all points have in common.
        points: Ways of compressing.

    Raises:
        InputError: A text cannot be had, or no point with some value can be made.
    """
    base, model = checkpoint.sha256(), BlockwiseModel(checkpoint)
    if common.blocks > model.blocks:
        raise InputError(
            f"[compression]: blocks must be at most {model.blocks}, got {common.blocks}"
        )
    dtype = stored_dtype(checkpoint, common.dtype)
    planned = []
    for point in points:
        content = _content(common, point) | {"model": base, "dtype": dtype}
        name = f"{point.method}-{digest(content)[:_DIGITS]}"
        planned.append(PlannedModel(point, name, _problem(model, point, dtype)))
    _refuse_values_without_a_model(planned)
    return tuple(planned)


def make_model(
    planned: PlannedModel,
    common: CompressedModel,
    out: Path,
    *,
    workers: int,
    progress: Progress,
) -> Artifact:
    """The artifact of a point: opened where it is finished, else made or gone on with.

    Args:
        planned: The point.
        common: What all points have in common.
        out: Directory of the sweep.
        workers: Projections at once; they change no byte.
        progress: Told after every block.

    Raises:
        InputError: It cannot be made, or what is there is damaged.
    """
    folder, point = planned.folder(out), planned.point
    if (folder / MANIFEST).is_file():
        return open_artifact(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return compress(
        common.model,
        folder,
        **asked_of(common, point),
        allocation=point.allocation,
        workers=workers,
        resume=True,
        progress=progress,
    )


def asked_of(common: CompressedModel, point: CompressionPoint) -> dict[str, Any]:
    """What a compression, and an estimate of it, are asked for by name.

    Args:
        common: What the space says; what it leaves open is the method's own.
        point: One way of compressing.
    """
    return {
        "method": point.method,
        "settings": dict(point.settings),
        "refine": common.refine or None,
        "calibration": common.calibration or None,
        "windows": common.windows or None,
        "window_tokens": common.window_tokens,
        "seed": common.seed,
        "dtype": common.dtype,
        "device": common.device,
    }


def calibration_of(common: CompressedModel, method: str) -> Calibration:
    """Text and windows of a method.

    Args:
        common: What the space says; what it leaves open is the method's own.
        method: Its name.
    """
    own = run_defaults(method)
    return Calibration(
        common.calibration or own.calibration,
        common.windows or own.windows,
        common.window_tokens,
        common.seed,
    )


def _content(common: CompressedModel, point: CompressionPoint) -> dict[str, object]:
    """All that decides the bytes of an artifact, beside the model and the dtype."""
    calibration = calibration_of(common, point.method)
    texts = {
        source: [count, "" if source == SELF else _text_sha256(source)]
        for source, count in calibration.counts.items()
    }
    return {
        "method": point.method,
        "settings": settings_of(load_method(point.method, dict(point.settings))),
        "allocation": point.allocation,
        "refine": common.refine or run_defaults(point.method).refine,
        "texts": texts,
        "window_tokens": calibration.window_tokens,
        "seed": calibration.seed,
        "device": common.device.partition(":")[0],
    }


@functools.lru_cache(maxsize=8)
def _text_sha256(source: str) -> str:
    return load_text(source, "calibration").sha256


def _problem(model: BlockwiseModel, point: CompressionPoint, dtype: str) -> str:
    """Why a budget does not fit a projection; empty where all fit."""
    method = load_method(point.method, dict(point.settings))
    names = projection_names(model)
    try:
        plan = make_plan(EVERYTHING, method, names=names, blocks=model.blocks)
        estimate_projections(model, plan, dtype=dtype)
    except InputError as error:
        return str(error)
    return ""


def _refuse_values_without_a_model(planned: Sequence[PlannedModel]) -> None:
    """A value with which nothing can be compressed is a mistake."""
    reasons: dict[tuple[str, Value], list[str]] = {}
    for each in planned:
        for key, value in (*each.point.settings, (METHOD, each.point.method)):
            reasons.setdefault((key, value), []).append(each.reason)
    for (key, value), found in reasons.items():
        if all(found):
            raise InputError(f"[compression]: {key} = {value}: {found[0]}")
