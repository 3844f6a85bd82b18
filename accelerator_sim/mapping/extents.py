"""Which rows, columns and tokens of a tile are worth a try, along one axis of a matrix. Pure.

Before ``tile_search``. An extent is good if it fills the lines (or the MACs of a line) and leaves
no small rest at the edge of the matrix: multiples of the unit, of its half and its quarter, and the
sizes of equal blocks, as they are and rounded up to such multiples.
"""

import math

_SPACING = 1.2


def doublings(unit: int, extent: int) -> list[int]:
    """A unit and its doublings up to an extent; the extent alone where it is smaller."""
    sizes = [min(unit, extent)]
    while sizes[-1] * 2 <= extent:
        sizes.append(sizes[-1] * 2)
    return sizes


def coarse_extents(extent: int, unit: int, group: int = 1) -> list[int]:
    """Few extents over the whole range: doublings and halvings of the unit, and two or one blocks.

    Args:
        extent: Of the matrix.
        unit: Lines, or MACs of a line.
        group: What an extent must be a multiple of, unless it is the whole.
    """
    sizes = {extent, -(-extent // 2), *doublings(unit, extent)}
    while unit > 1:
        unit //= 2
        sizes.add(unit)
    return whole_groups(sizes, extent, group)


def fine_extents(extent: int, unit: int, group: int = 1) -> list[int]:
    """Many extents: multiples of fractions of the unit, and equal blocks.

    Args:
        extent: Of the matrix.
        unit: Lines, or MACs of a line.
        group: What an extent must be a multiple of, unless it is the whole.
    """
    steps = {max(unit // part, 1) for part in (1, 2, 4)}
    sizes = {extent, *doublings(1, extent)}
    for count in _spaced(extent):
        block = -(-extent // count)
        sizes.add(block)
        sizes.update(-(-block // step) * step for step in steps)
    for step in steps:
        sizes.update(count * step for count in _spaced(extent // step))
    return whole_groups(sizes, extent, group)


def column_group(group: int, *, large: bool) -> int:
    """What the columns of a tile are multiples of.

    Args:
        group: Columns of a group of an ``N:M`` index; 1: none.
        large: Whether the mask is so large that only whole words of it are counted.
    """
    return math.lcm(group, 64) if large else group


def _spaced(end: int) -> list[int]:
    """Whole numbers up to an end, ever farther apart."""
    numbers, number = [], 1
    while number <= end:
        numbers.append(number)
        number = max(number + 1, int(number * _SPACING))
    return numbers


def whole_groups(sizes: set[int], extent: int, group: int) -> list[int]:
    """Sizes in order, in whole groups, none larger than the extent.

    Args:
        sizes: Positive; a part of a group counts as a whole one.
        extent: Of the matrix, the one size that may be no whole number of groups.
        group: Columns of a group; 1: none.
    """
    return sorted({min(-(-size // group) * group, extent) for size in sizes})
