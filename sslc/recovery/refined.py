"""A method and what follows it: each block trained, and the whole model."""

from collections.abc import Callable

import torch

from sslc.calibration.windows import Calibration, load_calibration
from sslc.compression.block_loop import compress_checkpoint, run_settings
from sslc.compression.output import (
    Output,
    begin_work,
    finished_artifact,
    forget,
    one_run,
    stored_dtype,
    work_beside,
)
from sslc.compression.plan import EVERYTHING, Choice
from sslc.methods.base import Method
from sslc.model.checkpoint import Checkpoint
from sslc.recovery.distilled import WholeModel
from sslc.refinement.stages import NO_REFINEMENT, Refinement
from workloads.artifact.read import Artifact, open_artifact
from workloads.artifact.write import partial_of, start_artifact
from workloads.support.progress import Progress, silent


def compress_and_refine(
    checkpoint: Checkpoint,
    method: Method,
    *,
    calibration: Calibration,
    output: Output,
    refinement: Refinement = NO_REFINEMENT,
    device: torch.device | None = None,
    progress: Progress = silent,
    workers: int | None = None,
    choice: Choice = EVERYTHING,
    max_memory_bytes: int | None = None,
) -> Artifact:
    """Compress a causal LM, and train what is kept towards the dense one.

    With a whole-model pass the compressed model is made in ``DIR.refining`` beside the directory,
    which goes when the result is finished.

    Args:
        checkpoint: The dense model.
        method: As ``compress_checkpoint``.
        calibration: Text and windows of the method and of the blocks' training; the whole-model
            pass draws its own number of windows from the same sources.
        output: As ``compress_checkpoint``.
        refinement: What follows the method.
        device: Where the arithmetic runs; the CPU by default.
        progress: Told after every block and step.
        workers: As ``compress_checkpoint``.
        choice: As ``compress_checkpoint``.
        max_memory_bytes: As ``compress_checkpoint``; the whole-model pass is not held to it.

    Returns:
        The finished artifact, opened.

    Raises:
        InputError: As ``compress_checkpoint``, or a training diverged.
    """

    def compress(to: Output) -> Artifact:
        return compress_checkpoint(
            checkpoint,
            method,
            calibration=calibration,
            output=to,
            device=device,
            progress=progress,
            workers=workers,
            choice=choice,
            max_memory_bytes=max_memory_bytes,
            matching=refinement.blocks,
        )

    if refinement.logits is None:
        return compress(output)
    text = load_calibration(checkpoint, calibration, device=device, progress=progress)
    settings = run_settings(
        checkpoint, method, text=text, calibration=calibration,
        dtype=stored_dtype(checkpoint, output.dtype), choice=choice, refinement=refinement,
    )  # fmt: skip
    whole = WholeModel(checkpoint, refinement.logits, calibration, settings, device, progress)
    return train_whole(whole, compress, output=output)


@one_run
def train_whole(
    whole: WholeModel, compress: Callable[[Output], Artifact], *, output: Output
) -> Artifact:
    """Compress into the directory of work, and train the model from there.

    Args:
        whole: The training.
        compress: Makes what is trained, or goes on with it, where it is told.
        output: Where the result goes.

    Returns:
        The trained artifact, opened.

    Raises:
        InputError: As ``compress_and_refine``.
    """
    work = work_beside(output.directory)
    if output.resume:
        finished = finished_artifact(output, whole.settings)
        if finished is not None:
            forget(work)
            return finished
    continued = output.resume and partial_of(output.directory).exists()
    writer = start_artifact(
        output.directory, whole.settings, resume=output.resume, overwrite=output.overwrite
    )
    begin_work(work, continued=continued)
    artifact = compress(Output(work / "layerwise", output.dtype, resume=True))
    whole.train(artifact, writer, work)
    forget(work)
    return open_artifact(output.directory)
