"""A run before it is made: what every projection gets, and the memory and time it will take."""

import time
from dataclasses import dataclass, replace

import torch

from sslc.calibration.generated import unwritten_batches
from sslc.calibration.windows import SELF, Calibration
from sslc.compression.estimate import ProjectionEstimate, peak_bytes, whole_model_bytes
from sslc.compression.plan import EVERYTHING, Choice
from sslc.compression.preparation import prepare
from sslc.compression.sampling import estimate_seconds, writing_seconds
from sslc.methods.base import Method
from sslc.model.checkpoint import Checkpoint
from sslc.model.opening import open_checkpoint
from sslc.refinement.stages import NO_REFINEMENT, Refinement
from workloads.support.crowding import crowding


@dataclass(frozen=True)
class RunEstimate:
    """What a run is expected to give and take.

    Attributes:
        projections: Block by block; exact.
        dtype: Stored dtype.
        workers: Projections at once, as many as the memory allows.
        peak_bytes: Estimated highest resident memory of the process.
        seconds: Estimated wall time: processor times of samples on random matrices
            (``sampling.py``), beside what else the machine runs now.
    """

    projections: tuple[ProjectionEstimate, ...]
    dtype: str
    workers: int
    peak_bytes: int
    seconds: float


def dry_run(
    checkpoint: Checkpoint,
    method: Method,
    *,
    calibration: Calibration,
    dtype: str = "auto",
    device: torch.device | None = None,
    workers: int | None = None,
    choice: Choice = EVERYTHING,
    max_memory_bytes: int | None = None,
    refinement: Refinement = NO_REFINEMENT,
) -> RunEstimate:
    """Estimate a run from the checkpoint's headers; writes nothing.

    Arguments as ``recovery.refined.compress_and_refine``. The text is neither read nor written; the
    time counts what the model would write of it, unless it is in the cache.

    Raises:
        InputError: The run would be refused: a budget, a pattern, or the memory.
    """
    started = time.process_time()
    open_checkpoint(str(checkpoint.directory))  # as a run does, the hashes of its cache with it
    prepared = prepare(
        checkpoint, method, dtype=dtype, device=device, choice=choice, matching=refinement.blocks
    )
    opening = time.process_time() - started
    used = prepared.workers(calibration, asked=workers, max_memory_bytes=max_memory_bytes)
    model, plan, estimates = prepared.model, prepared.plan, prepared.estimates
    peak = peak_bytes(
        model, plan, estimates=estimates, calibration=calibration, workers=used,
        trained=refinement.blocks is not None,
    )  # fmt: skip
    seconds = estimate_seconds(
        model, plan, calibration=calibration, workers=used, refinement=refinement
    )
    seconds += writing_seconds(
        model, batches=_unwritten(checkpoint, calibration, refinement, device),
        length=calibration.window_tokens,
    )  # fmt: skip
    if refinement.logits is not None:
        peak = max(peak, whole_model_bytes(model, estimates, calibration, refinement.logits))
    wall = (opening + seconds) * crowding(used)
    return RunEstimate(estimates, prepared.dtype, used, peak, wall)


def _unwritten(
    checkpoint: Checkpoint,
    calibration: Calibration,
    refinement: Refinement,
    device: torch.device | None,
) -> int:
    """Batches of windows that the model would write: for calibration and distillation the same."""
    wanted = [calibration]
    if refinement.logits is not None:
        wanted.append(replace(calibration, windows=refinement.logits.windows))
    return unwritten_batches(
        checkpoint,
        count=max(each.counts.get(SELF, 0) for each in wanted),
        length=calibration.window_tokens,
        seed=calibration.seed,
        device=device,
    )
