"""A compressed projection as the GPU kernels read it: delta-4, Vᵀ and U, padded, on a device."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sslc.runtime.delta4 import CHUNK, Delta4
from workloads.support.errors import InputError

DTYPES = (torch.bfloat16, torch.float16)
LARGEST_TOKENS = 16


@dataclass(frozen=True)
class GpuOperands:
    """W ≈ S + U Vᵀ on a device.

    Attributes:
        rows: m.
        columns: n.
        rank: r.
        dtype: Of values, factors and activations: bf16 or fp16.
        values: S's values, two in each int32.
        codes: S's column deltas.
        starts: S's lane starts, uint16 as int16.
        row_chunks: S's row offsets.
        v: padded rank × padded columns: Vᵀ, zeros past r and n.
        u: m × padded rank, zeros past r.
        bias: m in fp32, or None.
    """

    rows: int
    columns: int
    rank: int
    dtype: torch.dtype
    values: Tensor
    codes: Tensor
    starts: Tensor
    row_chunks: Tensor
    v: Tensor
    u: Tensor
    bias: Tensor | None

    @property
    def padded_columns(self) -> int:
        """Columns of Vᵀ and of packed x: whole chunks, and one where a row's end may point."""
        return self.v.shape[1]

    @property
    def padded_rank(self) -> int:
        """Columns of U."""
        return self.v.shape[0]

    @property
    def bytes(self) -> int:
        """Bytes that one product reads of the operands."""
        parts = (self.values, self.codes, self.starts, self.row_chunks, self.v, self.u)
        return sum(part.numel() * part.element_size() for part in parts)


def place_operands(
    matrix: Delta4, u: Tensor, v: Tensor, *, bias: Tensor | None, device: torch.device
) -> GpuOperands:
    """Put a projection on a device.

    Args:
        matrix: S; its 16-bit values are those of the factors' dtype.
        u: m × r, bf16 or fp16.
        v: n × r, in the same dtype.
        bias: m, or None.
        device: Where the kernels run.

    Returns:
        The operands.

    Raises:
        InputError: A shape or dtype disagrees.
    """
    rank = u.shape[1]
    if u.shape != (matrix.rows, rank) or v.shape != (matrix.columns, rank):
        shapes = f"{tuple(u.shape)} and {tuple(v.shape)}"
        raise InputError(f"u and v of shapes {shapes} do not fit S {matrix.rows}×{matrix.columns}")
    if u.dtype not in DTYPES or v.dtype != u.dtype or matrix.values.itemsize != 2:
        raise InputError(f"GPU kernels take bf16 or fp16 values and factors, got {u.dtype}")
    padded_rank = -(-rank // CHUNK) * CHUNK
    padded_columns = -(-matrix.columns // CHUNK) * CHUNK + CHUNK
    factor_v = torch.zeros(padded_rank, padded_columns, dtype=u.dtype, device=device)
    factor_v[:rank, : matrix.columns] = v.T.to(device)
    factor_u = torch.zeros(matrix.rows, padded_rank, dtype=u.dtype, device=device)
    factor_u[:, :rank] = u.to(device)
    return GpuOperands(
        matrix.rows,
        matrix.columns,
        rank,
        u.dtype,
        torch.from_numpy(matrix.values.view(np.int32)).to(device),
        torch.from_numpy(matrix.codes.view(np.int32)).to(device),
        torch.from_numpy(matrix.starts.view(np.int16)).to(device),
        torch.from_numpy(matrix.row_chunks).to(device),
        factor_v,
        factor_u,
        None if bias is None else bias.to(device, torch.float32),
    )


def check_tokens(operands: GpuOperands, x: Tensor) -> int:
    """The tokens of x, rounded up to a power of two.

    Args:
        operands: The projection.
        x: tokens × n.

    Returns:
        1, 2, 4, 8 or 16.

    Raises:
        InputError: x has another shape, dtype or too many tokens.
    """
    if x.ndim != 2 or x.shape[1] != operands.columns or x.dtype != operands.dtype:
        raise InputError(
            f"x of shape {tuple(x.shape)} and {x.dtype} should be tokens × {operands.columns} "
            f"in {operands.dtype}"
        )
    if not 1 <= x.shape[0] <= LARGEST_TOKENS:
        raise InputError(f"x has {x.shape[0]} tokens, the decode kernels take 1 to 16")
    return 1 << (x.shape[0] - 1).bit_length()
