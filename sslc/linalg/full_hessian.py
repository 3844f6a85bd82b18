"""The sub-problems of S + U Vᵀ under the full Hessian H = X Xᵀ of the inputs.

The low-rank step and the values of S lower ‖(W − S − L) X‖_F² = tr((W − S − L) H (W − S − L)ᵀ) and
never raise it; new positions may.
"""

import torch

from sslc.linalg.selection import keep_top


def whitened_low_rank(
    matrix: torch.Tensor, hessian: torch.Tensor, *, q: torch.Tensor, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The low-rank part of R that matters most for R X: L = Q Qᵀ R.

    Args:
        matrix: R = W − S, m×n.
        hessian: H, n×n.
        q: m×r starting factor with orthonormal columns.
        steps: Subspace iterations towards the top eigenvectors of R H Rᵀ.

    Returns:
        Q (m×r, orthonormal columns) and V = Rᵀ Q (n×r).

    Source: the best rank-r approximation of R H^½ is Q Qᵀ R H^½ with Q the top left singular
    vectors (Eckart & Young); iterations in place of an eigendecomposition are ours.
    """
    for _ in range(steps):
        q, _ = torch.linalg.qr(matrix @ (hessian @ (matrix.T @ q)))
    return q, matrix.T @ q


def best_low_rank(
    matrix: torch.Tensor, root: torch.Tensor, rank: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rank-r L that is nearest to R in ‖(R − L) C‖_F, H = C Cᵀ.

    Args:
        matrix: R, m×n.
        root: C, n×n, float64, invertible.
        rank: r, less than m and n.

    Returns:
        Q (m×r, orthonormal columns) and V = Rᵀ Q (n×r), L = Q Vᵀ.

    Source: Eckart & Young: Q are the top left singular vectors of R C; found in float64 from the
    smaller of its Gram matrices.
    """
    scaled = matrix.double() @ root
    m, n = scaled.shape
    if m <= n:
        q = torch.linalg.eigh(scaled @ scaled.T)[1][:, m - rank :]
    else:
        q, _ = torch.linalg.qr(scaled @ torch.linalg.eigh(scaled.T @ scaled)[1][:, n - rank :])
    q = q.to(matrix.dtype)
    return q, matrix.T @ q


def thresholded_support(
    target: torch.Tensor, sparse: torch.Tensor, *, hessian: torch.Tensor, nonzeros: int
) -> torch.Tensor:
    """Positions of S after one gradient step from S, per output row: booleans, m×n.

    Args:
        target: R = W − L, m×n.
        sparse: S, m×n.
        hessian: H, n×n, with a positive diagonal.
        nonzeros: Positions in all, dealt to the rows as in ``selection.keep_top``.

    Returns:
        The largest |S + (R − S) H diag(H)⁻¹| · diag(H)^½ of each row.

    Source: iterative hard thresholding (Blumensath & Davies 2009), preconditioned by diag(H). With
    a diagonal H these are SSLC's positions, the largest |R_ij| d_j.
    """
    diagonal = hessian.diagonal()
    stepped = sparse + (target - sparse) @ hessian / diagonal
    return keep_top(stepped.abs() * diagonal.sqrt(), nonzeros, group="row")


def solve_on_support(
    target: torch.Tensor,
    sparse: torch.Tensor,
    *,
    mask: torch.Tensor,
    hessian: torch.Tensor,
    steps: int,
) -> torch.Tensor:
    """Values of S at fixed positions: a few conjugate-gradient steps of (S H)∘M = (R H)∘M.

    Args:
        target: R = W − L, m×n.
        sparse: Where to start, m×n, zero outside the mask.
        mask: M, m×n booleans.
        hessian: H, n×n, positive definite.
        steps: Conjugate-gradient steps, all rows at once, preconditioned by diag(H).

    Returns:
        S, m×n, zero outside the mask.

    Source: the PCG step of ALPS (Meng et al. 2024, Algorithm 2).
    """
    inverse = 1 / hessian.diagonal()
    sparse = sparse.clone()
    residual = ((target - sparse) @ hessian) * mask
    scaled = residual * inverse
    direction = scaled.clone()
    rate = (residual * scaled).sum(dim=1, keepdim=True)
    tiny = torch.finfo(rate.dtype).tiny
    for _ in range(steps):
        image = (direction @ hessian) * mask
        step = rate / (direction * image).sum(dim=1, keepdim=True).clamp(min=tiny)
        sparse += step * direction
        residual -= step * image
        scaled = residual * inverse
        new_rate = (residual * scaled).sum(dim=1, keepdim=True)
        direction = scaled + new_rate / rate.clamp(min=tiny) * direction
        rate = new_rate
    return sparse
