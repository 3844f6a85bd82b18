"""Rank-r approximations: warm-started randomized subspace iteration."""

import torch


def random_factor(columns: int, rank: int, seed: int, device: torch.device) -> torch.Tensor:
    """A seeded Gaussian n×r starting factor, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(columns, rank, generator=generator).to(device)


def subspace_step(matrix: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One warm-started subspace iteration: matrix ≈ Q Vᵀ.

    Args:
        matrix: R, m×n.
        v: The last right factor, n×r.

    Returns:
        Q (m×r, orthonormal columns) = orth(R V) and the new V (n×r) = Rᵀ Q.

    Source: SSLC Eq. 6-7 asks for bilateral random projections; this is their stable form. Q spans
    the best left factor for the old V and Rᵀ Q is the best right factor for that span, so
    ‖R − Q Vᵀ‖_F never rises from step to step (Appendix A made true). The paper leaves the warm
    start open.
    """
    q, _ = torch.linalg.qr(matrix @ v)
    return q, matrix.T @ q
