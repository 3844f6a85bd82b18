"""The CPU backend: kernels up to 16 tokens, above them row panels and a GEMM.

A panel is rows of S written out into a bounded buffer, which the next panel uses again, so no dense
copy of a projection exists at any time.
"""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray

from sslc.runtime.backends import Backend, Projection
from sslc.runtime.bitmap import (
    BF16,
    FP32,
    GROUP_ROWS,
    INT8,
    SCALE_COLUMNS,
    BitmapMatrix,
    SparseRows,
    encode_bitmap,
)
from sslc.runtime.cpu import MAX_TOKENS, Panel, expand_panel, multiply, new_panel
from sslc.runtime.features import cpu_availability
from sslc.runtime.memory import as_tensor

PANEL_BYTES = 8 << 20
"""Of the rows of S that are written out at a time, unless three rows need more."""


@dataclass(frozen=True, eq=False)
class CpuOperator:
    """A projection in the bitmap format.

    Attributes:
        matrix: The projection.
        threads: That share the work; torch's own number for None.
    """

    matrix: BitmapMatrix
    threads: int | None = None

    @property
    def weight_bytes(self) -> int:
        """The stream, its offsets, Vᵀ and bias."""
        return self.matrix.bytes + self.matrix.bias.nbytes

    @property
    def extra_bytes(self) -> int:
        """The panel as stored and as converted to fp32 where the dtype of x is another."""
        panel = new_panel(self.matrix, self._panel_groups)
        converted = 4 * (panel.sparse.size + panel.u.size)
        return panel.sparse.nbytes + panel.scales.nbytes + panel.u.nbytes + converted

    @property
    def _panel_groups(self) -> int:
        row_bytes = self.matrix.padded_columns * self.matrix.kind.bytes
        return max(1, min(self.matrix.groups, PANEL_BYTES // (GROUP_ROWS * row_bytes)))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The product for x of shape (tokens, n), in the dtype of x."""
        threads = self.threads or torch.get_num_threads()
        if len(x) > MAX_TOKENS:
            return self._by_panels(x, threads)
        numbers = _numbers(x.detach().contiguous())
        return torch.from_numpy(multiply(self.matrix, numbers, threads=threads)).to(x.dtype)

    def _by_panels(self, x: torch.Tensor, threads: int) -> torch.Tensor:
        matrix = self.matrix
        dtype = x.dtype if matrix.kind is BF16 and x.dtype == torch.bfloat16 else torch.float32
        x_dtype, x = x.dtype, x.to(dtype)
        y = torch.empty((len(x), matrix.rows), dtype=x_dtype)
        v_rows = as_tensor(matrix.v_rows)[:, : matrix.columns].to(dtype)
        inner = x @ v_rows.T
        panel = new_panel(matrix, self._panel_groups)
        bias = torch.from_numpy(matrix.bias)
        for first in range(0, matrix.groups, self._panel_groups):
            expand_panel(matrix, first, panel, threads=threads)
            rows = slice(GROUP_ROWS * first, min(matrix.rows, GROUP_ROWS * first + len(panel.u)))
            count = rows.stop - rows.start
            part = (x @ _weights(panel, matrix.columns, dtype)[:count].T).float()
            u = as_tensor(panel.u)[:count, : matrix.rank].to(dtype)
            y[:, rows] = (part + (inner @ u.T).float() + bias[rows]).to(x_dtype)
        return y


def _weights(panel: Panel, columns: int, dtype: torch.dtype) -> torch.Tensor:
    """A panel's rows of S in a dtype."""
    rows = as_tensor(panel.sparse)
    if panel.sparse.dtype != INT8.dtype:
        return rows[:, :columns].to(dtype)
    scaled = rows.view(len(rows), -1, SCALE_COLUMNS) * torch.from_numpy(panel.scales)[:, :, None]
    return scaled.view(len(rows), -1)[:, :columns].to(dtype)


def _numbers(x: torch.Tensor) -> NDArray[Any]:
    """x as bf16 or fp32 in numpy; torch does not know numpy's bf16."""
    if x.dtype == torch.bfloat16:
        return x.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return x.float().numpy()


def prepare_cpu(projection: Projection) -> CpuOperator:
    """Put a projection into the bitmap format: int8 as it is, fp32 as it is, all else as bf16."""
    kind = {np.dtype(np.int8): INT8, np.dtype(np.float32): FP32}.get(projection.values.dtype, BF16)
    sparse = SparseRows(projection.mask, projection.values, projection.columns, projection.scales)
    matrix = encode_bitmap(sparse, kind, u=projection.u, v=projection.v, bias=projection.bias)
    return CpuOperator(matrix)


BACKEND = Backend("cpu", "cpu", cpu_availability, prepare_cpu)
