"""What an allocation decides, by its kind: overrides that stand before those of the user."""

from pathlib import Path

import torch

from sslc.allocation.hardware import hardware_overrides
from sslc.allocation.owl import Owl, owl_overrides
from sslc.allocation.shares import Hardware
from sslc.calibration.windows import Calibration
from sslc.compression.plan import Choice, Override
from sslc.methods.base import Method
from sslc.model.checkpoint import Checkpoint
from workloads.results.cost_curves import CostCurves, read_cost_curves
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent


def given_cost_curves(
    given: str | Path | CostCurves | None, divided: Owl | Hardware | None
) -> CostCurves | None:
    """Cost curves as a user gives them: none, a file, or made already.

    Args:
        given: By the user.
        divided: The allocation.

    Raises:
        InputError: The allocation looks at none, or the file cannot be used.
    """
    if given is None:
        return None
    if not isinstance(divided, Hardware):
        raise InputError("cost curves are for the allocation hardware; leave them out")
    return given if isinstance(given, CostCurves) else read_cost_curves(Path(given))


def place_of_overrides(given: str | Path | None, divided: Owl | Hardware | None) -> Path | None:
    """Where an allocation's overrides are to be written, looked at before anything is computed.

    Args:
        given: By the user.
        divided: The allocation.

    Raises:
        InputError: The allocation decides nothing, or the file could not be written there.
    """
    if given is None:
        return None
    path = Path(given)
    if divided is None:
        raise InputError(f"{path}: the uniform allocation decides nothing that could be saved")
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path}: give a file in a folder that exists")
    return path


def allocated_overrides(
    checkpoint: Checkpoint,
    method: Method,
    *,
    divided: Owl | Hardware | None,
    curves: CostCurves | None,
    calibration: Calibration,
    choice: Choice,
    device: torch.device | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> tuple[Override, ...]:
    """What an allocation decides; nothing where all keep the same.

    Args:
        checkpoint: The dense model.
        method: Of the run.
        divided: From ``read_allocation``.
        curves: What projections cost, for ``hardware``.
        calibration: Text and windows.
        choice: Of the user.
        device: Where the arithmetic runs; the CPU by default.
        workers: Projections at once; None for one per core.
        progress: Told after every block.

    Raises:
        InputError: As ``owl_overrides`` and ``hardware_overrides``.
    """
    if divided is None:
        return ()
    if isinstance(divided, Owl):
        return owl_overrides(
            checkpoint, method, owl=divided, calibration=calibration, choice=choice,
            device=device, progress=progress,
        )  # fmt: skip
    return hardware_overrides(
        checkpoint, method, hardware=divided, curves=curves, calibration=calibration,
        choice=choice, device=device, workers=workers, progress=progress,
    ).overrides  # fmt: skip
