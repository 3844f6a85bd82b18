"""SparseGPT: prune column by column and let the columns to the right make up for the error."""

import warnings
from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import check_group, keep_top
from sslc.methods.base import Budget, CompressedProjection, WorkingCopies, check_share
from sslc.methods.pruning import pruned_budget
from workloads.masks.pattern import parse_pattern


@dataclass(frozen=True)
class SparseGpt:
    """Pruning with second-order weight update, one threshold per block of columns.

    Attributes:
        kept_fraction: Kept share of the parameters.
        block_columns: Columns whose mask is chosen at once.
        damping: Share of the mean diagonal that is added to the Hessian.
        group: ``matrix`` (one threshold per column block over all rows, as published), ``row`` (one
            per row and column block) or a pattern such as 2:4, whose columns must divide the block.

    Source: Frantar & Alistarh 2023, Algorithm 1, Eq. 3 and Section 3.3. Each column block keeps its
    share of the matrix's nonzeros, rounded so that the total is exact. A pattern's mask is chosen
    among M columns when the sweep reaches them, from the weights as updated by then.
    """

    kept_fraction: float = 0.5
    block_columns: int = 128
    damping: float = 0.01
    group: str = "matrix"
    name = "sparsegpt"
    title = "SparseGPT"
    needs_hessian = True
    needs_gradients = False
    working_copies = WorkingCopies(3.5, 3.6)

    def __post_init__(self) -> None:
        check_share("kept_fraction", self.kept_fraction)
        if self.block_columns < 1:
            raise ValueError(f"block_columns must be at least 1, got {self.block_columns}")
        if self.damping <= 0:
            raise ValueError(f"damping must be positive, got {self.damping}")
        check_group(self.group)
        if self.block_columns % self._pattern_columns():
            raise ValueError(
                f"block_columns must be a multiple of the columns of {self.group}, "
                f"got {self.block_columns}"
            )

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """Go through the column blocks from left to right."""
        return self.prune(weight, statistics, self.budget(*weight.shape).nonzeros)

    def prune(
        self, weight: torch.Tensor, statistics: InputStatistics, nonzeros: int
    ) -> CompressedProjection:
        """As ``compress``, to a number of entries.

        Args:
            weight: W, m×n.
            statistics: Of its inputs.
            nonzeros: In S; a pattern has its own.
        """
        n = weight.shape[1]
        rest = weight.clone()
        rest[:, statistics.norms == 0] = 0
        factor = inverse_factor(statistics, self.damping)
        mask = torch.zeros_like(weight, dtype=torch.bool)
        for start in range(0, n, self.block_columns):
            stop = min(start + self.block_columns, n)
            keep = nonzeros * stop // n - nonzeros * start // n
            block = factor[start:stop, start:stop]
            mask[:, start:stop], errors = self._prune_block(rest[:, start:stop], block, keep)
            rest[:, stop:] -= errors @ factor[start:stop, stop:]
        return CompressedProjection.sparse_only(rest, mask)

    def budget(self, m: int, n: int) -> Budget:
        """All in S."""
        return pruned_budget(m, n, kept_fraction=self.kept_fraction, group=self.group)

    def _pattern_columns(self) -> int:
        """M of a pattern N:M, else 1."""
        pattern = parse_pattern(self.group)
        return 1 if pattern is None else pattern.columns

    def _prune_block(
        self, block: torch.Tensor, factor: torch.Tensor, keep: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Prune a block in place, column by column.

        Returns:
            The mask and the errors to carry on, both of the block's shape.
        """
        pattern = parse_pattern(self.group)
        columns = block.shape[1] if pattern is None else pattern.columns
        mask, errors = torch.empty_like(block, dtype=torch.bool), torch.zeros_like(block)
        for column in range(block.shape[1]):
            if column % columns == 0:
                reach = slice(column, column + columns)
                scores = (block[:, reach] / factor.diagonal()[reach]).square()
                mask[:, reach] = keep_top(scores, keep, group=self.group)
            lost = block[:, column].masked_fill(mask[:, column], 0) / factor[column, column]
            block[:, column:] -= torch.outer(lost, factor[column, column:])
            errors[:, column] = lost
        return mask, errors


def inverse_factor(statistics: InputStatistics, damping: float) -> torch.Tensor:
    """The upper Cholesky factor of the inverse damped Hessian, (n, n), float32.

    The damping is raised tenfold, with a warning, each time the factorisation fails.

    Raises:
        ValueError: It still fails at a damping of one mean diagonal.
    """
    upper: torch.Tensor
    while damping <= 1:
        lower, failed = torch.linalg.cholesky_ex(statistics.damped_hessian(damping))
        if not failed:
            inverse = torch.cholesky_inverse(lower)
            upper, failed = torch.linalg.cholesky_ex(inverse, upper=True)
            if not failed:
                return upper.float()
        damping *= 10
        warnings.warn(f"the Hessian is not positive definite: damping {damping:g}", stacklevel=2)
    raise ValueError("the Hessian is not positive definite at any damping up to 1")
