"""What a sweep measures at every point, and which way is better: one entry per column."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.models.by_name import CYCLE_MODELS, Model
from accelerator_sim.models.cycles import BlockCycles
from workloads.support.errors import InputError


@dataclass(frozen=True)
class Objective:
    """A column of a sweep's results that a Pareto front can be about.

    Attributes:
        unit: For headings and axes; empty for a ratio.
        better: Whether ``less`` or ``more`` of it is better.
        simulated: Only the models that simulate the machine count it.
        measure: Its value for all projections together on a machine.
        always: Measured at every point, whether the front is about it or not; False for what needs
            a run of its own.
    """

    unit: str
    better: Literal["less", "more"]
    simulated: bool
    measure: Callable[[BlockCycles, Accelerator], float]
    always: bool = True

    @property
    def sign(self) -> float:
        """What the value is multiplied by so that less is better."""
        return 1.0 if self.better == "less" else -1.0


def _dram_bytes(block: BlockCycles, accelerator: Accelerator) -> float:
    del accelerator
    runs = [part.sum_run for part in block.projections]
    return float(sum(run.traffic.total for run in runs if run is not None))


def _energy_pj(block: BlockCycles, accelerator: Accelerator) -> float:
    del accelerator
    parts = [part.energy for part in block.projections]
    return sum(part["sum"].total_pj for part in parts if part is not None)


def _area_mm2(block: BlockCycles, accelerator: Accelerator) -> float:
    del accelerator
    assert block.area is not None
    return block.area.total_mm2


def _speedup(block: BlockCycles, accelerator: Accelerator) -> float:
    del accelerator
    if block.total.speedup is None:
        raise InputError("nothing is kept, so there is no work and no speedup")
    return block.total.speedup


OBJECTIVES: dict[str, Objective] = {
    "cycles": Objective("cycles", "less", False, lambda block, _: block.total.sum_cycles),
    "dram_bytes": Objective("bytes", "less", True, _dram_bytes),
    "energy_pj": Objective("pJ", "less", True, _energy_pj),
    "area_mm2": Objective("mm²", "less", False, _area_mm2),
    "speedup": Objective("", "more", False, _speedup, always=False),
}


def objectives_of(cycle_model: Model) -> tuple[str, ...]:
    """What a cycle model gives, in the order of the columns."""
    return tuple(
        name
        for name, objective in OBJECTIVES.items()
        if CYCLE_MODELS[cycle_model].simulated or not objective.simulated
    )
