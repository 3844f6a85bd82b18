"""The published compute-only model: perfect balance, no index, no tiles, no memory. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.mapping.split import proportional_lines
from workloads.masks.counts import column_counts
from workloads.masks.packed import PackedMask


@dataclass(frozen=True)
class PublishedSparse:
    """S alone by the compute-only model.

    Attributes:
        threshold: t; column j is dense when nnz_j > t·m.
        cycles: Of the slower engine.
        dense_columns: G.
        denser_lines: Lines of the denser engine.
        executed_zeros: Zeros inside dense columns, for all tokens.
    """

    threshold: float
    cycles: int
    dense_columns: int
    denser_lines: int
    executed_zeros: int


def published_sparse_cycles(
    counts: NDArray[np.int64],
    m: int,
    *,
    threshold: float,
    lines: int,
    macs_per_line: int,
    tokens: int = 1,
) -> PublishedSparse:
    """Cycles of S by the compute-only model: perfect balance, no index, no tiles, no memory.

    Args:
        counts: Nonzeros of every column, shape (n,).
        m: Rows.
        threshold: t in [0, 1].
        lines: PE lines.
        macs_per_line: MACs of one line per cycle.
        tokens: Columns of X; the published table has 1.

    Returns:
        With G dense columns and nnz_s nonzeros outside them: the denser engine's
        ⌈m·G·tokens / (dw·P)⌉ or the sparser engine's ⌈nnz_s·tokens / ((lines − dw)·P)⌉, whichever
        is more, dw in proportion to m·G against m·G + nnz_s.

    Source: You et al. 2023 (ViTCoD), corrected: its script rounds the split down and gives lines to
    an engine without work. Zong et al., arXiv 2510.26446v1, Table 4 gives no threshold. Executed
    zeros only add work, so no threshold beats G = 0, which takes ⌈nnz·tokens / (lines·P)⌉.
    """
    dense = counts > threshold * m if threshold < 1.0 else np.zeros(len(counts), dtype=np.bool_)
    columns = int(dense.sum())
    outside = int(counts[~dense].sum())
    denser_lines = proportional_lines(m * columns, outside, lines=lines)
    cycles = max(
        -(-work * tokens // (share * macs_per_line)) if share else 0
        for work, share in ((m * columns, denser_lines), (outside, lines - denser_lines))
    )
    zeros = (m * columns - int(counts[dense].sum())) * tokens
    return PublishedSparse(threshold, cycles, columns, denser_lines, zeros)


def published_curve(
    mask: PackedMask,
    thresholds: Iterable[float],
    *,
    lines: int,
    macs_per_line: int,
    tokens: int = 1,
) -> list[PublishedSparse]:
    """The compute-only model of S over dense-column thresholds; see ``published_sparse_cycles``."""
    counts = column_counts(mask)
    return [
        published_sparse_cycles(
            counts,
            mask.rows,
            threshold=threshold,
            lines=lines,
            macs_per_line=macs_per_line,
            tokens=tokens,
        )
        for threshold in thresholds
    ]
