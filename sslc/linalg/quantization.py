"""Whole numbers in place of the values of S: scales, rounding, and errors carried to the right.

Notation: S m×n with places M, groups of g columns of a row share a bf16 scale, q the largest number
(2^(bits − 1) − 1; numbers lie within [−q, q]), H = X Xᵀ.
"""

from typing import NamedTuple

import torch

_CLIPPED = tuple(1 - 0.04 * step for step in range(16))
"""Shares of the largest magnitude that a scale is tried at."""
_CLIPPED_BITS = 7
"""Above so many bits the largest magnitude decides."""


class Grid(NamedTuple):
    """Numbers and groups.

    Attributes:
        bits: Of a number.
        columns: g.
    """

    bits: int
    columns: int

    @property
    def largest(self) -> int:
        """q."""
        return int(2 ** (self.bits - 1) - 1)


class OnGrid(NamedTuple):
    """A matrix whose entries are whole numbers times their scales.

    Attributes:
        values: m×n, float32.
        scales: m×⌈n/g⌉, bfloat16.
    """

    values: torch.Tensor
    scales: torch.Tensor


def group_scales(matrix: torch.Tensor, grid: Grid, weights: torch.Tensor) -> torch.Tensor:
    """The scale of every group, m×⌈n/g⌉, bfloat16.

    Args:
        matrix: m×n; entries that are not stored are 0.
        grid: Bits and columns.
        weights: How much the square of an error counts by column, shape (n,).

    Returns:
        The largest magnitude / q with 8 bits; with fewer, of some shares of it that which loses
        least, so that a few large entries are cut where that lets many small ones be finer.
    """
    groups = _grouped(matrix, grid.columns)
    counts = _grouped(weights[None], grid.columns)
    largest = groups.abs().amax(dim=2)
    best = (largest / grid.largest).bfloat16()
    if grid.bits > _CLIPPED_BITS:
        return best
    least = torch.full_like(largest, torch.inf)
    for share in _CLIPPED:
        scales = (largest * (share / grid.largest)).bfloat16()
        lost = _rounded(groups, scales[:, :, None].float(), grid.largest).sub_(groups)
        error = lost.square_().mul_(counts).sum(dim=2)
        better = error < least
        best, least = torch.where(better, scales, best), torch.where(better, error, least)
    return best


def round_nearest(matrix: torch.Tensor, grid: Grid, weights: torch.Tensor) -> OnGrid:
    """Every entry of a matrix at the nearest point of its group's grid; arguments as there."""
    scales = group_scales(matrix, grid, weights)
    groups = _grouped(matrix, grid.columns)
    rounded = _rounded(groups, scales[:, :, None].float(), grid.largest)
    return OnGrid(rounded.flatten(1)[:, : matrix.shape[1]], scales)


def round_propagating(
    target: torch.Tensor, mask: torch.Tensor, *, factor: torch.Tensor, grid: Grid
) -> OnGrid:
    """Round column by column, and let the columns to the right make up for the error.

    Args:
        target: What S should come close to under H, m×n; 0 where nothing is wanted of an entry
            that is not kept.
        mask: Places of S, booleans m×n.
        factor: The upper Cholesky factor of H⁻¹, n×n.
        grid: Bits and columns.

    Returns:
        S, 0 outside its places. The scales of a group are chosen when its first column is reached,
        from the entries as updated by then.

    Source: Frantar et al. 2023 (GPTQ), Algorithm 1, with the places given: an entry that is not
    kept collects errors from the left, becomes 0, and hands on what it lost.
    """
    rest, n = target.clone(), target.shape[1]
    weights = factor.diagonal().square().reciprocal()
    found = []
    for start in range(0, n, grid.columns):
        stop = min(start + grid.columns, n)
        kept, block = mask[:, start:stop], rest[:, start:stop]
        scales = group_scales(block.masked_fill(~kept, 0), grid, weights[start:stop])
        errors = _round_block(block, kept, factor[start:stop, start:stop], scales.float(), grid)
        rest[:, stop:].addmm_(errors, factor[start:stop, stop:], alpha=-1)
        found.append(scales)
    return OnGrid(rest, torch.cat(found, dim=1))


def _round_block(
    block: torch.Tensor,
    mask: torch.Tensor,
    factor: torch.Tensor,
    scales: torch.Tensor,
    grid: Grid,
) -> torch.Tensor:
    """Round the columns of one group in place; the errors to carry on, of the same shape."""
    errors, steps = torch.empty_like(block), scales[:, 0]
    for column in range(block.shape[1]):
        wanted = block[:, column].clone()
        numbers = _rounded(wanted, steps, grid.largest).mul_(mask[:, column])
        errors[:, column] = (wanted - numbers) / factor[column, column]
        block[:, column + 1 :].addr_(errors[:, column], factor[column, column + 1 :], alpha=-1)
        block[:, column] = numbers
    return errors


def column_scales(factor: torch.Tensor, largest: float) -> torch.Tensor:
    """A bf16 scale for each column of a factor, with which its largest entry is the largest number.

    Args:
        factor: U or V, k×r.
        largest: Number of the format.
    """
    if not len(factor):
        return factor.new_zeros(factor.shape[1], dtype=torch.bfloat16)
    return (factor.abs().amax(dim=0) / largest).bfloat16()


def round_columns(factor: torch.Tensor, scales: torch.Tensor, kind: str) -> torch.Tensor:
    """A factor at numbers of a format times its scales, float32.

    Args:
        factor: U or V, k×r.
        scales: As ``column_scales``.
        kind: ``I8`` or ``F8_E4M3``.
    """
    steps = scales.float()
    quotients = factor / torch.where(steps > 0, steps, 1)
    if kind == "I8":
        return quotients.round_().clamp_(-127, 127) * steps
    return quotients.clamp_(-448, 448).to(torch.float8_e4m3fn).float() * steps


def _grouped(matrix: torch.Tensor, columns: int) -> torch.Tensor:
    """Groups of columns as a third axis, the last filled up with zeros: m×⌈n/g⌉×g."""
    spare = -matrix.shape[1] % columns
    padded = torch.nn.functional.pad(matrix, (0, spare)) if spare else matrix
    return padded.reshape(len(matrix), -1, columns)


def _rounded(matrix: torch.Tensor, scales: torch.Tensor, largest: int) -> torch.Tensor:
    """Numbers within [−q, q] times their scales."""
    numbers = (matrix / torch.where(scales > 0, scales, 1)).round_().clamp_(-largest, largest)
    return numbers.mul_(scales)
