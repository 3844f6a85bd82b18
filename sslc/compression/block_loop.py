"""The one calibration and block loop: streaming, resumable, the same bytes every time.

For each block: run it on the calibration inputs to collect statistics, compress its projections
(``block_step.py``), store them, put the stored (rounded) weights in, and run it again for the next
block's inputs.
"""

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from sslc.calibration.gradients import collect_gradients
from sslc.calibration.windows import (
    Calibration,
    CalibrationText,
    calibration_windows,
    load_calibration,
)
from sslc.compression.block_step import BlockMaker
from sslc.compression.output import (
    Output,
    begin_work,
    finished_artifact,
    forget,
    one_run,
    work_beside,
)
from sslc.compression.plan import DENSE, EVERYTHING, Choice, Plan
from sslc.compression.preparation import Prepared, prepare
from sslc.methods.base import Method
from sslc.methods.rounded import settings_of
from sslc.model.blocks import Replaced
from sslc.model.checkpoint import Checkpoint
from sslc.model.config import load_config
from sslc.model.finite import is_finite, not_finite
from sslc.model.names import full_name
from sslc.model.weights import dense_weight
from sslc.refinement.stages import BlockMatching, Refinement
from workloads.artifact.read import Artifact, Settings, open_artifact
from workloads.artifact.record import CompressedTensors, read_projection
from workloads.artifact.write import ArtifactWriter, start_artifact
from workloads.support.files import LazyTensors, open_tensors
from workloads.support.progress import Progress, silent


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
    matching: BlockMatching | None = None,
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
        matching: How what is kept of a block is trained before the next one is compressed; None
            for not at all. The places of S stay.

    Returns:
        The finished artifact, opened.

    Raises:
        InputError: Bad weights, a budget that does not fit a projection, a pattern that matches
            nothing, text that is too short, more memory needed than allowed, or a directory that
            may not be touched. What was finished before stays resumable.
    """
    prepared = prepare(
        checkpoint, method, dtype=output.dtype, device=device, choice=choice, matching=matching
    )
    text = load_calibration(checkpoint, calibration, device=device, progress=progress)
    refinement = Refinement(blocks=matching)
    settings = run_settings(
        checkpoint, method, text=text, calibration=calibration, dtype=prepared.dtype,
        choice=choice, refinement=refinement,
    )  # fmt: skip
    work = work_beside(output.directory)
    if output.resume:
        finished = finished_artifact(output, settings)
        if finished is not None:
            forget(work)
            return finished
    windows = calibration_windows(checkpoint, text, calibration=calibration)
    used = prepared.workers(calibration, asked=workers, max_memory_bytes=max_memory_bytes)
    rest, companions = _rest(checkpoint, prepared.plan), checkpoint.companions()
    writer = start_artifact(
        output.directory, settings, resume=output.resume, overwrite=output.overwrite
    )
    if matching is not None:
        begin_work(work, continued=bool(writer.blocks))
    stage = f"compress ({method.name})"
    gradients = _gradients(prepared, windows, writer, progress)
    maker = BlockMaker(prepared, used, gradients, matching, checkpoint.dtypes, work)
    _compress_blocks(maker, writer, windows=windows, stage=stage, progress=progress)
    writer.finish(_with_norms(rest, maker), companions)
    forget(work)
    progress(stage, prepared.model.blocks, prepared.model.blocks)
    return open_artifact(output.directory)


def _compress_blocks(
    maker: BlockMaker,
    writer: ArtifactWriter,
    *,
    windows: torch.Tensor,
    stage: str,
    progress: Progress,
) -> None:
    """Compress and write every block that is not written, each on what the ones before it give."""
    model, plan = maker.prepared.model, maker.prepared.plan
    hidden = model.embed(windows)
    last = max(index for index, _, planned in plan if planned is not DENSE)
    for index in range(model.blocks):
        progress(stage, index, model.blocks)
        if index < len(writer.blocks):
            stored = _read_back(writer, index)
        else:
            made = maker.make(index, hidden, calibrated=index <= last)
            stored = {name: tensors for name, (_, tensors) in made.items()}
            writer.write_block(tuple(record for record, _ in made.values()), stored)
        if index < last:
            with model.block(index, _stored_weights(index, stored, maker.norms(index))) as block:
                model.run(index, block, hidden)
    if maker.gradients is not None:
        shutil.rmtree(maker.gradients, ignore_errors=True)


def _stored_weights(
    index: int, stored: Mapping[str, CompressedTensors], norms: Mapping[str, torch.Tensor]
) -> Replaced:
    """What would be read back of a block from the artifact in place of what is dense."""

    def weight(name: str) -> torch.Tensor | None:
        projection, _, part = name.rpartition(".")
        if part == "weight" and projection in stored:
            return dense_weight(stored[projection])
        return norms.get(full_name(index, name))

    return weight


def _gradients(
    prepared: Prepared, windows: torch.Tensor, writer: ArtifactWriter, progress: Progress
) -> Path | None:
    """Where the weights' gradients lie, collected now if any method needs them."""
    if not any(method.needs_gradients for _, _, method in prepared.plan):
        return None
    directory = writer.partial / "gradients"
    if len(writer.blocks) < prepared.model.blocks:
        collect_gradients(prepared.model, windows, directory=directory, progress=progress)
    return directory


def _read_back(writer: ArtifactWriter, index: int) -> dict[str, CompressedTensors]:
    """The stored tensors of a block that an interrupted run had finished."""
    block = writer.blocks[index]
    file = open_tensors(writer.partial / block.file, block.tensors)
    return {record.name: read_projection(file, record) for record in block.projections}


def run_settings(
    checkpoint: Checkpoint,
    method: Method,
    *,
    text: CalibrationText,
    calibration: Calibration,
    dtype: str,
    choice: Choice,
    refinement: Refinement,
) -> Settings:
    """What determines an artifact's bytes, before it is made.

    Args:
        checkpoint: The dense model.
        method: Of the run.
        text: Of the calibration.
        calibration: How it is cut.
        dtype: Stored dtype.
        choice: Of projections.
        refinement: What is trained afterwards.
    """
    return Settings(
        base_model={
            "name": checkpoint.name,
            "architecture": load_config(checkpoint.directory).model_type,
            "sha256": checkpoint.sha256(),
        },
        method={"name": method.name, "settings": settings_of(method)},
        calibration={**asdict(calibration), "source": text.source, "sha256": text.sha256},
        dtype=dtype,
        choice=choice.to_json(),
        refinement=refinement.to_json(),
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


def _with_norms(rest: LazyTensors, maker: BlockMaker) -> LazyTensors:
    """The tensors outside the projections, trained norms in place of the dense model's."""
    files = dict(rest.files)
    for index in range(maker.prepared.model.blocks):
        path = maker.norms_file(index)
        if path.is_file():
            trained = open_tensors(path)
            files |= dict.fromkeys(trained.tensors, trained)
    return LazyTensors(files)
