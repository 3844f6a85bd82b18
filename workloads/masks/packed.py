"""Packed masks: which weights a sparse matrix keeps, one bit each.

A mask is stored row-major, least significant bit first, each row padded to whole bytes: the
layout of the artifact (``workloads.artifact``), so a memory-mapped file is a mask without a copy.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workloads.shapes.gemm import Gemm


@dataclass(frozen=True, eq=False)
class PackedMask:
    """The places of a sparse m×n matrix.

    Attributes:
        bits: uint8 array, m × ⌈n/8⌉; bit b of byte k of row i is column 8k + b; padding is zero.
        columns: n.
    """

    bits: NDArray[np.uint8]
    columns: int

    def __post_init__(self) -> None:
        width = -(-self.columns // 8)
        if self.bits.ndim != 2 or self.bits.dtype != np.uint8 or self.bits.shape[1] != width:
            raise ValueError(
                f"a mask with {self.columns} columns needs uint8 rows of {width} bytes, "
                f"got {self.bits.dtype} of shape {self.bits.shape}"
            )

    @property
    def rows(self) -> int:
        """m."""
        return int(self.bits.shape[0])

    @cached_property
    def nnz(self) -> int:
        """Kept places."""
        whole = self.bits.shape[1] % 8 == 0 and self.bits.flags.c_contiguous
        words = self.bits.view(np.uint64) if whole else self.bits
        return int(np.bitwise_count(words).sum(dtype=np.int64))

    def unpack(self) -> NDArray[np.bool_]:
        """The mask as an m×n array of booleans."""
        flat = np.unpackbits(self.bits, axis=1, count=self.columns, bitorder="little")
        return flat.view(np.bool_)

    @staticmethod
    def pack(mask: NDArray[np.bool_]) -> "PackedMask":
        """Pack an m×n array of booleans."""
        return PackedMask(np.packbits(mask, axis=1, bitorder="little"), mask.shape[1])


@dataclass(frozen=True)
class StoredBits:
    """Widths of what a projection is loaded in, where its file decides them and not the machine.

    Attributes:
        values: Bits of a value of S; None: the machine's.
        factors: Bits of an entry of U and V; None: the machine's.
        scale_columns: Columns of a row of S that share a 16-bit scale; 0 for none.
        factor_scales: Whether every column of U and V has one.
    """

    values: int | None = None
    factors: int | None = None
    scale_columns: int = 0
    factor_scales: bool = False


@dataclass(frozen=True, eq=False)
class SparseLowRankGemm:
    """What the simulator runs for one projection: Y = S X + U (Vᵀ X).

    Attributes:
        gemm: Shape, module and tokens.
        mask: Places of S, m×n.
        rank: Columns r of U (m×r) and V (n×r); 0 when there is no low-rank part.
        stored: Widths that its file decides; None: the machine's.
    """

    gemm: Gemm
    mask: PackedMask
    rank: int
    stored: StoredBits | None = None

    def __post_init__(self) -> None:
        if (self.mask.rows, self.mask.columns) != (self.gemm.m, self.gemm.n):
            raise ValueError(
                f"{self.gemm.name}: mask is {self.mask.rows}x{self.mask.columns}, "
                f"the projection {self.gemm.m}x{self.gemm.n}"
            )
        if self.rank < 0:
            raise ValueError(f"{self.gemm.name}: rank must not be negative, got {self.rank}")

    @property
    def has_work(self) -> bool:
        """Whether S or the low-rank part has an entry; without any the product is zero."""
        return bool(self.mask.nnz or self.rank)
