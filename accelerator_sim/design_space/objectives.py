"""What a sweep measures at every point, and which way is better: one entry per column."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.models.by_name import CYCLE_MODELS, Model
from accelerator_sim.models.cycles import BlockCycles, ModuleCycles

_PJ_PER_J, _PJ_PER_UJ = 1e12, 1e6
_WHOLE = ",.0f"


@dataclass(frozen=True)
class Evaluated:
    """A point that was run.

    Attributes:
        block: Cycles of all that runs.
        accelerator: The machine.
        tokens: Of all sequences together.
    """

    block: BlockCycles
    accelerator: Accelerator
    tokens: int

    @functools.cached_property
    def total(self) -> ModuleCycles:
        """Cycles of all products."""
        return self.block.total

    @property
    def seconds(self) -> float:
        """Cycles over the machine's own clock."""
        return self.total.sum_cycles / self.accelerator.clock_hz

    @functools.cached_property
    def energy_pj(self) -> float:
        """Of all products."""
        parts = [part.energy for part in self.block.projections]
        return sum(part["sum"].total_pj for part in parts if part is not None)


@dataclass(frozen=True)
class Objective:
    """A column of a sweep's results that a Pareto front can be about.

    Attributes:
        heading: Of its column and axis, with the unit that is shown.
        unit: Of the value; empty for a ratio.
        better: Whether ``less`` or ``more`` of it is better.
        simulated: Only the models that simulate the machine count it.
        measure: Its value for all projections together on a machine; None where it has none.
        always: Measured at every point, whether the front is about it or not; False for what needs
            a run of its own.
        number_format: How tables print it.
        shown_unit: What one of the heading's unit is in the unit of the value.
        of_model: Known of a compressed model before anything runs; ``measure`` does not give it,
            and only a space that compresses has it.
    """

    heading: str
    unit: str
    better: Literal["less", "more"]
    simulated: bool
    measure: Callable[[Evaluated], float | None]
    always: bool = True
    number_format: str = ".4g"
    shown_unit: float = 1.0
    of_model: bool = False

    def shown(self, value: float | None) -> float | None:
        """A value in the unit of the heading; None stays None."""
        return value if value is None or self.shown_unit == 1 else value / self.shown_unit

    @property
    def sign(self) -> float:
        """What the value is multiplied by so that less is better."""
        return 1.0 if self.better == "less" else -1.0


def _dram_bytes(point: Evaluated) -> float:
    runs = [part.sum_run for part in point.block.projections]
    return float(sum(run.traffic.total for run in runs if run is not None))


def _area_mm2(point: Evaluated) -> float:
    assert point.block.area is not None
    return point.block.area.total_mm2


def _tokens_per_second(point: Evaluated) -> float | None:
    return _rate(point, point.tokens)


def _power_watts(point: Evaluated) -> float | None:
    return _rate(point, point.energy_pj / _PJ_PER_J)


def _rate(point: Evaluated, amount: float) -> float | None:
    """An amount per second; None where nothing is kept, which is no work to be fast at."""
    worked = point.total.has_work and point.seconds
    return amount / point.seconds if worked else None


def _speedup(point: Evaluated) -> float | None:
    return point.total.speedup


def _not_of_a_run(point: Evaluated) -> None:
    del point


OBJECTIVES: dict[str, Objective] = {
    "cycles": Objective(
        "Cycles", "cycles", "less", False, lambda point: point.total.sum_cycles,
        number_format=_WHOLE,
    ),
    "seconds": Objective("Time (s)", "s", "less", False, lambda point: point.seconds),
    "tokens_per_second": Objective(
        "Tokens/s", "tokens/s", "more", False, _tokens_per_second, number_format=",.1f"
    ),
    "dram_bytes": Objective("DRAM bytes", "bytes", "less", True, _dram_bytes, number_format=_WHOLE),
    "energy_pj": Objective(
        "Energy (uJ)", "pJ", "less", True, lambda point: point.energy_pj, number_format=",.1f",
        shown_unit=_PJ_PER_UJ,
    ),
    "energy_delay": Objective(
        "Energy x time (J s)", "J s", "less", True,
        lambda point: point.energy_pj / _PJ_PER_J * point.seconds,
    ),
    "power_watts": Objective("Power (W)", "W", "less", True, _power_watts),
    "area_mm2": Objective("Area (mm²)", "mm²", "less", False, _area_mm2),
    "speedup": Objective("Speedup", "", "more", False, _speedup, always=False),
    "perplexity": Objective(
        "Perplexity", "", "less", False, _not_of_a_run, always=False, of_model=True
    ),
    "stored_bits": Objective(
        "Stored bits a weight", "bits", "less", False, _not_of_a_run, number_format=".3f",
        of_model=True,
    ),
    "reconstruction_error": Objective(
        "Reconstruction error", "", "less", False, _not_of_a_run, of_model=True
    ),
}  # fmt: skip
DEFAULTS = ("seconds", "energy_pj")
"""What a front is about unless said; where a model counts no energy, area stands for it."""


def objectives_of(cycle_model: Model) -> tuple[str, ...]:
    """What a cycle model gives, in the order of the columns."""
    return tuple(
        name
        for name, objective in OBJECTIVES.items()
        if (CYCLE_MODELS[cycle_model].simulated or not objective.simulated)
        and not objective.of_model
    )


def default_objectives(cycle_model: Model) -> tuple[str, ...]:
    """What the front of a cycle model is about unless said."""
    return DEFAULTS if CYCLE_MODELS[cycle_model].simulated else ("seconds", "area_mm2")
