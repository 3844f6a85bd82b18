"""Dense quantisation as a baseline: every entry is kept, and rounding is all that happens.

The rounding itself is that of every method (``precision``): ``rtn`` takes the nearest numbers,
``gptq`` looks at X Xᵀ and carries errors from column to column.
"""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share


@dataclass(frozen=True)
class Rtn:
    """Dense weights rounded to nearest: 8 bits unless value_bits says otherwise.

    Attributes:
        kept_fraction: 1: nothing is left out.
    """

    kept_fraction: float = 1.0
    name = "rtn"
    title = "RTN"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(1.5)

    def __post_init__(self) -> None:
        _check_whole(self.kept_fraction)

    def budget(self, m: int, n: int) -> Budget:
        """Every entry in S."""
        return Budget(0, m * n)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """W itself."""
        del statistics
        return CompressedProjection.sparse_only(weight, torch.ones_like(weight, dtype=torch.bool))


@dataclass(frozen=True)
class Gptq(Rtn):
    """Dense weights rounded with error propagation: 8 bits unless value_bits says otherwise.

    Attributes:
        kept_fraction: 1: nothing is left out.

    Source: Frantar et al. 2023 (GPTQ). Numbers are symmetric and scales belong to groups of
    columns, where the published program's are asymmetric and per row by default; dead input
    channels keep their weights.
    """

    kept_fraction: float = 1.0
    name = "gptq"
    title = "GPTQ"
    needs_hessian = True


def _check_whole(kept_fraction: float) -> None:
    check_share("kept_fraction", kept_fraction)
    if kept_fraction != 1:
        raise ValueError(f"kept_fraction must be 1: all is kept and rounded, got {kept_fraction}")
