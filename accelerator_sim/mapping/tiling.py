"""A projection cut into tiles, and its columns divided between the two engines. Pure.

After ``hardware``, before ``timing``: says which nonzeros lie in which tile, not how long they
take.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from workloads.masks.counts import column_counts, tile_row_counts
from workloads.masks.packed import PackedMask
from workloads.shapes.gemm import Gemm
from workloads.support.compiled import compiled
from workloads.support.errors import InputError

Counts = NDArray[np.int64]
_Whole = TypeVar("_Whole", np.int32, np.int64)

# Line cycles and bits of a whole projection are counted in 64 bits; a value has at most 64 bits.
_LARGEST_WORK = 1 << 55


@dataclass(frozen=True)
class TileShape:
    """Rows x columns of the weights x tokens of a full tile; tiles at the edges are smaller."""

    rows: int
    columns: int
    tokens: int


@dataclass(frozen=True, eq=False)
class TiledProjection:
    """One projection in tiles: I row blocks, J column blocks, Q token blocks of R rows at most.

    Attributes:
        gemm: Shape and tokens.
        rank: Columns of U and V; 0: none.
        tile: The full tile.
        row_sizes: Rows of each row block, shape (I,).
        column_sizes: Columns of each column block, shape (J,).
        token_sizes: Tokens of each token block, shape (Q,).
        dense: Dense columns in each column block, shape (J,).
        counts: Nonzeros outside dense columns, shape (I, R, J), zero where a row block is short.
        nonzeros: All nonzeros of S, those in dense columns included.
        mask: Places of S; None when no tile has nonzeros outside dense columns.
        is_dense: Dense columns of the mask, shape (n,).
    """

    gemm: Gemm
    rank: int
    tile: TileShape
    row_sizes: Counts
    column_sizes: Counts
    token_sizes: Counts
    dense: Counts
    counts: NDArray[np.int32]
    nonzeros: int
    mask: PackedMask | None = None
    is_dense: NDArray[np.bool_] | None = None

    @property
    def mask_and_dense(self) -> tuple[PackedMask, NDArray[np.bool_]]:
        """Mask and dense columns.

        Raises:
            ValueError: The projection was cut without a mask.
        """
        if self.mask is None or self.is_dense is None:
            raise ValueError(f"{self.gemm.name}: this index format needs the mask of S")
        return self.mask, self.is_dense

    @property
    def dense_columns(self) -> int:
        """G."""
        return int(self.dense.sum())

    @cached_property
    def tile_nonzeros(self) -> Counts:
        """Nonzeros of each tile outside the dense columns, shape (I, J)."""
        return tile_sums(self.counts)

    @cached_property
    def sparse_nonzeros(self) -> int:
        """Nonzeros outside the dense columns."""
        return int(self.tile_nonzeros.sum())

    def rows_in_blocks(self, cycles: Counts) -> Counts:
        """As ``by_row_block``, for 64 bits."""
        return np.asarray(_by_row_block(cycles, len(self.row_sizes), self.tile.rows))

    def by_row_block(self, counts: NDArray[np.int32]) -> NDArray[np.int32]:
        """Counts per row and column block, shape (m, J), as (I, R, J) with zeros at the end."""
        return _by_row_block(counts, len(self.row_sizes), self.tile.rows)


def tile_sums(counts: NDArray[np.int32]) -> Counts:
    """Sums over the rows of every tile: shape (I, R, J) to (I, J)."""
    sums = np.zeros((counts.shape[0], counts.shape[2]), dtype=np.int64)
    _add_rows(counts, sums)
    return sums


def _by_row_block(counts: NDArray[_Whole], blocks: int, rows: int) -> NDArray[_Whole]:
    short = blocks * rows - len(counts)
    padded = np.pad(counts, ((0, short), (0, 0))) if short else counts
    return padded.reshape(blocks, rows, -1)


@compiled
def _add_rows(counts: NDArray[np.int32], sums: Counts) -> None:
    """Sum the rows of every tile."""
    for block in range(counts.shape[0]):
        for row in range(counts.shape[1]):
            for tile in range(counts.shape[2]):
                sums[block, tile] += counts[block, row, tile]


def block_sizes(extent: int, size: int) -> Counts:
    """Sizes of consecutive blocks of an extent; only the last may be smaller."""
    sizes = np.full(-(-extent // size), size, dtype=np.int64)
    sizes[-1] = extent - size * (len(sizes) - 1)
    return sizes


def choose_dense_columns(mask: PackedMask, threshold: float) -> NDArray[np.bool_]:
    """Columns that the denser engine executes whole: those with more than t·m nonzeros.

    Args:
        mask: m×n.
        threshold: t in [0, 1]; at 1 no column is dense.

    Returns:
        Shape (n,).
    """
    if threshold >= 1.0:
        return np.zeros(mask.columns, dtype=np.bool_)
    return column_counts(mask) > threshold * mask.rows


def cut(
    gemm: Gemm, mask: PackedMask, *, rank: int, dense_columns: NDArray[np.bool_], tile: TileShape
) -> TiledProjection:
    """Cut a sparse plus low-rank projection into tiles.

    Args:
        gemm: m×n and its tokens.
        mask: Places of S.
        rank: Columns of U and V.
        dense_columns: Shape (n,), from ``choose_dense_columns``.
        tile: The full tile; extents beyond the projection's are cut down to them.
    """
    shape = _clip(tile, gemm)
    starts = np.arange(0, gemm.n, shape.columns)
    dense = np.add.reduceat(dense_columns, starts, dtype=np.int64)
    counts = tile_row_counts(mask, shape.columns, dense_columns)
    tiled = _tiled(gemm, rank, shape, dense, counts, mask.nnz)
    return replace(tiled, mask=mask, is_dense=dense_columns)


def cut_dense(gemm: Gemm, tile: TileShape) -> TiledProjection:
    """Cut the same matrix, run dense: every column is dense and there is no index."""
    shape = _clip(tile, gemm)
    dense = block_sizes(gemm.n, shape.columns)
    counts = np.zeros((gemm.m, len(dense)), dtype=np.int32)
    return _tiled(gemm, 0, shape, dense, counts, gemm.parameters)


def _clip(tile: TileShape, gemm: Gemm) -> TileShape:
    return TileShape(
        min(tile.rows, gemm.m), min(tile.columns, gemm.n), min(tile.tokens, gemm.tokens)
    )


def _tiled(
    gemm: Gemm, rank: int, tile: TileShape, dense: Counts, counts: NDArray[np.int32], nonzeros: int
) -> TiledProjection:
    if (gemm.m + rank) * (gemm.n + rank) * gemm.tokens >= _LARGEST_WORK:
        raise InputError(
            f"{gemm.name}: {gemm.m} x {gemm.n}, rank {rank} and {gemm.tokens} tokens are more "
            "work than 64-bit counts hold: use fewer tokens"
        )
    row_sizes = block_sizes(gemm.m, tile.rows)
    return TiledProjection(
        gemm=gemm,
        rank=rank,
        tile=tile,
        row_sizes=row_sizes,
        column_sizes=block_sizes(gemm.n, tile.columns),
        token_sizes=block_sizes(gemm.tokens, tile.tokens),
        dense=dense,
        counts=_by_row_block(counts, len(row_sizes), tile.rows),
        nonzeros=nonzeros,
    )
