"""One pruner over a score: keep the entries that score highest in their comparison group.

Four methods that differ in the score and in the group: magnitude, Wanda, RIA and Pruner-Zero.
"""

from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import check_group, keep_top, sparse_nonzeros
from sslc.methods import scores
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share


def prune(
    weight: torch.Tensor, chosen: scores.Scores, *, kept_fraction: float, group: str
) -> CompressedProjection:
    """Keep the entries with the highest scores, and their values.

    Args:
        weight: W, m×n, float32, finite; left as it was.
        chosen: Their scores.
        kept_fraction: Kept share of the m·n entries, in [0, 1].
        group: Comparison group: row, matrix, or a pattern such as 2:4.

    Raises:
        ValueError: A pattern does not fit the shape or the kept fraction.
    """
    nonzeros = pruned_budget(*weight.shape, kept_fraction=kept_fraction, group=group).nonzeros
    mask = keep_top(chosen(weight), nonzeros, group=group)
    return CompressedProjection.sparse_only(weight, mask)


def pruned_budget(m: int, n: int, *, kept_fraction: float, group: str) -> Budget:
    """What pruning gives an m×n projection: no factors, and all of the budget in S.

    Raises:
        ValueError: A pattern does not fit the shape or the kept fraction.
    """
    return Budget(0, sparse_nonzeros(m, n, kept_fraction=kept_fraction, rank=0, group=group))


@dataclass(frozen=True)
class Magnitude:
    """Magnitude pruning, one threshold per matrix by default (as the published baseline).

    Attributes:
        kept_fraction: Kept share of the parameters.
        group: Comparison group: row, matrix, or a pattern such as 2:4.
    """

    kept_fraction: float = 0.5
    group: str = "matrix"
    name = "magnitude"
    title = "Magnitude"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(2.5)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest |W_ij|; the statistics are not looked at."""
        chosen = scores.magnitude(statistics)
        return prune(weight, chosen, kept_fraction=self.kept_fraction, group=self.group)

    def budget(self, m: int, n: int) -> Budget:
        """All in S."""
        return pruned_budget(m, n, kept_fraction=self.kept_fraction, group=self.group)


@dataclass(frozen=True)
class Wanda:
    """Pruning by weight times input norm, one threshold per output row by default.

    Attributes:
        kept_fraction: Kept share of the parameters.
        group: Comparison group; the published one is the row.

    Source: Sun et al. 2023, Eq. 1 (score) and Section 3 (comparison per output row).
    """

    kept_fraction: float = 0.5
    group: str = "row"
    name = "wanda"
    title = "Wanda"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(3.5)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest |W_ij|·d_j."""
        chosen = scores.wanda(statistics)
        return prune(weight, chosen, kept_fraction=self.kept_fraction, group=self.group)

    def budget(self, m: int, n: int) -> Budget:
        """All in S."""
        return pruned_budget(m, n, kept_fraction=self.kept_fraction, group=self.group)


@dataclass(frozen=True)
class Ria:
    """Pruning by relative importance and activations, one threshold per matrix by default.

    Attributes:
        kept_fraction: Kept share of the parameters.
        group: Comparison group; the published one is the matrix.
        power: Of the input norms; the published a = 0.5.

    Source: Zhang et al. 2024 (Plug-and-Play).
    """

    kept_fraction: float = 0.5
    group: str = "matrix"
    power: float = 0.5
    name = "ria"
    title = "RIA"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(3.5)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest scores."""
        chosen = scores.ria(statistics, self.power)
        return prune(weight, chosen, kept_fraction=self.kept_fraction, group=self.group)

    def budget(self, m: int, n: int) -> Budget:
        """All in S."""
        return pruned_budget(m, n, kept_fraction=self.kept_fraction, group=self.group)


@dataclass(frozen=True)
class PrunerZero:
    """Pruning by the symbolic metric |W·W|·minmax(G), one threshold per output row by default.

    Attributes:
        kept_fraction: Kept share of the parameters.
        group: Comparison group; the published one is the row.

    Source: Dong et al. 2024. G is the root of the sum over calibration windows of squared gradients
    of the mean token cross-entropy of the dense model; minmax is over the matrix. The published
    gradients come from WikiText-2's training split; here from the calibration text.
    """

    kept_fraction: float = 0.5
    group: str = "row"
    name = "pruner-zero"
    title = "Pruner-Zero"
    needs_hessian = False
    needs_gradients = True
    working_copies = WorkingCopies(4.25)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        check_group(self.group)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Keep the entries with the largest scores."""
        chosen = scores.pruner_zero(statistics)
        return prune(weight, chosen, kept_fraction=self.kept_fraction, group=self.group)

    def budget(self, m: int, n: int) -> Budget:
        """All in S."""
        return pruned_budget(m, n, kept_fraction=self.kept_fraction, group=self.group)
