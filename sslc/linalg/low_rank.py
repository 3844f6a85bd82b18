"""Rank-r approximations R ≈ U Vᵀ, one step each: what SSLC's alternation may use.

Every step takes the residual, the last right factor and a seeded generator, and gives U (m×r) and
V (n×r). ``warm`` is the default; ``exact`` is its yardstick; ``godec`` and ``brp`` are the
published random projections, for study.
"""

from collections.abc import Callable

import torch

_WORST_DIAGONAL = 1e-5
Step = Callable[[torch.Tensor, torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]]


def random_factor(
    columns: int, rank: int, *, generator: torch.Generator, device: torch.device
) -> torch.Tensor:
    """A Gaussian n×r factor, the same on every device."""
    return torch.randn(columns, rank, generator=generator).to(device)


def subspace_step(
    matrix: torch.Tensor, v: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """One warm-started subspace iteration: matrix ≈ Q Vᵀ.

    Args:
        matrix: R, m×n.
        v: The last right factor, n×r.
        generator: Not used.

    Returns:
        Q (m×r, orthonormal columns) = orth(R V) and the new V (n×r) = Rᵀ Q.

    Source: SSLC Eq. 6-7 asks for bilateral random projections; this is their stable form. Q spans
    the best left factor for the old V and Rᵀ Q is the best right factor for that span, so
    ‖R − Q Vᵀ‖_F never rises from step to step (Appendix A made true). The paper leaves the warm
    start open.
    """
    del generator
    q = orthonormal(matrix @ v)
    return q, (q.T @ matrix).T


def orthonormal(columns: torch.Tensor) -> torch.Tensor:
    """An orthonormal basis of what some columns span, shape (m, r).

    By Cholesky factorisation of their Gram matrix in float64, half the time of a QR and as good
    while the columns' condition number stays below 10⁵; by QR otherwise.
    """
    exact = columns.double()
    factor, failed = torch.linalg.cholesky_ex(exact.T @ exact)
    diagonal = factor.diagonal()
    if failed or not diagonal.min() > _WORST_DIAGONAL * diagonal.max():
        basis: torch.Tensor = torch.linalg.qr(columns)[0]
        return basis
    basis = torch.linalg.solve_triangular(factor, exact.T, upper=False).T
    return basis.to(columns.dtype)


def exact_step(
    matrix: torch.Tensor, v: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best approximation of v's rank, by a full SVD (Eckart & Young)."""
    del generator
    left, _, _ = torch.linalg.svd(matrix, full_matrices=False)
    q = left[:, : v.shape[1]]
    return q, matrix.T @ q


def godec_step(
    matrix: torch.Tensor, v: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bilateral random projection with A₂ = Y₁ and one power step, made anew each time.

    Source: Zhou & Tao 2011 (GoDec), Section 3. L = Y₁ (Y₁ᵀ Y₁)⁻¹ Y₁ᵀ R is Q Qᵀ R with
    Q = orth(Y₁), which needs no inverse. Losses may rise: each draw starts from nothing.
    """
    fresh = random_factor(v.shape[0], v.shape[1], generator=generator, device=matrix.device)
    q, _ = torch.linalg.qr(matrix @ (matrix.T @ (matrix @ fresh)))
    return q, matrix.T @ q


def brp_step(
    matrix: torch.Tensor, v: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Eq. 7 as printed: Y₁ = R A₁, Y₂ = Rᵀ A₂, L = Y₁ (A₂ᵀ Y₁)⁻¹ Y₂ᵀ with fresh random A₁, A₂.

    Raises:
        ValueError: A₂ᵀ Y₁ is singular or the result is not finite, as happens on real weights.

    Source: SSLC Eq. 6-7; A₂ is read as m×r (printed r×m).
    """
    (m, n), rank = matrix.shape, v.shape[1]
    first = random_factor(n, rank, generator=generator, device=matrix.device)
    second = random_factor(m, rank, generator=generator, device=matrix.device)
    y1, y2 = matrix @ first, matrix.T @ second
    inverse, failed = torch.linalg.inv_ex(second.T @ y1)
    u = y1 @ inverse
    if failed or not torch.isfinite(u).all():
        raise ValueError("the literal bilateral random projection diverged; use low_rank=warm")
    return u, y2


STEPS: dict[str, Step] = {
    "warm": subspace_step,
    "exact": exact_step,
    "godec": godec_step,
    "brp": brp_step,
}
