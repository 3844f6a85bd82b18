"""One projection as a matrix product, and the arithmetic that every model of cost shares."""

from dataclasses import dataclass
from typing import Literal

Module = Literal["MHA", "FFN"]
MODULES: tuple[Module, ...] = ("MHA", "FFN")


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


def largest_rank(m: int, n: int, rank_share: float) -> int:
    """Largest rank whose factors take at most a share of the projection's parameters.

    Args:
        m: Rows of W.
        n: Columns of W.
        rank_share: Share of the m·n parameters, in [0, 1].

    Returns:
        floor(rank_share · m · n / (m + n)).

    Source: the parameter count r(m + n) of U and V, SSLC Section 4.2.3. A share that is meant to
    be an exact rank, such as 128·(m + n)/(m·n), is not lost to floating-point rounding.
    """
    return int(rank_share * m * n / (m + n) + 1e-9)


def kept_nonzeros(m: int, n: int, kept_fraction: float, rank: int) -> int:
    """Entries that the sparse part may keep once the factors are paid for.

    Args:
        m: Rows of W.
        n: Columns of W.
        kept_fraction: Kept share p of all m·n parameters, factors included.
        rank: Rank of the low-rank part.

    Returns:
        floor(p · m · n) − r(m + n), which is negative when the factors alone exceed the budget.

    Source: SSLC Section 4.2.3 (sparse part plus low-rank part equal p).
    """
    return int(kept_fraction * m * n + 1e-9) - rank * (m + n)


def row_budgets(nonzeros: int, m: int) -> tuple[int, int]:
    """Split a count over m rows: ⌊nonzeros/m⌋ each, and one more in the first rows.

    Returns:
        The base count and the number of leading rows that get one more.
    """
    return divmod(nonzeros, m)
