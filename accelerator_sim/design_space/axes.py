"""One dimension of a design space: a list of values, a range of them, or an interval to sample.

First in the flow of a sweep: ``space`` makes points of axes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from workloads.support.errors import InputError, shown
from workloads.support.presets import build

Value = int | float | str | bool
Kind = Literal["whole", "number", "word"]
"""What a field takes: ``whole`` and ``number`` may be ranges, ``word`` only a list."""
_MAX_VALUES = 1_000_000
_SIGNIFICANT_DIGITS = 4
_LARGEST = 2**62  # rows of results hold 64-bit integers


@dataclass(frozen=True)
class Range:
    """Numbers from ``start`` to ``stop``, both included where a step or count reaches them.

    Attributes:
        start: The first.
        stop: The last, above ``start``.
        step: Distance of neighbours; exact in decimals.
        count: How many, in place of a step.
        scale: ``linear`` or ``log``, for a count or a sample.
    """

    start: float
    stop: float
    step: float | None = None
    count: int | None = None
    scale: str = "linear"

    def __post_init__(self) -> None:
        if self.scale not in ("linear", "log"):
            raise ValueError(f"scale must be linear or log, got {self.scale!r}")
        if not (math.isfinite(self.start) and math.isfinite(self.stop) and self.start < self.stop):
            raise ValueError(f"start must be less than stop, got {self.start} and {self.stop}")
        if self.scale == "log" and self.start <= 0:
            raise ValueError(f"a log scale needs start above 0, got {self.start}")
        if self.step is not None and (self.count is not None or self.scale == "log"):
            raise ValueError("give a step, or a count with or without scale, not both")
        if max(abs(self.start), abs(self.stop)) > _LARGEST:
            raise ValueError(f"start and stop go up to {_LARGEST}")
        self._check_size()

    def _check_size(self) -> None:
        count, step = self.count, self.step
        if count is not None and not (type(count) is int and 2 <= count <= _MAX_VALUES):
            raise ValueError(f"count must be from 2 to {_MAX_VALUES}, got {count!r}")
        if step is None:
            return
        if isinstance(step, bool) or not isinstance(step, int | float) or not step > 0:
            raise ValueError(f"step must be a number above 0, got {step!r}")
        if (self.stop - self.start) / step > _MAX_VALUES:
            raise ValueError(f"a step of {step} makes more than {_MAX_VALUES} values")

    def between(self, share: float) -> float:
        """The value at a share of the way from start to stop, in [0, 1]."""
        if self.scale == "log":
            return self.start * math.pow(self.stop / self.start, share)
        return self.start + (self.stop - self.start) * share


@dataclass(frozen=True)
class Axis:
    """One dimension of a space.

    Attributes:
        key: Dotted hardware key, or ``tokens``.
        values: What it can be; empty for an interval.
        interval: A range without step or count, which only a sample can draw from.
        whole: Values of the interval are whole numbers.
    """

    key: str
    values: tuple[Value, ...]
    interval: Range | None = None
    whole: bool = False

    def at(self, share: float) -> Value:
        """The value at a share in [0, 1) of the axis."""
        if self.interval is not None:
            return _rounded(self.interval.between(share), self.whole)
        return self.values[int(share * len(self.values))]

    def extremes(self) -> tuple[Value, ...]:
        """The values to try before a sweep: all of a list, both ends of an interval."""
        if self.interval is None:
            return self.values
        return self.at(0.0), self.at(1.0)


def parse_axis(key: str, kind: Kind, *, spec: Any, where: str) -> Axis:
    """An axis from what stands in the file.

    Args:
        key: Its field.
        kind: What the field takes.
        spec: A value, a list of values, or a table with ``start`` and ``stop`` (``Range``).
        where: File and field, for the error.

    Raises:
        InputError: The list or the range cannot be used.
    """
    if isinstance(spec, Mapping):
        return _parse_range(key, kind, spec, where)
    given = spec if isinstance(spec, list) else [spec]
    values = [_whole_float(value) if kind == "whole" else value for value in given]
    if not values:
        raise InputError(f"{where}: the list is empty; give at least one value")
    for value in values:
        if not isinstance(value, int | float | str):
            raise InputError(f"{where}: values are numbers or words, got {shown(value)}")
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise InputError(f"{where}: whole numbers go up to {_LARGEST}, got {shown(value)}")
    if len({(type(value), value) for value in values}) < len(values):
        raise InputError(f"{where}: a value stands twice in {shown(values)}")
    return Axis(key, tuple(values))


def _whole_float(value: Any) -> Any:
    """76.8e9 as the whole number that it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _parse_range(key: str, kind: Kind, spec: Mapping[str, Any], where: str) -> Axis:
    if kind == "word":
        raise InputError(f"{where}: takes words, not a range; give a list of them")
    numbers = build(Range, spec, where)
    whole = kind == "whole"
    if numbers.step is not None:
        values: list[Value] = [*_steps(numbers, numbers.step, whole, where)]
    elif numbers.count is not None:
        shares = range(numbers.count)
        values = [_rounded(numbers.between(i / (numbers.count - 1)), whole) for i in shares]
    else:
        return Axis(key, (), numbers, whole)
    return Axis(key, tuple(dict.fromkeys(values)))


def _steps(numbers: Range, step: float, whole: bool, where: str) -> list[int] | list[float]:
    """Start, start + step and so on, exact in decimals: 0.1 + 2 * 0.1 is 0.3."""
    start, stop, width = (Decimal(str(number)) for number in (numbers.start, numbers.stop, step))
    values = [start + index * width for index in range(int((stop - start) / width) + 1)]
    if not whole:
        return [float(value) for value in values]
    if any(value != int(value) for value in values):
        raise InputError(f"{where}: takes whole numbers; make start and step whole")
    return [int(value) for value in values]


def _rounded(value: float, whole: bool) -> int | float:
    """Four significant digits: DRAM bytes a cycle stay a fraction that the simulator can carry."""
    short = float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
    return round(short) if whole else short
