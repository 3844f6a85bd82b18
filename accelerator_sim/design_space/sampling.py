"""Which points of its axes a space has: all of them, or a scrambled Sobol sequence.

After ``axes``, before ``space``.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from accelerator_sim.design_space.axes import Axis, Value
from workloads.support.errors import InputError
from workloads.support.toml_place import Place

_MAX_POINTS = 1_000_000


@dataclass(frozen=True)
class Sampling:
    """Which points of the axes: all of them (``grid``), or a scrambled ``sobol`` sequence.

    Attributes:
        method: ``grid`` or ``sobol``.
        points: Of the sequence; points that coincide are kept once.
        seed: Of the scrambling.
    """

    method: str = "grid"
    points: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("grid", "sobol"):
            raise ValueError(f"method must be grid or sobol, got {self.method!r}")
        if self.method == "grid" and (self.points or self.seed):
            raise ValueError("points and seed belong to method sobol; a grid has all its points")
        if self.method == "sobol" and not 1 <= self.points <= _MAX_POINTS:
            raise ValueError(f"points must be from 1 to {_MAX_POINTS}, got {self.points}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")


Point = tuple[Value, ...]
"""One value per axis of the space, those of the work first."""


def points_of(axes: tuple[Axis, ...], sampling: Sampling, *, where: Place) -> Iterator[Point]:
    """Every point, in the order in which they are numbered.

    Args:
        axes: Of the space.
        sampling: Which of their combinations.
        where: The file, for the error.

    Raises:
        InputError: A grid has an interval, or too many points.
    """
    if sampling.method == "sobol":
        yield from dict.fromkeys(_sobol(axes, sampling))
        return
    for axis in axes:
        if axis.interval is not None:
            raise InputError(
                f"{where}: {axis.key}: a range in a grid needs a step or a count; only "
                '[sampling] method = "sobol" draws from an interval'
            )
    points = math.prod(len(axis.values) for axis in axes)
    if points > _MAX_POINTS:
        raise InputError(f"{where}: the grid has {points} points, more than {_MAX_POINTS}")
    yield from itertools.product(*(axis.values for axis in axes))


def _sobol(axes: tuple[Axis, ...], sampling: Sampling) -> Iterator[Point]:
    """The first points of a scrambled sequence; drawn to a power of two, as its balance wants."""
    from scipy.stats import qmc

    power = max(0, (sampling.points - 1).bit_length())
    shares = qmc.Sobol(len(axes), scramble=True, rng=sampling.seed).random_base2(power)
    for row in shares[: sampling.points].tolist():
        yield tuple(axis.at(share) for axis, share in zip(axes, row, strict=True))
