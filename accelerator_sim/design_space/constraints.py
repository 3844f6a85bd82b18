"""What points of a front must satisfy beside being best: limits on what was measured.

After ``objectives``, before ``space``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accelerator_sim.design_space.objectives import OBJECTIVES
from workloads.support.errors import InputError, shown, unknown_name
from workloads.support.presets import build
from workloads.support.toml_place import Place

RELATIVE = "perplexity"
"""The objective that may be bounded by the dense model's."""


@dataclass(frozen=True)
class Bounds:
    """Bounds of one objective, in the unit of its values; None where there is none.

    Attributes:
        least: No less than this.
        most: No more than this.
        most_times_dense: No more than so many times the dense model's; only ``perplexity`` has it,
            and ``most`` once the dense model's is known.
    """

    least: float | None = None
    most: float | None = None
    most_times_dense: float | None = None

    def __post_init__(self) -> None:
        for name in ("least", "most", "most_times_dense"):
            value = getattr(self, name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | float)
            ):
                raise ValueError(f"{name} must be a number, got {shown(value)}")
        if self.least is None and self.most is None and self.most_times_dense is None:
            raise ValueError("give least, most, or both")
        if self.most_times_dense is not None and self.most_times_dense <= 0:
            raise ValueError(f"most_times_dense must be above 0, got {self.most_times_dense}")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least = {self.least} is above most = {self.most}")

    def allow(self, value: float | None) -> bool:
        """Whether a value is within the bounds; what has none is not."""
        if value is None:
            return False
        above = self.least is None or value >= self.least
        return above and (self.most is None or value <= self.most)

    def against(self, dense: float) -> "Bounds":
        """The same with ``most`` as a number.

        Args:
            dense: The dense model's value.
        """
        if self.most_times_dense is None:
            return self
        relative = self.most_times_dense * dense
        return replace(self, most=relative if self.most is None else min(self.most, relative))

    def describe(self, name: str) -> str:
        """In words, in the unit of the objective's heading."""
        objective = OBJECTIVES[name]
        bounds = {"at least": self.least, "at most": self.most}
        parts = [
            f"{word} {objective.shown(value):,.6g}"
            for word, value in bounds.items()
            if value is not None
        ]
        times = self.most_times_dense
        relative = "" if times is None else f"at most {times:g} times the dense model's"
        told = " and ".join(parts)
        return f"{objective.heading} {told}{f' ({relative})' if told and relative else relative}"


def read_constraints(
    table: Mapping[str, Any], measured: Sequence[str], where: Place
) -> dict[str, Bounds]:
    """Bounds by the name of an objective.

    Args:
        table: ``[constraints]``, such as ``area_mm2 = { most = 3.0 }``.
        measured: Objectives that every point has.
        where: For messages.

    Raises:
        InputError: An objective is unknown or not measured, or its limits are none.
    """
    limits = {}
    for name, spec in table.items():
        if name not in OBJECTIVES:
            raise InputError(f"{where.of(name)}: {unknown_name('objective', name, OBJECTIVES)}")
        if name not in measured:
            raise InputError(
                f"{where.of(name)}: {name} is not measured at every point; name it in objectives, "
                f"or limit one of {', '.join(measured)}"
            )
        if not isinstance(spec, Mapping):
            raise InputError(
                f"{where.of(name)}: {name} takes bounds such as {{ most = 3.0 }}, got {shown(spec)}"
            )
        limits[name] = build(Bounds, spec, where.inside(name))
        if limits[name].most_times_dense is not None and name != RELATIVE:
            raise InputError(f"{where.of(name)}: only {RELATIVE} has most_times_dense")
    return limits
