"""Seeded synthetic masks, and one block of a model's shape with them, without a checkpoint."""

import numpy as np
from numpy.typing import NDArray

from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import kept_nonzeros, largest_rank, row_budgets
from workloads.shapes.transformer import ModelShape
from workloads.support.errors import InputError


def synthetic_block(
    shape: ModelShape,
    kept_fraction: float,
    rank: int,
    tokens: int,
    seed: int,
    factors_inside_budget: bool = True,
) -> list[SparseLowRankGemm]:
    """The projections of one block, each with a Wanda-like mask of its own seed.

    Args:
        shape: The model.
        kept_fraction: Kept share p of each projection's parameters, in [0, 1].
        rank: Rank of every projection's low-rank part.
        tokens: Tokens per product.
        seed: Each projection's mask has its own seed derived from it.
        factors_inside_budget: True: S keeps p minus the low-rank share (SSLC Section 4.2.3);
            False: S keeps p and the factors come on top.

    Raises:
        InputError: The factors do not fit a projection or leave nothing of the budget.
    """
    counts = synthetic_nonzeros(shape, kept_fraction, rank, factors_inside_budget)
    block = []
    for place, (gemm, nonzeros) in enumerate(zip(shape.projections(tokens), counts, strict=True)):
        mask = wanda_lognormal_mask(gemm.m, gemm.n, nonzeros, seed=seed * 1000 + place)
        block.append(SparseLowRankGemm(gemm, mask, rank))
    return block


def synthetic_nonzeros(
    shape: ModelShape, kept_fraction: float, rank: int, factors_inside_budget: bool = True
) -> list[int]:
    """Nonzeros of S of each projection of a ``synthetic_block``, without making any mask.

    Raises:
        InputError: As for ``synthetic_block``; the sentence says which rank would do.
    """
    counts = []
    for gemm in shape.projections():
        paid = rank if factors_inside_budget else 0
        nonzeros = kept_nonzeros(gemm.m, gemm.n, kept_fraction, paid)
        if nonzeros < 0 or rank > min(gemm.m, gemm.n):
            most = min(gemm.m, gemm.n)
            if factors_inside_budget:
                most = min(most, largest_rank(gemm.m, gemm.n, kept_fraction))
            raise InputError(
                f"{shape.name} {gemm.name}: rank {rank} is more than a {gemm.m}x{gemm.n} matrix "
                f"at kept_fraction {kept_fraction} allows; it allows a rank up to {most}"
            )
        counts.append(nonzeros)
    return counts


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
