"""Scores of weights: what decides which entries a pruner keeps. One table, by name.

A score is made once per projection from its calibration statistics, and then scores any matrix of
the projection's shape: W itself, or what is left of it once a low-rank part has been taken out.
"""

from collections.abc import Callable

import torch

from sslc.calibration.statistics import InputStatistics

Scores = Callable[[torch.Tensor], torch.Tensor]
"""From a matrix, shape (m, n), to scores of its entries in a new tensor, none negative."""
MakeScores = Callable[[InputStatistics], Scores]


def magnitude(statistics: InputStatistics) -> Scores:
    """|W_ij|; the statistics are not looked at."""
    del statistics
    return torch.abs


def wanda(statistics: InputStatistics) -> Scores:
    """|W_ij| · d_j, with d_j = ‖X_j‖₂.

    Source: Sun et al. 2023 (Wanda), Eq. 1.
    """
    scale = statistics.scale()
    return lambda weight: weight.abs().mul_(scale)


def ria(statistics: InputStatistics, power: float = 0.5) -> Scores:
    """(|W_ij| / Σ_i |W_ij| + |W_ij| / Σ_j |W_ij|) · d_j^power.

    Rows and columns that are all zero score zero.

    Args:
        statistics: For the input norms d.
        power: Of the norms; its a.

    Source: Zhang et al. 2024 (Plug-and-Play), relative importance and activations.
    """
    scale = statistics.scale() ** power

    def scores(weight: torch.Tensor) -> torch.Tensor:
        size = weight.abs()
        tiny = torch.finfo(size.dtype).tiny
        relative = size / size.sum(dim=0).clamp(min=tiny)
        relative += size / size.sum(dim=1, keepdim=True).clamp(min=tiny)
        return relative.mul_(scale)

    return scores


def pruner_zero(statistics: InputStatistics) -> Scores:
    """|W_ij · W_ij| · minmax(G)_ij, with G from gradients of the model's loss.

    Raises:
        ValueError: The statistics were collected without gradients.

    Source: Dong et al. 2024 (Pruner-Zero), the symbolic metric found by its search.
    """
    gradient = statistics.relative_gradient()
    return lambda weight: weight.square() * gradient


SCORES: dict[str, MakeScores] = {
    "magnitude": magnitude,
    "pruner-zero": pruner_zero,
    "ria": ria,
    "wanda": wanda,
}
