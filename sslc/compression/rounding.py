"""A compressed projection rounded to the dtype in which it is stored."""

import torch

from sslc.methods.base import CompressedProjection
from sslc.model.finite import is_finite
from sslc.model.source import TORCH_DTYPES
from sslc.model.weights import row_chunks, to_numpy
from workloads.artifact.read import CompressedTensors
from workloads.masks.packed import PackedMask


def to_stored(
    projection: CompressedProjection, dtype: str, *, bias: torch.Tensor | None
) -> CompressedTensors:
    """Round a compressed projection to the dtype in which it is stored.

    The rounding error of U Vᵀ is added to S at the kept positions, so that rounding the factors
    costs nothing there.

    Args:
        projection: As the method left it.
        dtype: ``BF16``, ``F16`` or ``F32``.
        bias: The layer's bias, stored in the same dtype.

    Raises:
        ValueError: A value does not fit the dtype.
    """
    kind = TORCH_DTYPES[dtype]
    u, v = projection.u.to(kind), projection.v.to(kind)
    parts = []
    for rows in row_chunks(*projection.mask.shape):
        lost = projection.u[rows] @ projection.v.T - u[rows].float() @ v.float().T
        parts.append((projection.sparse[rows] + lost)[projection.mask[rows]].to(kind))
    values = torch.cat(parts)
    rounded_bias = None if bias is None else bias.to(kind)
    for tensor in (values, u, v, rounded_bias):
        if tensor is not None and not is_finite(tensor):
            raise ValueError(f"a value is not finite in {dtype}")
    return CompressedTensors(
        PackedMask.pack(projection.mask.cpu().numpy()),
        to_numpy(values.cpu()),
        to_numpy(u.cpu()),
        to_numpy(v.cpu()),
        None if rounded_bias is None else to_numpy(rounded_bias.cpu()),
    )
