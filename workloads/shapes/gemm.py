"""One projection as a matrix product, and the arithmetic that every model of cost shares."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Module = Literal["MHA", "FFN"]
MODULES: tuple[Module, ...] = ("MHA", "FFN")
MOST_TOKENS = 2**20
"""Limit of tokens per product where they are asked for."""


@dataclass(frozen=True)
class Gemm:
    """The product of one weight matrix with the activations of some tokens: Y = W X.

    Attributes:
        name: Projection name, such as ``q_proj``.
        module: ``MHA`` (q, k, v, o) or ``FFN`` (gate, up, down), as the published table has them.
        m: Rows of W (output features).
        n: Columns of W (input features).
        tokens: Columns of X.
    """

    name: str
    module: Module
    m: int
    n: int
    tokens: int = 1

    def __post_init__(self) -> None:
        if self.module not in MODULES:
            raise ValueError(f"{self.name}: module must be one of {MODULES}, got {self.module!r}")
        if min(self.m, self.n, self.tokens) < 1:
            raise ValueError(
                f"{self.name}: m, n and tokens must be at least 1, "
                f"got {self.m}, {self.n} and {self.tokens}"
            )

    @property
    def parameters(self) -> int:
        """Entries of W."""
        return self.m * self.n

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense product."""
        return self.m * self.n * self.tokens

    def low_rank_macs(self, rank: int) -> int:
        """Multiply-accumulates of the two thin products Vᵀ X (r×n) and U (Vᵀ X) (m×r)."""
        return rank * (self.m + self.n) * self.tokens


def exact(share: float | Fraction) -> Fraction:
    """A share as it was written: 0.7 is seven tenths, not the nearest binary fraction."""
    return share if isinstance(share, Fraction) else Fraction(str(float(share)))


def count_within(share: float | Fraction, whole: int, unit: int = 1) -> int:
    """Largest count of units that takes at most a share of a whole, exactly.

    A share that was itself computed as count·unit / whole gives that count, although a float
    cannot hold the quotient.

    Args:
        share: Share of the whole, at least 0.
        whole: Such as the m·n parameters of a projection.
        unit: Size of what is counted, such as the m + n parameters of a rank.
    """
    count = int(exact(share) * whole / unit)
    if isinstance(share, Fraction):
        return count
    return count + (0 < share < 1 and (count + 1) * unit / whole == share)


def largest_rank(m: int, n: int, rank_share: float | Fraction) -> int:
    """Largest rank whose factors take at most a share of the projection's parameters.

    Args:
        m: Rows of W.
        n: Columns of W.
        rank_share: Share of the m·n parameters, in [0, 1].

    Returns:
        floor(rank_share · m · n / (m + n)), for the share as it was written.

    Source: the parameter count r(m + n) of U and V, SSLC Section 4.2.3.
    """
    return count_within(rank_share, m * n, m + n)


def kept_nonzeros(m: int, n: int, kept_fraction: float | Fraction, rank: int) -> int:
    """Entries that the sparse part may keep once the factors are paid for.

    Args:
        m: Rows of W.
        n: Columns of W.
        kept_fraction: Kept share p of all m·n parameters, factors included.
        rank: Rank of the low-rank part.

    Returns:
        floor(p · m · n) − r(m + n), which is negative when the factors alone exceed the budget;
        p is the fraction as it was written.

    Source: SSLC Section 4.2.3 (sparse part plus low-rank part equal p).
    """
    return count_within(kept_fraction, m * n) - rank * (m + n)


def row_budgets(nonzeros: int, m: int) -> tuple[int, int]:
    """Split a count over m rows: ⌊nonzeros/m⌋ each, and one more in the first rows.

    Returns:
        The base count and the number of leading rows that get one more.
    """
    return divmod(nonzeros, m)
