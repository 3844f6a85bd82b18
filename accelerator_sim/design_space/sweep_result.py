"""A finished sweep as a typed result: its Pareto front, and what it was a sweep of."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from accelerator_sim.design_space.constraints import Bounds
from accelerator_sim.design_space.objectives import OBJECTIVES
from accelerator_sim.design_space.pareto import knee, pareto_front, within_tolerance
from accelerator_sim.design_space.space import Space
from accelerator_sim.design_space.variation import WORK_AXES
from accelerator_sim.design_space.workload import SOURCES
from accelerator_sim.machine.identity import cost_identity, machine_identity
from accelerator_sim.models.cycles_result import BASIS
from workloads.results.identity import CostIdentity, MachineIdentity, Provenance
from workloads.results.table import Cell, Column, Table
from workloads.support.errors import InputError
from workloads.support.extras import missing
from workloads.support.wording import counted

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

_NOT_MEASURED = ("feasible", "reason")
Rows = Sequence[Mapping[str, Any]]
KNEE = "knee"
"""Of a row of the front: whether it is the knee of its work's front."""


@dataclass(frozen=True)
class SweepIdentity:
    """All that determines a sweep.

    Attributes:
        space_sha256: Of everything that the space says.
        machine: Where its fields start from.
        costs: By which energies and areas.
        workload: What runs at every point.
        cycle_model: ``published``, ``roofline``, ``event`` or ``compiled``.
        axes: What varies.
        objectives: What the front is about.
        tolerance: Share by which its points differ in an objective at least; 0: all stay.
        constraints: Bounds that its points keep, by the name of an objective.
    """

    space_sha256: str
    machine: MachineIdentity
    costs: CostIdentity
    workload: Mapping[str, Any]
    cycle_model: str
    axes: tuple[str, ...]
    objectives: tuple[str, ...]
    tolerance: float
    constraints: Mapping[str, Bounds]


@dataclass(frozen=True)
class Reason:
    """Why points cannot be.

    Attributes:
        reason: In one sentence.
        points: How many.
    """

    reason: str
    points: int


@dataclass(frozen=True)
class SweepResult:
    """The Pareto front of a sweep.

    Attributes:
        identity: What determines it.
        provenance: Where it came from.
        points: Of the whole space.
        infeasible_reasons: The commonest first.
        outside: Feasible points that do not keep the constraints.
        front: Points that nothing beats, by more than the tolerance: values of the axes and of what
            was measured, by name, and ``knee``.
    """

    KIND: ClassVar[str] = "sweep"
    COMMAND: ClassVar[str] = "sslc sweep"
    DERIVED: ClassVar = ("basis", "infeasible")

    identity: SweepIdentity
    provenance: Provenance
    points: int
    infeasible_reasons: tuple[Reason, ...]
    outside: int
    front: tuple[Mapping[str, Any], ...]

    @property
    def basis(self) -> str:
        """What the numbers are, such as ``simulated (compiled)``."""
        return BASIS[self.identity.cycle_model]

    @property
    def infeasible(self) -> int:
        """Points that cannot be."""
        return sum(reason.points for reason in self.infeasible_reasons)

    @property
    def stem(self) -> str:
        """Machine and cycle model."""
        return f"{self.identity.cycle_model}-{self.identity.machine.label}"

    def to_table(self) -> Table:
        """The front: values of the axes, then what was measured."""
        measured = [name for name in OBJECTIVES if any(name in row for row in self.front)]
        title = f"Pareto front on {self.identity.machine.label}: {objectives_label(self)}"
        columns, rows = front_columns(self, self.identity.axes, measured)
        return Table("front", title, columns, rows)

    def to_frame(self) -> "pandas.DataFrame":
        """``to_table`` as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        return self.to_table().to_frame()

    def plot(self) -> "Figure":
        """The first objective against each other one: the front alone.

        Raises:
            InputError: No point is feasible and keeps the constraints.
        """
        from accelerator_sim.design_space.front_figure import front_figure

        if not self.front:
            raise InputError("the front of the sweep has no point: there is nothing to draw")
        return front_figure(self, self.front)

    def __repr__(self) -> str:
        return (
            f"SweepResult({counted(self.points, 'point')}, {len(self.front)} on the front, "
            f"{self.identity.machine.label}, {self.basis})"
        )


@dataclass(frozen=True)
class Sweep:
    """A finished sweep.

    Attributes:
        result: The Pareto front, with all that determines it.
        points: One row per point: its axes, whether it is feasible and why not, what was measured.
    """

    result: SweepResult
    points: pa.Table

    def __len__(self) -> int:
        return int(self.points.num_rows)

    def __repr__(self) -> str:
        return repr(self.result).replace("SweepResult", "Sweep")

    def to_table(self) -> Table:
        """The front."""
        return self.result.to_table()

    def to_frame(self) -> "pandas.DataFrame":
        """All points, feasible or not, as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401
        except ImportError as error:
            raise missing("to_frame needs", "pandas", "frames") from error
        return self.points.to_pandas()

    def plot(self) -> "Figure":
        """The first objective against each other one: feasible points and the front.

        Raises:
            InputError: No point is feasible.
        """
        from accelerator_sim.design_space.front_figure import front_figure

        rows = comparable(self.points.to_pylist(), self.result.identity.objectives)
        if not rows:
            raise InputError("no point of the sweep is feasible: there is nothing to draw")
        return front_figure(self.result, rows)


def front_columns(
    result: SweepResult, axes: Sequence[str], measured: Sequence[str]
) -> tuple[tuple[Column, ...], tuple[tuple[Cell, ...], ...]]:
    """Columns and rows of a front, what was measured in the units of its headings.

    Args:
        result: Whose front.
        axes: Of its axes those that are shown.
        measured: Names of objectives.
    """
    columns = (
        Column("Point"),
        *(Column(axis, ",") for axis in axes),
        *(Column(OBJECTIVES[name].heading, OBJECTIVES[name].number_format) for name in measured),
        Column(KNEE.capitalize()),
    )
    rows = tuple(
        (
            *(row[name] for name in ("point", *axes)),
            *(OBJECTIVES[name].shown(row[name]) for name in measured),
            "knee" if row[KNEE] else "",
        )
        for row in result.front
    )
    return columns, rows


def objectives_label(result: SweepResult) -> str:
    """What a front is about, as its headings call it."""
    return ", ".join(OBJECTIVES[name].heading for name in result.identity.objectives)


def sweep_result(space: Space, points: pa.Table, *, provenance: Provenance) -> SweepResult:
    """The Pareto front of a sweep, with what it was a sweep of.

    Points with different tokens, batch or context are different work, and have fronts of their own.

    Args:
        space: What was swept.
        points: From ``evaluation.run_sweep``.
        provenance: Of this run.
    """
    workload = {name: value for name, value in asdict(space.workload).items() if value != ""}
    if not space.workload.model:
        [source] = [name for name in SOURCES if name in workload]
        workload = {source: space.workload.name, "blocks": workload["blocks"]}
    identity = SweepIdentity(
        space.digest,
        machine_identity(space.accelerator),
        cost_identity(space.costs),
        {**workload, "masks": space.workload.masks},
        space.cycle_model,
        tuple(axis.key for axis in space.axes),
        space.objectives,
        space.tolerance,
        space.constraints,
    )
    return front_result(identity, points.to_pylist(), provenance=provenance)


def front_result(
    identity: SweepIdentity, rows: Sequence[Mapping[str, Any]], *, provenance: Provenance
) -> SweepResult:
    """The Pareto front of rows that are there.

    Args:
        identity: What determines it; its constraints are numbers.
        rows: One per point: its axes, ``feasible``, ``reason``, and what was measured.
        provenance: Of this run.
    """
    reasons = Counter(str(row["reason"]) for row in rows if not row["feasible"])
    allowed = within(rows, identity.constraints)
    return SweepResult(
        identity,
        provenance,
        len(rows),
        tuple(Reason(reason, count) for reason, count in reasons.most_common()),
        sum(bool(row["feasible"]) for row in rows) - len(allowed),
        tuple(_front(comparable(allowed, identity.objectives), identity)),
    )


def within(rows: Rows, constraints: Mapping[str, Bounds]) -> Rows:
    """Feasible points that keep some constraints; what has no value of one keeps it not.

    Args:
        rows: As for ``front_result``.
        constraints: By the name of an objective.
    """
    return [
        row
        for row in rows
        if row["feasible"] and all(limits.allow(row[name]) for name, limits in constraints.items())
    ]


def comparable(rows: Rows, objectives: Sequence[str]) -> Rows:
    """Points with a place among others: where nothing is kept there is no speedup and no rate.

    Args:
        rows: As for ``front_result``.
        objectives: That a place needs.
    """
    return [
        row for row in rows if row["feasible"] and all(row[name] is not None for name in objectives)
    ]


def _front(rows: Rows, identity: SweepIdentity) -> Iterator[Mapping[str, Any]]:
    """The front of each work, by the first objective, within the tolerance, its knee marked."""
    first, *_ = identity.objectives
    work_axes = [key for key in identity.axes if key in WORK_AXES]
    works = sorted({tuple(row[key] for key in work_axes) for row in rows})
    for work in works:
        group = [row for row in rows if tuple(row[key] for key in work_axes) == work]
        best = [group[index] for index in pareto_front(_values(group, identity)).tolist()]
        best.sort(key=lambda row: row[first] * OBJECTIVES[first].sign)
        if identity.tolerance:
            stay = within_tolerance(_values(best, identity), identity.tolerance)
            best = [best[index] for index in stay.tolist()]
        bend = knee(_values(best, identity))
        for index, row in enumerate(best):
            values = {name: value for name, value in row.items() if name not in _NOT_MEASURED}
            yield {**values, KNEE: index == bend}


def _values(rows: Rows, identity: SweepIdentity) -> NDArray[np.float64]:
    """Objectives of some points, shape (points, objectives); less is better in each."""
    return np.array(
        [[row[name] * OBJECTIVES[name].sign for name in identity.objectives] for row in rows]
    )
