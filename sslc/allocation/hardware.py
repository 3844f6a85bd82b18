"""Shares of projections by what they cost on a machine: least calibrated loss within a budget.

Ours. Losses are measured (``loss_curves``), costs are passed in (``results.cost_curves``), and the
choice is solved for (``division``, ``knapsack``).
"""

import warnings
from collections.abc import Mapping, Sequence

import torch

from sslc.allocation.division import Divided, candidates, check_budget, divide_curves
from sslc.allocation.loss_curves import LossCurve, fits, loss_curves
from sslc.allocation.shares import PARAMETERS, Hardware, Share, with_share
from sslc.calibration.windows import Calibration
from sslc.compression.plan import Choice
from sslc.compression.preparation import Prepared, prepare
from sslc.methods.base import Method
from sslc.model.checkpoint import Checkpoint
from sslc.model.names import pattern_name
from workloads.results.cost_curves import CostCurve, CostCurves, CostPoint
from workloads.support.errors import InputError, InputWarning
from workloads.support.progress import Progress, silent


def hardware_overrides(
    checkpoint: Checkpoint,
    method: Method,
    *,
    hardware: Hardware,
    curves: CostCurves | None,
    calibration: Calibration,
    choice: Choice,
    device: torch.device | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Divided:
    """One share for each projection that the run's method compresses at the run's settings.

    What overrides of the user change takes no part, neither in the loss nor in the budget.

    Args:
        checkpoint: The dense model.
        method: Of the run.
        hardware: Cost, budget and candidates.
        curves: What projections cost; None: their parameters.
        calibration: Text and windows.
        choice: Projections that stay dense or are overridden.
        device: Where the arithmetic runs; the CPU by default.
        workers: Projections at once; None for one per core.
        progress: Told after every block.

    Returns:
        The overrides, and what they lose and cost.

    Raises:
        InputError: As ``compress_checkpoint``; or curves lack a projection, a cost or a share, or
            the budget is below what the candidates cost at least.
    """
    prepared = prepare(checkpoint, method, dtype="auto", device=device, choice=choice)
    names = _taking_part(prepared, method)
    shapes = _shapes(prepared, names)
    costs = _costs(shapes, method, hardware, curves)
    among = candidates(shapes, costs, hardware=hardware, method=method)
    check_budget(among, costs, hardware=hardware, method=method)  # before anything takes minutes
    shares = sorted({share for each in among.values() for share in each})
    measured = loss_curves(
        checkpoint, prepared, [with_share(method, share) for share in shares], names=names,
        calibration=calibration, workers=workers, progress=progress,
    )  # fmt: skip
    losses = {
        name: _by_share(curve, shares, among[name], hardware.loss)
        for name, curve in measured.items()
    }
    divided = divide_curves(losses, costs, hardware=hardware, method=method)
    warnings.warn(f"hardware, {hardware.cost}: {divided}", InputWarning, stacklevel=2)
    return divided


def parameter_curves(
    shapes: Mapping[str, tuple[int, int]], method: Method, shares: Sequence[Share]
) -> CostCurves:
    """Entries of S, U and V at each share, as cost curves.

    Args:
        shapes: m and n of each projection by name.
        method: Of the run.
        shares: Those whose budget does not fit a shape are left out.

    Raises:
        InputError: None of them fits some shape.
    """
    curves = []
    for name, (m, n) in shapes.items():
        points = tuple(
            CostPoint(*share, {PARAMETERS: float(kept)})
            for share in shares
            if (kept := _kept(with_share(method, share), m, n)) is not None
        )
        if not points:
            raise InputError(f"hardware: no candidate of {name} fits its shape")
        curves.append(CostCurve(name, {PARAMETERS: float(m * n)}, points))
    return CostCurves(tuple(curves))


def _kept(method: Method, m: int, n: int) -> int | None:
    """Entries that a method keeps of an m×n matrix; None where its budget does not fit."""
    if not fits(method, m, n):
        return None
    rank, nonzeros = method.budget(m, n)
    return nonzeros + rank * (m + n)


def _costs(
    shapes: Mapping[str, tuple[int, int]],
    method: Method,
    hardware: Hardware,
    curves: CostCurves | None,
) -> CostCurves:
    if hardware.cost == PARAMETERS:
        return parameter_curves(shapes, method, hardware.grid(method))
    if curves is None:
        raise InputError(
            f"hardware: cost {hardware.cost} needs cost curves, of --accelerator NAME or "
            f"--cost-curves FILE; cost={PARAMETERS} needs none"
        )
    return curves


def _taking_part(prepared: Prepared, method: Method) -> dict[int, list[str]]:
    """Names of projections with the run's own settings, by block."""
    names: dict[int, list[str]] = {}
    for index, name, planned in prepared.plan:
        if planned == method:
            names.setdefault(index, []).append(name)
    if not names:
        raise InputError("hardware: the overrides leave no projection at the run's settings")
    return names


def _shapes(prepared: Prepared, names: Mapping[int, Sequence[str]]) -> dict[str, tuple[int, int]]:
    linears = prepared.model.linears()
    return {
        pattern_name(index, name): (linears[name].out_features, linears[name].in_features)
        for index, of_block in names.items()
        for name in of_block
    }


def _by_share(
    curve: LossCurve, shares: Sequence[Share], among: Sequence[Share], loss: str
) -> dict[Share, float]:
    """A projection's losses at its own candidates."""
    errors = curve.relative() if loss == "relative" else curve.errors
    return {shares[which]: error for which, error in errors.items() if shares[which] in among}
