"""Rows of a delta-4 matrix written out as a dense panel, on the device, by torch alone."""

import torch
from torch import Tensor

from sslc.runtime.delta4 import CHUNK, LANES
from sslc.runtime.gpu_operands import GpuOperands


def new_panel(operands: GpuOperands, rows: int) -> Tensor:
    """A buffer for ``expand_rows``.

    Args:
        operands: The projection.
        rows: Of a panel.

    Returns:
        rows × padded columns, in the operands' dtype.
    """
    shape = (rows, operands.padded_columns)
    return torch.empty(shape, dtype=operands.dtype, device=operands.values.device)


def expand_rows(operands: GpuOperands, first: int, panel: Tensor) -> Tensor:
    """Write rows of S into a panel.

    Args:
        operands: The projection.
        first: First row.
        panel: From ``new_panel``; as many rows as it has, or as are left, are written.

    Returns:
        A view of the panel: rows × n.
    """
    ends = operands.row_chunks[first : first + len(panel) + 1].long()
    rows, chunks = len(ends) - 1, ends.diff()
    step = torch.arange(-(-int(chunks.max()) // LANES), device=ends.device)
    lane = torch.arange(LANES, device=ends.device)
    place = LANES * step[:, None] + lane
    kept = place < chunks[:, None, None]
    chunk = (ends[:-1, None, None] + place)[kept]
    gaps = _distances(operands.codes, chunk)
    advance = torch.zeros(kept.shape, dtype=torch.long, device=ends.device)
    advance[kept] = gaps.sum(1)
    starts = operands.starts[first : first + rows].long() & 0xFFFF
    begin = (advance.cumsum(1) - advance + starts[:, None, :])[kept]
    columns = begin[:, None] + gaps.cumsum(1) - 1
    row = torch.arange(rows, device=ends.device)[:, None, None].expand(kept.shape)[kept]
    values = operands.values.view(operands.dtype).view(-1, CHUNK)[chunk]
    dense = panel[:rows].zero_()
    dense.view(-1).index_add_(
        0, (row[:, None] * dense.shape[1] + columns).view(-1), values.reshape(-1)
    )
    return dense[:, : operands.columns]


def _distances(codes: Tensor, chunk: Tensor) -> Tensor:
    """Distances of the entries of some chunks: chunks × 8."""
    shifts = 4 * torch.arange(CHUNK, device=codes.device)
    return ((codes[chunk].long()[:, None] >> shifts) & 15) + 1
