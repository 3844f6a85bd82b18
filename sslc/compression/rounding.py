"""A compressed projection rounded to the formats in which it is stored."""

from dataclasses import replace
from typing import NamedTuple

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.full_hessian import solve_on_support
from sslc.linalg.low_rank import orthonormal
from sslc.linalg.quantization import (
    Grid,
    OnGrid,
    column_scales,
    round_columns,
    round_nearest,
    round_propagating,
)
from sslc.methods.base import CompressedProjection, Method
from sslc.methods.rounded import precision_of, propagates, solves
from sslc.methods.sparsegpt import inverse_factor
from sslc.model.finite import is_finite
from sslc.model.source import TORCH_DTYPES
from sslc.model.weights import row_chunks, to_numpy
from workloads.artifact.packing import largest_number
from workloads.artifact.record import CompressedTensors
from workloads.artifact.storage import Storage
from workloads.masks.packed import PackedMask

_ROUNDS = 3
_SOLVER_STEPS = 4
_DAMPING = 0.01


class Original(NamedTuple):
    """What a projection was compressed from, and how its rounding may look at it.

    Attributes:
        weight: W, m×n; None where S, U and V are already what they should be before rounding.
        statistics: Of its inputs.
        propagate: Whether errors of rounding are carried from column to column, by X Xᵀ.
    """

    weight: torch.Tensor | None
    statistics: InputStatistics
    propagate: bool = False


class Factors(NamedTuple):
    """U and V as they are stored, float32 or the stored dtype, and their scales."""

    u: torch.Tensor
    v: torch.Tensor
    scales: dict[str, torch.Tensor]


def to_stored(
    projection: CompressedProjection,
    storage: Storage,
    *,
    bias: torch.Tensor | None = None,
    dtype: str = "F32",
    original: Original | None = None,
) -> CompressedTensors:
    """Round a compressed projection to the formats in which it is stored.

    The rounding error of U Vᵀ is added to S at the kept positions, so that rounding the factors
    costs nothing there.

    Args:
        projection: As the method left it.
        storage: Formats of its parts.
        bias: The layer's bias.
        dtype: Of the bias.
        original: With it, U and V are fitted once more to what rounding loses of S, and S to what
            it loses of them, in turn; None rounds once.

    Raises:
        ValueError: A value does not fit the dtype.
    """
    if original is not None and storage.scale_columns:
        projection = _fitted(projection, storage, original)
    factors = rounded_factors(projection.u, projection.v, storage)
    scales = dict(factors.scales)
    if storage.scale_columns:
        wanted = _wanted(projection, factors)
        whole = _whole_values(wanted, projection.mask, storage, original)
        values, scales["value_scales"] = whole.values[projection.mask], whole.scales
    else:
        values = _float_values(projection, factors, TORCH_DTYPES[storage.values])
    rounded_bias = None if bias is None else bias.to(TORCH_DTYPES[dtype])
    for tensor in (values, factors.u, factors.v, rounded_bias):
        if tensor is not None and not is_finite(tensor):
            raise ValueError(f"a value is not finite in {storage.values}")
    return CompressedTensors(
        PackedMask.pack(projection.mask.cpu().numpy()),
        to_numpy(values.cpu()),
        to_numpy(factors.u.cpu()),
        to_numpy(factors.v.cpu()),
        None if rounded_bias is None else to_numpy(rounded_bias.cpu()),
        {name: to_numpy(scale.cpu()) for name, scale in scales.items()},
    )


def _float_values(
    projection: CompressedProjection, factors: Factors, kind: torch.dtype
) -> torch.Tensor:
    """The values of S, some rows at a time."""
    u, v, parts = factors.u.float(), factors.v.float(), []
    for rows in row_chunks(*projection.mask.shape):
        lost = projection.u[rows] @ projection.v.T - u[rows] @ v.T
        parts.append((projection.sparse[rows] + lost)[projection.mask[rows]].to(kind))
    return torch.cat(parts)


def _wanted(projection: CompressedProjection, factors: Factors) -> torch.Tensor:
    """S with what rounding the factors lost, 0 outside its places."""
    lost = projection.u @ projection.v.T - factors.u.float() @ factors.v.float().T
    return lost.add_(projection.sparse).masked_fill_(~projection.mask, 0)


def _whole_values(
    wanted: torch.Tensor, mask: torch.Tensor, storage: Storage, original: Original | None
) -> OnGrid:
    """S at whole numbers times scales."""
    grid = Grid(storage.value_bits, storage.scale_columns)
    if original is None:
        return round_nearest(wanted, grid, torch.ones_like(wanted[0]))
    if original.propagate:
        factor = inverse_factor(original.statistics, _DAMPING)
        return round_propagating(wanted, mask, factor=factor, grid=grid)
    return round_nearest(wanted, grid, original.statistics.scale().square())


def rounded_factors(u: torch.Tensor, v: torch.Tensor, storage: Storage) -> Factors:
    """U (m×r) and V (n×r) as they are stored."""
    if not storage.scaled_factors:
        kind = TORCH_DTYPES[storage.factors]
        return Factors(u.to(kind), v.to(kind), {})
    largest = largest_number(storage.factors)
    scales = {
        "u_scales": column_scales(u, largest),
        "v_scales": column_scales(v, largest),
    }
    u = round_columns(u, scales["u_scales"], storage.factors)
    return Factors(u, round_columns(v, scales["v_scales"], storage.factors), scales)


def original_of(
    weight: torch.Tensor | None, statistics: InputStatistics, method: Method
) -> Original | None:
    """What rounding may look at for a method's result; None where it is to round once.

    Args:
        weight: W, m×n; None where the result was trained since.
        statistics: Of its inputs.
        method: That made the result, with its precision.
    """
    precision = precision_of(method)
    if not precision.whole_values:
        return None
    if not propagates(method):
        return Original(weight, statistics) if precision.fits_again else None
    assert statistics.hessian is not None
    hessian = statistics.hessian * (1 - precision.rounding_shrinkage)
    hessian.diagonal().copy_(statistics.hessian.diagonal())
    given = None if solves(method) else weight
    return Original(given, replace(statistics, hessian=hessian), True)


def _fitted(
    projection: CompressedProjection, storage: Storage, original: Original
) -> CompressedProjection:
    """U, V and S after some rounds in which each makes up for what rounding the other lost.

    Low-rank steps are SSLC's: warm-started, in the space scaled by the input norms. With X Xᵀ the
    values of S are then solved for, U and V being as they are stored.
    """
    weight, mask, scale = original.weight, projection.mask, original.statistics.scale()
    if weight is None:
        return projection
    nearest = original._replace(propagate=False)
    for _ in range(_ROUNDS if projection.u.shape[1] else 0):
        factors = rounded_factors(projection.u, projection.v, storage)
        wanted = _wanted(projection, factors)
        residual = weight - _whole_values(wanted, mask, storage, nearest).values
        u = orthonormal((residual * scale) @ (projection.v * scale[:, None]))
        v = residual.T @ u
        sparse = torch.addmm(weight, u, v.T, alpha=-1).masked_fill_(~mask, 0)
        projection = CompressedProjection(mask, sparse, u, v)
    if not original.propagate:
        return projection
    factors = rounded_factors(projection.u, projection.v, storage)
    u, v = factors.u.float(), factors.v.float()
    sparse = solve_on_support(
        torch.addmm(weight, u, v.T, alpha=-1),
        projection.sparse,
        mask=mask,
        hessian=original.statistics.damped_hessian(_DAMPING).float(),
        steps=_SOLVER_STEPS,
    )
    return CompressedProjection(mask, sparse, u, v)
