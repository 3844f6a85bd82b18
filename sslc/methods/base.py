"""What every method takes and gives."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from sslc.calibration.statistics import InputStatistics
from workloads.shapes.gemm import largest_rank


@dataclass(frozen=True, eq=False)
class CompressedProjection:
    """W ≈ S + U Vᵀ, as a method leaves it.

    Attributes:
        mask: Kept positions of S, m×n booleans.
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
        """The weights at the kept positions and no low-rank part."""
        m, n = weight.shape
        return CompressedProjection(
            mask, weight.masked_fill(~mask, 0), weight.new_zeros(m, 0), weight.new_zeros(n, 0)
        )


class Budget(NamedTuple):
    """What a method gives a projection.

    Attributes:
        rank: Of U Vᵀ; 0 without a low-rank part.
        nonzeros: Of S.
    """

    rank: int
    nonzeros: int


class WorkingCopies(NamedTuple):
    """Working memory of a method for an m×n projection, its result included and its input not.

    Measured as the rise of the process's peak at 1024x4096 to 384x1536 weights and the transposed
    shapes, rounded up.

    Attributes:
        weights: Float32 copies of W.
        hessians: Float64 copies of X Xᵀ.
    """

    weights: float
    hessians: float = 0.0


class Method(Protocol):
    """A frozen dataclass of hyperparameters that can compress one projection, and knows itself."""

    @property
    def name(self) -> str:
        """As ``registry`` and manifests name it."""
        ...

    @property
    def title(self) -> str:
        """As its paper calls it."""
        ...

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

    @property
    def working_copies(self) -> WorkingCopies:
        """The memory that it needs at once."""
        ...

    def budget(self, m: int, n: int) -> Budget:
        """Rank and nonzeros of S that it gives an m×n projection.

        Raises:
            ValueError: The budget cannot be met for this shape.
        """
        ...

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Compress W (m×n, float32, finite); the input is left as it was.

        Raises:
            ValueError: The budget cannot be met for this shape.
        """
        ...


def beyond_budget(m: int, n: int, *, rank: int, kept_fraction: float, by_share: bool) -> ValueError:
    """The error for factors that alone exceed the budget, with what would help.

    Args:
        m: Rows of W.
        n: Columns of W.
        rank: Of U Vᵀ.
        kept_fraction: Kept share of the parameters.
        by_share: The rank comes from ``rank_share``, not from ``rank``.
    """
    share = rank * (m + n) / (m * n)
    smaller = (
        f"--rank-share {kept_fraction:g}"
        if by_share
        else f"--set rank={largest_rank(m, n, kept_fraction)}"
    )
    return ValueError(
        f"factors of rank {rank} take {rank * (m + n)} of {m * n} parameters, more than the kept "
        f"fraction {kept_fraction:g} allows; {smaller} or less would do, or --kept-fraction "
        f"{math.ceil(share * 1000) / 1000:g} or more"
    )


def check_share(name: str, value: float) -> None:
    """Raise ValueError unless a share lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless a value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")
