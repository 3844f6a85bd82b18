"""The budget that sparse plus low-rank methods share, with factors inside it or on top of it."""

from sslc.linalg.selection import sparse_nonzeros
from sslc.methods.base import Budget, beyond_budget
from workloads.shapes.gemm import largest_rank


def shared_budget(
    m: int,
    n: int,
    *,
    kept_fraction: float,
    rank_share: float,
    rank: int,
    group: str,
    counted: bool = True,
) -> Budget:
    """Rank and nonzeros of S for an m×n projection.

    Args:
        m: Rows.
        n: Columns.
        kept_fraction: Kept share of the parameters.
        rank_share: Share of them that the factors take.
        rank: A fixed rank in place of the share; −1 for the share.
        group: Comparison group of S.
        counted: Whether the factors count inside the kept fraction; if not, S alone keeps it.

    Raises:
        ValueError: The rank does not fit the shape, the factors alone exceed the budget, or a
            pattern does not fit it.
    """
    used = largest_rank(m, n, rank_share) if rank < 0 else rank
    if used >= min(m, n):
        raise ValueError(f"rank {used} does not fit a {m}x{n} projection")
    inside = used if counted else 0
    nonzeros = sparse_nonzeros(m, n, kept_fraction=kept_fraction, rank=inside, group=group)
    if nonzeros < 0:
        raise beyond_budget(m, n, rank=used, kept_fraction=kept_fraction, by_share=rank < 0)
    return Budget(used, nonzeros)


def check_rank(rank: int) -> None:
    """Raise ValueError unless a fixed rank is −1 (from the share) or at least 0."""
    if rank < -1:
        raise ValueError(f"rank must be -1 (from rank_share) or at least 0, got {rank}")
