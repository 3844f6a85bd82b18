"""The one calibration and block loop: streaming, resumable, the same bytes every time.

For each block: run it on the calibration inputs to collect statistics, compress its projections,
store them, put the stored (rounded) weights in, and run it again for the next block's inputs.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch

from sslc.calibration.gradients import collect_gradients, read_gradients
from sslc.calibration.statistics import InputStatistics
from sslc.calibration.windows import Calibration, calibration_windows
from sslc.compression.output import Output, finished_artifact, one_run
from sslc.compression.plan import DENSE, EVERYTHING, Choice, Plan
from sslc.compression.preparation import Prepared, prepare
from sslc.compression.projections import compress_block, input_statistics, unit_statistics
from sslc.methods.base import Method
from sslc.model.blocks import BlockwiseModel, Replaced
from sslc.model.checkpoint import Checkpoint
from sslc.model.config import load_config
from sslc.model.finite import is_finite, not_finite
from sslc.model.names import full_name
from sslc.model.weights import dense_weight
from workloads.artifact.read import (
    Artifact,
    CompressedTensors,
    Settings,
    open_artifact,
    read_projection,
)
from workloads.artifact.write import ArtifactWriter, start_artifact
from workloads.support.files import LazyTensors, open_tensors
from workloads.support.progress import Progress, silent
from workloads.texts.windows import Text, load_text


@one_run
def compress_checkpoint(
    checkpoint: Checkpoint,
    method: Method,
    *,
    calibration: Calibration,
    output: Output,
    device: torch.device | None = None,
    progress: Progress = silent,
    workers: int | None = None,
    choice: Choice = EVERYTHING,
    max_memory_bytes: int | None = None,
) -> Artifact:
    """Compress a causal LM into an artifact.

    Args:
        checkpoint: The dense model.
        method: Of all projections that ``choice`` says nothing else about.
        calibration: Text and windows.
        output: Directory, stored dtype, and what to do with what is there.
        device: Where the arithmetic runs; the CPU by default.
        progress: Told after every block.
        workers: Projections compressed at once, each on one thread, so that their number changes
            no byte; by default one per core on the CPU and one on another device.
        choice: Projections that stay dense or get other settings. A projection that stays dense is
            stored with every entry in S and rank 0. Behind the last block that is compressed
            nothing is calibrated, and errors there are not scaled.
        max_memory_bytes: Use no more workers than the estimated peak allows (``estimate.py``).

    Returns:
        The finished artifact, opened.

    Raises:
        InputError: Bad weights, a budget that does not fit a projection, a pattern that matches
            nothing, text that is too short, more memory needed than allowed, or a directory that
            may not be touched. What was finished before stays resumable.
    """
    prepared = prepare(checkpoint, method, dtype=output.dtype, device=device, choice=choice)
    text = load_text(calibration.source, "calibration")
    settings = _settings(checkpoint, method, calibration, text, prepared.dtype, choice)
    if output.resume:
        finished = finished_artifact(output, settings)
        if finished is not None:
            return finished
    windows = calibration_windows(checkpoint, text, calibration=calibration)
    used = prepared.workers(calibration, asked=workers, max_memory_bytes=max_memory_bytes)
    rest, companions = _rest(checkpoint, prepared.plan), checkpoint.companions()
    writer = start_artifact(
        output.directory, settings, resume=output.resume, overwrite=output.overwrite
    )
    stage = f"compress ({method.name})"
    _compress_blocks(
        prepared, writer, windows=windows, workers=used, stage=stage, progress=progress
    )
    writer.finish(rest, companions)
    progress(stage, prepared.model.blocks, prepared.model.blocks)
    return open_artifact(output.directory)


def _compress_blocks(
    prepared: Prepared,
    writer: ArtifactWriter,
    *,
    windows: torch.Tensor,
    workers: int,
    stage: str,
    progress: Progress,
) -> None:
    """Compress and write every block that is not written, each on what the ones before it give."""
    model, plan = prepared.model, prepared.plan
    gradients = _gradients(model, plan, windows, writer, progress)
    hidden = model.embed(windows)
    last = max(index for index, _, planned in plan if planned is not DENSE)
    for index, methods in enumerate(plan.blocks):
        progress(stage, index, model.blocks)
        if index < len(writer.blocks):
            stored = _read_back(writer, index)
        else:
            if index > last:
                statistics = unit_statistics(model, methods)
            else:
                statistics = input_statistics(model, index, methods=methods, hidden=hidden)
                statistics = _with_gradients(statistics, gradients, index, model.device)
            made = compress_block(
                model,
                index,
                methods=methods,
                statistics=statistics,
                dtype=prepared.dtype,
                workers=workers,
            )
            stored = {name: tensors for name, (_, tensors) in made.items()}
            writer.write_block(tuple(record for record, _ in made.values()), stored)
        if index < last:
            with model.block(index, _stored_weights(stored)) as block:
                model.run(index, block, hidden)
    if gradients is not None:
        shutil.rmtree(gradients, ignore_errors=True)


def _stored_weights(stored: Mapping[str, CompressedTensors]) -> Replaced:
    """The weights of a block's projections as they would be read back from the artifact."""

    def weight(name: str) -> torch.Tensor | None:
        projection, _, part = name.rpartition(".")
        return (
            dense_weight(stored[projection]) if part == "weight" and projection in stored else None
        )

    return weight


def _gradients(
    model: BlockwiseModel,
    plan: Plan,
    windows: torch.Tensor,
    writer: ArtifactWriter,
    progress: Progress,
) -> Path | None:
    """Where the weights' gradients lie, collected now if any method needs them."""
    if not any(method.needs_gradients for _, _, method in plan):
        return None
    directory = writer.partial / "gradients"
    if len(writer.blocks) < model.blocks:
        collect_gradients(model, windows, directory=directory, progress=progress)
    return directory


def _with_gradients(
    statistics: Mapping[str, InputStatistics],
    directory: Path | None,
    index: int,
    device: torch.device,
) -> dict[str, InputStatistics]:
    gradients = {} if directory is None else read_gradients(directory, index, device=device)
    return {
        name: replace(entry, gradient=gradients.get(name)) for name, entry in statistics.items()
    }


def _read_back(writer: ArtifactWriter, index: int) -> dict[str, CompressedTensors]:
    """The stored tensors of a block that an interrupted run had finished."""
    block = writer.blocks[index]
    file = open_tensors(writer.partial / block.file, block.tensors)
    return {record.name: read_projection(file, record) for record in block.projections}


def _settings(
    checkpoint: Checkpoint,
    method: Method,
    calibration: Calibration,
    text: Text,
    dtype: str,
    choice: Choice,
) -> Settings:
    return Settings(
        base_model={
            "name": checkpoint.name,
            "architecture": load_config(checkpoint.directory).model_type,
            "sha256": checkpoint.sha256(),
        },
        method={"name": method.name, "settings": asdict(method)},  # type: ignore[call-overload]
        calibration={**asdict(calibration), "source": text.source, "sha256": text.sha256},
        dtype=dtype,
        choice=choice.to_json(),
    )


def _rest(checkpoint: Checkpoint, plan: Plan) -> LazyTensors:
    """Every tensor outside the projections, finite in its own dtype, which stays."""
    compressed = {
        f"{full_name(index, name)}.{part}" for index, name, _ in plan for part in ("weight", "bias")
    }
    names = sorted(checkpoint.names() - compressed)
    for name in names:
        if not is_finite(checkpoint.tensor(name)):
            raise not_finite(checkpoint)
    return checkpoint.arrays(names)
