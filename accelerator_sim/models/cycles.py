"""What projections, modules and blocks cost by one model. Frozen, JSON-safe."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.models.energy import Area, Energy, energy
from accelerator_sim.simulation.result import EventResult
from workloads.shapes.gemm import MODULES, Module

Run = Literal["dense", "sparse", "sum"]


RUNS: tuple[Run, ...] = get_args(Run)


@dataclass(frozen=True)
class ProjectionCycles:
    """What one projection costs by one model.

    Attributes:
        name: Projection.
        module: MHA or FFN.
        model: ``published``, ``roofline``, ``event`` or ``compiled``.
        dense_cycles: The same matrix run dense on the same machine.
        sparse_cycles: S alone.
        sum_cycles: S and the low-rank part.
        dense_run: Detail of the dense run, event and compiled models only.
        sparse_run: Detail of the run of S alone, likewise.
        sum_run: Detail of the whole run, likewise.
        energy: Of each run, where there is detail; from ``energy.with_energy``.
        has_work: Whether S or the low-rank part has an entry. Without any a run still writes its
            zeros, which is no work to be faster at.

    The softmax of attention (``attention``) is an entry too: the same cycles three times, no runs.
    """

    DERIVED: ClassVar = ("low_rank_cycles", "speedup")

    name: str
    module: Module
    model: str
    dense_cycles: float
    sparse_cycles: float
    sum_cycles: float
    dense_run: EventResult | None = None
    sparse_run: EventResult | None = None
    sum_run: EventResult | None = None
    energy: Mapping[Run, Energy] | None = None
    has_work: bool = True

    @property
    def low_rank_cycles(self) -> float:
        """What the low-rank part adds to S alone; it may be negative where both overlap."""
        return self.sum_cycles - self.sparse_cycles

    @property
    def speedup(self) -> float | None:
        """Dense over sum; None where there is nothing to do."""
        return _speedup(self)


@dataclass(frozen=True)
class ModuleCycles:
    """Cycles of some projections that run one after the other.

    Attributes:
        dense_cycles: The same matrices run dense.
        sparse_cycles: S alone.
        sum_cycles: S and the low-rank parts.
        has_work: Whether one of them has an entry.
    """

    DERIVED: ClassVar = ("low_rank_cycles", "speedup")

    dense_cycles: float
    sparse_cycles: float
    sum_cycles: float
    has_work: bool = True

    @property
    def low_rank_cycles(self) -> float:
        """What the low-rank parts add."""
        return self.sum_cycles - self.sparse_cycles

    @property
    def speedup(self) -> float | None:
        """Dense over sum; None where there is nothing to do."""
        return _speedup(self)


@dataclass(frozen=True)
class BlockCycles:
    """What the projections of a block cost by one model.

    Attributes:
        model: ``published``, ``roofline``, ``event`` or ``compiled``.
        accelerator: Its name.
        projections: In the order in which they run.
        area: Of the accelerator.
        cost_table: Name of the table behind energy and area.
    """

    DERIVED: ClassVar = ("modules", "total", "energy")

    model: str
    accelerator: str
    projections: tuple[ProjectionCycles, ...]
    area: Area | None = None
    cost_table: str | None = None

    @property
    def modules(self) -> dict[Module, ModuleCycles]:
        """Sums by module, of the modules that occur."""
        present = [m for m in MODULES if any(p.module == m for p in self.projections)]
        return {m: summed(p for p in self.projections if p.module == m) for m in present}

    @property
    def total(self) -> ModuleCycles:
        """Sum of all projections."""
        return summed(self.projections)

    @property
    def energy(self) -> dict[Module, dict[Run, Energy]]:
        """Sums by module and run, of the projections that have energies."""
        return {
            module: {run: _energy_sum(self.projections, module, run) for run in RUNS}
            for module in MODULES
            if any(p.module == module and p.energy for p in self.projections)
        }


def _speedup(cycles: ProjectionCycles | ModuleCycles) -> float | None:
    worked = cycles.has_work and cycles.sum_cycles
    return cycles.dense_cycles / cycles.sum_cycles if worked else None


def summed(cycles: Iterable[ProjectionCycles | ModuleCycles]) -> ModuleCycles:
    """Cycles of parts that run one after the other."""
    parts = list(cycles)
    return ModuleCycles(
        sum(part.dense_cycles for part in parts),
        sum(part.sparse_cycles for part in parts),
        sum(part.sum_cycles for part in parts),
        any(part.has_work for part in parts),
    )


def _energy_sum(projections: Iterable[ProjectionCycles], module: Module, run: Run) -> Energy:
    parts = [p.energy[run] for p in projections if p.module == module and p.energy]
    return Energy(*map(sum, zip(*map(dataclasses.astuple, parts), strict=True)))


def with_energy(
    cycles: ProjectionCycles, accelerator: Accelerator, *, table: CostTable
) -> ProjectionCycles:
    """A projection's cycles with the energy of each run; as they are where no run was simulated.

    Raises:
        InputError: As for ``energy``.
    """
    runs = (cycles.dense_run, cycles.sparse_run, cycles.sum_run)
    energies = {
        name: energy(run, table, accelerator=accelerator)
        for name, run in zip(RUNS, runs, strict=True)
        if run is not None
    }
    return dataclasses.replace(cycles, energy=energies or None)
