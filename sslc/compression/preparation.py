"""What a run and its estimate both begin with: the model, its plan, and what each gets."""

from dataclasses import dataclass

import torch

from sslc.calibration.windows import Calibration
from sslc.compression.estimate import ProjectionEstimate, estimate_projections, fit_workers
from sslc.compression.output import stored_dtype
from sslc.compression.plan import Choice, Plan, make_plan
from sslc.compression.projections import default_workers, projection_names
from sslc.methods.base import Method
from sslc.model.blocks import BlockwiseModel
from sslc.model.checkpoint import Checkpoint
from sslc.refinement.stages import BlockMatching


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run before anything is read but headers.

    Attributes:
        model: The dense model, block by block.
        plan: Method of every projection.
        dtype: In which it will be stored.
        estimates: What every projection will get; exact.
        matching: How every block is trained afterwards; None for not at all.
    """

    model: BlockwiseModel
    plan: Plan
    dtype: str
    estimates: tuple[ProjectionEstimate, ...]
    matching: BlockMatching | None = None

    def workers(
        self, calibration: Calibration, *, asked: int | None, max_memory_bytes: int | None
    ) -> int:
        """Projections at once.

        Args:
            calibration: Windows, whose hidden states take memory.
            asked: At most so many; None for one per core, and one on another device.
            max_memory_bytes: Fewer to stay below it.

        Raises:
            InputError: One alone would take more memory.
        """
        return fit_workers(
            self.model,
            self.plan,
            estimates=self.estimates,
            calibration=calibration,
            workers=asked or default_workers(self.model.device),
            max_memory_bytes=max_memory_bytes,
            trained=self.matching is not None,
        )


def prepare(
    checkpoint: Checkpoint,
    method: Method,
    *,
    dtype: str,
    device: torch.device | None,
    choice: Choice,
    matching: BlockMatching | None = None,
) -> Prepared:
    """Plan a run from the checkpoint's headers.

    Args:
        checkpoint: The dense model.
        method: Of all projections that ``choice`` says nothing else about.
        dtype: In which it is stored; ``auto`` for the model's own.
        device: Where the arithmetic runs; None for the CPU.
        choice: Projections that stay dense or get other settings.
        matching: How every block is trained afterwards; None for not at all.

    Raises:
        InputError: A budget does not fit a projection, or a pattern matches nothing.
    """
    model = BlockwiseModel(checkpoint, device)
    plan = make_plan(choice, method, names=projection_names(model), blocks=model.blocks)
    kind = stored_dtype(checkpoint, dtype)
    return Prepared(model, plan, kind, estimate_projections(model, plan, dtype=kind), matching)
