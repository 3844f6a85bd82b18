"""One block of a model's shape with seeded synthetic masks: a workload without a checkpoint."""

from workloads.masks.packed import SparseLowRankGemm, wanda_lognormal_mask
from workloads.shapes.gemm import kept_nonzeros
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
    block = []
    for place, gemm in enumerate(shape.projections(tokens)):
        paid = rank if factors_inside_budget else 0
        nonzeros = kept_nonzeros(gemm.m, gemm.n, kept_fraction, paid)
        if nonzeros < 0 or rank > min(gemm.m, gemm.n):
            raise InputError(
                f"{shape.name} {gemm.name}: rank {rank} is more than a {gemm.m}x{gemm.n} matrix "
                f"at kept_fraction {kept_fraction} allows"
            )
        mask = wanda_lognormal_mask(gemm.m, gemm.n, nonzeros, seed=seed * 1000 + place)
        block.append(SparseLowRankGemm(gemm, mask, rank))
    return block
