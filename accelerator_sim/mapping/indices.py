"""How the places of S are stored in each tile: entries, values, bits, and cycles to decode. Pure.

After ``tiling``, before ``timing``. A tile without nonzeros stores nothing in any format.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.machine.hardware import HIERARCHICAL, Index
from accelerator_sim.mapping.tiling import Counts, TiledProjection, tile_sums
from workloads.masks.block_bitmap import block_entries
from workloads.masks.n_of_m import overfull_group
from workloads.masks.packed import PackedMask
from workloads.masks.pattern import Pattern
from workloads.masks.run_length import run_entries
from workloads.support.errors import InputError

_Extent = TypeVar("_Extent", int, Counts)


@dataclass(frozen=True, eq=False)
class StoredTiles:
    """The sparse part of every tile as it is stored; shape (I, J) each.

    Attributes:
        entries: What a decoder reads: places of a bitmap, indices, codes of runs with escapes, or
            N entries for each group of N:M.
        values: Values of S: nonzeros, and the padding of N:M.
        index_bits: Bits that give the places of the values.
    """

    entries: Counts
    values: Counts
    index_bits: Counts


def stored_tiles(tiled: TiledProjection, index: Index) -> StoredTiles:
    """Entries, values and index bits of every tile, dense columns left out.

    Numbers are as wide as a tile needs. ``bitmap``: a bit per place. ``csr``: a column number of
    ⌈log₂ columns⌉ bits per nonzero, and rows + 1 pointers of ⌈log₂(rows·columns + 1)⌉; ``csc``: a
    row number, and columns + 1 pointers. ``run_length``: a code of ``run_bits`` per entry
    (``workloads.masks.run_length``), and for each row how many, in ⌈log₂(columns + 1)⌉ bits.
    ``hierarchical_bitmap``: a bit per block of ``block_places`` and row, and a bit per place of
    those that are not empty (``workloads.masks.block_bitmap``). ``N:M``: ⌈log₂ M⌉ bits for each of
    N entries per row and group of M columns.

    Raises:
        InputError: The mask or the tile is not N:M.
    """
    nonzeros = tiled.tile_nonzeros
    rows, columns = tiled.row_sizes[:, None], tiled.column_sizes - tiled.dense
    stored = nonzeros > 0
    entries = values = nonzeros
    if index.format == "bitmap":
        entries = bits = rows * columns * stored
    elif index.format == "run_length":
        entries = tile_sums(_run_entries(tiled, index)) if tiled.sparse_nonzeros else nonzeros
        bits = (entries * index.run_bits + rows * _width(columns + 1)) * stored
    elif index.format == HIERARCHICAL:
        entries = bits = tile_sums(_block_entries(tiled, index)) if stored.any() else nonzeros
    elif index.n_of_m:
        entries = values = rows * _group_entries(tiled, index) * stored
        bits = entries * _width(np.asarray(index.n_of_m[1]))
    else:
        extent, pointers = (columns, rows) if index.format == "csr" else (rows, columns)
        pointer_bits = (pointers + 1) * _width(rows * columns + 1)
        bits = (nonzeros * _width(extent) + pointer_bits) * stored
    return StoredTiles(entries, values, bits)


class RowDecode(NamedTuple):
    """Cycles to decode one row of a tile: the larger of two looks into tables.

    Attributes:
        entries: Entries of each row that decide, shape (I, R, J).
        by_entries: Cycles by these, one for every number that a row may have.
        least: Cycles of every row of a tile, whatever its nonzeros, shape (I, J).
    """

    entries: NDArray[np.int32]
    by_entries: Counts
    least: Counts


def row_decode(tiled: TiledProjection, index: Index) -> RowDecode:
    """Decode of a row: ⌈entries / rate⌉; all rows of a tile alike for ``bitmap`` and ``N:M``.

    A row without nonzeros in a tile that has some reads the first level of a hierarchical bitmap.

    Raises:
        InputError: The mask or the tile is not N:M.
    """
    counts = np.arange(tiled.tile.columns + 1)
    by_entries = -(-counts // index.decode_per_cycle)
    if index.format in ("csr", "csc"):
        return RowDecode(tiled.counts, by_entries, np.zeros_like(tiled.tile_nonzeros))
    if index.format == "run_length":
        return RowDecode(_run_entries(tiled, index), by_entries, np.zeros_like(tiled.tile_nonzeros))
    if index.format == HIERARCHICAL:
        most = tiled.tile.columns + _blocks(tiled.tile.columns, index)
        by_entries = -(-np.arange(most + 1) // index.decode_per_cycle)
        first_level = -(-_blocks(tiled.column_sizes - tiled.dense, index) // index.decode_per_cycle)
        least = first_level * (tiled.tile_nonzeros > 0)
        return RowDecode(_block_entries(tiled, index), by_entries, least)
    alike = _group_entries(tiled, index) if index.n_of_m else tiled.column_sizes - tiled.dense
    least = -(-alike // index.decode_per_cycle) * (tiled.tile_nonzeros > 0)
    return RowDecode(tiled.counts, np.zeros_like(counts), least)


def _run_entries(tiled: TiledProjection, index: Index) -> NDArray[np.int32]:
    mask, dense = tiled.mask_and_dense
    return tiled.by_row_block(run_entries(mask, tiled.tile.columns, dense, index.run_bits))


def _block_entries(tiled: TiledProjection, index: Index) -> NDArray[np.int32]:
    """Bits of both levels in every row of a tile; none in a tile without nonzeros."""
    mask, dense = tiled.mask_and_dense
    widths = tiled.column_sizes - tiled.dense
    entries = tiled.by_row_block(block_entries(mask, widths, dense, index.block_places))
    return np.where((tiled.tile_nonzeros > 0)[:, None, :], entries, np.int32(0))


def _blocks(columns: _Extent, index: Index) -> _Extent:
    """⌈columns / B⌉."""
    return -(-columns // index.block_places)


def _group_entries(tiled: TiledProjection, index: Index) -> Counts:
    """Entries of one row in each column block: N per whole group, and of a short one all at most.

    Groups are of M consecutive columns of the matrix, dense ones included.
    """
    kept, group = pattern = Pattern(*(index.n_of_m or (0, 1)))
    if tiled.sparse_nonzeros:
        _refuse_cut_groups(tiled, pattern)
        refuse_overfull(tiled.gemm.name, *tiled.mask_and_dense, pattern)
    whole, rest = tiled.column_sizes // group, tiled.column_sizes % group
    return whole * kept + np.minimum(rest, kept)


def _refuse_cut_groups(tiled: TiledProjection, pattern: Pattern) -> None:
    kept, group = pattern
    if tiled.tile.columns % group and len(tiled.column_sizes) > 1:
        raise InputError(
            f"{tiled.gemm.name}: tile.columns = {tiled.tile.columns} cuts the groups of "
            f"index.format = {kept}:{group}; use a multiple of {group}, or all {tiled.gemm.n} "
            "columns"
        )


def refuse_overfull(
    name: str, mask: PackedMask, dense_columns: NDArray[np.bool_], pattern: Pattern
) -> None:
    """Refuse a mask with more than N nonzeros in a group of M columns, dense ones left out.

    Args:
        name: Of the projection.
        mask: Its places.
        dense_columns: Shape (n,).
        pattern: N and M.

    Raises:
        InputError: It has; the message says where.
    """
    kept, group = pattern
    overfull = overfull_group(mask, dense_columns, kept, group)
    if overfull is not None:
        row, column = overfull
        last = min(column + group, mask.columns) - 1
        raise InputError(
            f"{name}: index.format = {kept}:{group} keeps at most {kept} nonzeros in {group} "
            f"columns, and row {row} has more in columns {column} to {last} (counted from 0, "
            "outside dense columns); every other format takes any mask"
        )


def _width(values: Counts) -> Counts:
    """⌈log₂ v⌉: the bits of v − 1, exact for v from 1 to 2⁵³."""
    _, exponents = np.frexp(np.maximum(values - 1, 0).astype(np.float64))
    return exponents.astype(np.int64)
