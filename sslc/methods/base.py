"""What every method takes and gives."""

from dataclasses import dataclass
from typing import Protocol

import torch

from sslc.calibration.statistics import InputStatistics


@dataclass(frozen=True, eq=False)
class CompressedProjection:
    """W ≈ S + U Vᵀ, as a method leaves it.

    Attributes:
        mask: Kept places of S, m×n booleans.
        sparse: S, m×n, zero outside the mask.
        u: m×r, with r = 0 when there is no low-rank part.
        v: n×r.
    """

    mask: torch.Tensor
    sparse: torch.Tensor
    u: torch.Tensor
    v: torch.Tensor

    @staticmethod
    def sparse_only(weight: torch.Tensor, mask: torch.Tensor) -> "CompressedProjection":
        """The weights at the kept places and no low-rank part."""
        m, n = weight.shape
        return CompressedProjection(
            mask, weight.masked_fill(~mask, 0), weight.new_zeros(m, 0), weight.new_zeros(n, 0)
        )


class Method(Protocol):
    """A frozen dataclass of hyperparameters that can compress one projection."""

    @property
    def kept_fraction(self) -> float:
        """Kept share of the parameters, factors included."""
        ...

    @property
    def needs_hessian(self) -> bool:
        """Whether calibration must collect X Xᵀ for it."""
        ...

    @property
    def needs_gradients(self) -> bool:
        """Whether a pass before calibration must collect the weights' gradients for it."""
        ...

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Compress W (m×n, float32, finite); the input is left as it was.

        Raises:
            ValueError: The budget cannot be met for this shape.
        """
        ...


def check_share(name: str, value: float) -> None:
    """Raise ValueError unless a share lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless a value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
