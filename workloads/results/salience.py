"""Numbers about the salience of a matrix, |W_ij| d_j: how it is spread, what keeps most of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """How the salience of a matrix is spread.

    Attributes:
        total: Sum over all entries.
        top_share: Share of it that the largest 1% of the entries hold (at least one entry).
        column_variation: Standard deviation over mean of the columns' sums.
    """

    total: float
    top_share: float
    column_variation: float


@dataclass(frozen=True)
class Needed:
    """Shares of a projection's parameters that keep 80% of its salience.

    Attributes:
        pruning: Of the entries, when nothing but entries is kept.
        sparse: Of the entries, beside a low-rank part.
        low_rank: r(m + n)/(m n), what the low-rank part takes.
    """

    pruning: float
    sparse: float
    low_rank: float

    @property
    def synergistic(self) -> float:
        """Sparse and low-rank part together."""
        return self.sparse + self.low_rank
