"""Packed masks: which weights a sparse matrix keeps, one bit each; and seeded synthetic ones.

A mask is stored row-major, least significant bit first, each row padded to whole bytes: the
layout of the artifact (``artifact.py``), so a memory-mapped file is a mask without a copy.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workloads.shapes.gemm import Gemm, row_budgets


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


@dataclass(frozen=True, eq=False)
class SparseLowRankGemm:
    """What the simulator runs for one projection: Y = S X + U (Vᵀ X).

    Attributes:
        gemm: Shape, module and tokens.
        mask: Places of S, m×n.
        rank: Columns r of U (m×r) and V (n×r); 0 when there is no low-rank part.
    """

    gemm: Gemm
    mask: PackedMask
    rank: int

    def __post_init__(self) -> None:
        if (self.mask.rows, self.mask.columns) != (self.gemm.m, self.gemm.n):
            raise ValueError(
                f"{self.gemm.name}: mask is {self.mask.rows}x{self.mask.columns}, "
                f"the projection {self.gemm.m}x{self.gemm.n}"
            )
        if self.rank < 0:
            raise ValueError(f"{self.gemm.name}: rank must not be negative, got {self.rank}")


def iid_mask(m: int, n: int, nonzeros: int, seed: int) -> PackedMask:
    """A uniformly random mask with exactly ``nonzeros`` places in the whole matrix."""
    mask = np.zeros(m * n, dtype=np.bool_)
    mask[np.random.default_rng(seed).permutation(m * n)[:nonzeros]] = True
    return PackedMask.pack(mask.reshape(m, n))


def row_balanced_mask(m: int, n: int, nonzeros: int, seed: int) -> PackedMask:
    """A random mask with ⌊nonzeros/m⌋ places per row and one more in the first rows."""
    scores = np.random.default_rng(seed).random((m, n), dtype=np.float32)
    return _top_per_row(scores, nonzeros)


def wanda_lognormal_mask(
    m: int, n: int, nonzeros: int, seed: int, sigma: float = 0.5
) -> PackedMask:
    """The mask that Wanda would choose for Gaussian weights and log-normal input norms.

    Scores are |w_ij|·d_j with w ~ N(0, 1) and ln d_j ~ N(0, sigma²), kept per row: columns with
    strong inputs come out dense, as on real models.

    Source: score of Sun et al. 2023, Eq. 1. The spread ``sigma`` is our assumption.
    """
    random = np.random.default_rng(seed)
    norms = np.exp(sigma * random.standard_normal(n, dtype=np.float32))
    scores = np.abs(random.standard_normal((m, n), dtype=np.float32)) * norms
    return _top_per_row(scores, nonzeros)


def _top_per_row(scores: NDArray[np.float32], nonzeros: int) -> PackedMask:
    m = scores.shape[0]
    base, extra = row_budgets(nonzeros, m)
    mask = np.zeros(scores.shape, dtype=np.bool_)
    for start, stop, keep in ((0, extra, base + 1), (extra, m, base)):
        if start < stop and keep:
            mask[start:stop] = _largest(scores[start:stop], keep)
    return PackedMask.pack(mask)


def _largest(scores: NDArray[np.float32], keep: int) -> NDArray[np.bool_]:
    """Places of the largest ``keep`` scores of each row; the first of equal ones."""
    place = scores.shape[1] - keep
    threshold = np.partition(scores, place, axis=1)[:, place : place + 1]
    mask: NDArray[np.bool_] = scores >= threshold
    for row in np.flatnonzero(np.count_nonzero(mask, axis=1) > keep):
        tied = np.flatnonzero(scores[row] == threshold[row])
        surplus = np.count_nonzero(mask[row]) - keep
        mask[row, tied[len(tied) - surplus :]] = False
    return mask
