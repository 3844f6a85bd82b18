"""SSLC's alternation for its default choices on the CPU, at little more than its three products.

Row blocks go through L̃ = Q Vᵀ, the sparse step and the next R V while they are in the cache; the
residual is the only matrix written. The same steps as ``methods.sslc.Sslc`` takes one by one, which
is what any other setting or device uses.
"""

import numpy as np
import torch

from sslc.linalg import selection_kernels as kernels
from sslc.linalg.low_rank import orthonormal, random_factor
from workloads.shapes.gemm import row_budgets

_BLOCK_ENTRIES = 1 << 19  # 2 MiB of float32: a block's L̃ and residual stay in a core's cache
_BLOCK_ROWS = 32
_FIRST_GUESS = np.float32(1).view(np.uint32)
_FIRST_REACH = np.uint32(1 << 23)


def alternate_rows(
    scaled: torch.Tensor,
    always: torch.Tensor,
    *,
    rank: int,
    nonzeros: int,
    iterations: int,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Alternate the warm-started low-rank step and the threshold per row.

    Args:
        scaled: W̃, shape (m, n), float32, contiguous, on the CPU.
        always: Positions that S always keeps, booleans (m, n).
        rank: r, at least 1.
        nonzeros: Positions of S, at least one in each row.
        iterations: T, at least 1.
        generator: Of the starting factor.

    Returns:
        U (m×r), V (n×r) and the positions of S, all in the scaled space.

    Source: as ``methods.sslc.Sslc``.
    """
    m, n = scaled.shape
    base, extra = row_budgets(nonzeros, m)
    keep = np.full(m, base, dtype=np.int64)
    keep[:extra] += 1
    v = random_factor(n, rank, generator=generator, device=scaled.device)
    residual = scaled.masked_fill(always, 0)
    projected = residual @ v
    refit = _Refit(scaled, always, keep)
    for left in reversed(range(iterations)):
        u = orthonormal(projected)
        v = (u.T @ residual).T.contiguous()
        if left:
            refit(u, v, residual, projected)
    return u, v, _positions(scaled, always, (u, v), (base, extra), residual)


class _Refit:
    """The sparse step and the next R V, row block by row block; keeps each row's threshold."""

    def __init__(self, scaled: torch.Tensor, always: torch.Tensor, keep: np.ndarray):
        m, n = scaled.shape
        self._scaled, self._always, self._keep = scaled, always, keep
        self._rows = max(_BLOCK_ROWS, _BLOCK_ENTRIES // n // _BLOCK_ROWS * _BLOCK_ROWS)
        self._low_rank = torch.empty(min(self._rows, m), n)
        self._thresholds = np.full(m, _FIRST_GUESS)
        self._reaches = np.full(m, _FIRST_REACH)
        self._scratch, self._keys = kernels.new_scratch(n), np.empty(n, np.uint32)

    def __call__(
        self, u: torch.Tensor, v: torch.Tensor, residual: torch.Tensor, projected: torch.Tensor
    ) -> None:
        """Overwrite W̃ − S̃ and its product with V.

        The two products run fastest with opposite layouts of V.
        """
        wide = v.T.contiguous()
        for start in range(0, len(u), self._rows):
            rows = slice(start, start + self._rows)
            low_rank = self._low_rank[: len(u[rows])]
            torch.mm(u[rows], wide, out=low_rank)
            kernels.refit_rows(
                self._scaled[rows].numpy(),
                low_rank.numpy(),
                self._always[rows].numpy(),
                self._keep[rows],
                self._thresholds[rows],
                self._reaches[rows],
                self._scratch,
                self._keys,
                residual[rows].numpy(),
            )
            torch.mm(residual[rows], v, out=projected[rows])


def _positions(
    scaled: torch.Tensor,
    always: torch.Tensor,
    factors: tuple[torch.Tensor, torch.Tensor],
    budget: tuple[int, int],
    errors: torch.Tensor,
) -> torch.Tensor:
    """The positions of S for the last factors; ``errors`` is overwritten."""
    u, v = factors
    torch.addmm(scaled, u, v.T, alpha=-1, out=errors)
    errors.abs_().masked_fill_(always, torch.inf)
    mask = torch.empty(scaled.shape, dtype=torch.bool)
    scratch = kernels.new_scratch(scaled.shape[1])
    kernels.mark_top_rows(errors.numpy(), *budget, scratch, mask.numpy())
    return mask
