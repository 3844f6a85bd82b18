"""A finished sweep as a typed result: its Pareto front, and what it was a sweep of."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from accelerator_sim.design_space.objectives import OBJECTIVES
from accelerator_sim.design_space.pareto import pareto_front
from accelerator_sim.design_space.space import TOKENS, Space
from accelerator_sim.machine.identity import cost_identity, machine_identity
from accelerator_sim.models.results import BASIS
from workloads.results.identity import CostIdentity, MachineIdentity, Provenance
from workloads.results.table import Column, Table
from workloads.support.errors import InputError

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

_NOT_MEASURED = ("feasible", "reason")


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
    """

    space_sha256: str
    machine: MachineIdentity
    costs: CostIdentity
    workload: Mapping[str, Any]
    cycle_model: str
    axes: tuple[str, ...]
    objectives: tuple[str, ...]


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
        front: Points that nothing beats: values of the axes and of what was measured, by name.
    """

    KIND: ClassVar[str] = "sweep"
    COMMAND: ClassVar[str] = "sslc sweep"
    DERIVED: ClassVar = ("basis", "infeasible")

    identity: SweepIdentity
    provenance: Provenance
    points: int
    infeasible_reasons: tuple[Reason, ...]
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
        names = ("point", *self.identity.axes, *measured)
        columns = (
            Column("Point"),
            *(Column(axis, ",") for axis in self.identity.axes),
            *(_heading(name) for name in measured),
        )
        rows = tuple(tuple(row[name] for name in names) for row in self.front)
        objectives = ", ".join(self.identity.objectives)
        title = f"Pareto front on {self.identity.machine.label}: {objectives}"
        return Table("front", title, columns, rows)

    def __repr__(self) -> str:
        return (
            f"SweepResult({self.points:,} points, {len(self.front)} on the front, "
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
            raise InputError("to_frame needs pandas: pip install 'sslc[frames]'") from error
        return self.points.to_pandas()

    def plot(self) -> "Figure":
        """The first objective against each other one: feasible points and the front.

        Raises:
            InputError: No point is feasible.
        """
        from accelerator_sim.design_space.figure import front_figure

        rows = [row for row in self.points.to_pylist() if row["feasible"]]
        if not rows:
            raise InputError("no point of the sweep is feasible: there is nothing to draw")
        return front_figure(self.result.front, rows, objectives=self.result.identity.objectives)


def _heading(name: str) -> Column:
    whole = OBJECTIVES[name].unit in ("cycles", "bytes", "pJ")
    return Column(name, ",.0f" if whole else ",.3f")


def sweep_result(space: Space, points: pa.Table, *, provenance: Provenance) -> SweepResult:
    """The Pareto front of a sweep, with what it was a sweep of.

    Points with different tokens are different work, so each number of tokens has its own front.

    Args:
        space: What was swept.
        points: From ``evaluation.run_sweep``.
        provenance: Of this run.
    """
    rows = points.to_pylist()
    reasons = Counter(row["reason"] for row in rows if not row["feasible"])
    workload = {name: value for name, value in asdict(space.workload).items() if value != ""}
    if space.workload.artifact:
        workload = {"artifact": Path(space.workload.artifact).name, "blocks": workload["blocks"]}
    identity = SweepIdentity(
        space.digest,
        machine_identity(space.accelerator),
        cost_identity(space.costs),
        {**workload, "masks": space.workload.masks},
        space.cycle_model,
        tuple(axis.key for axis in space.axes),
        space.objectives,
    )
    return SweepResult(
        identity,
        provenance,
        len(rows),
        tuple(Reason(reason, count) for reason, count in reasons.most_common()),
        _front([row for row in rows if row["feasible"]], space.objectives),
    )


def _front(
    rows: list[dict[str, Any]], objectives: tuple[str, ...]
) -> tuple[Mapping[str, Any], ...]:
    front: list[dict[str, Any]] = []
    for tokens in sorted({row[TOKENS] for row in rows}):
        group = [row for row in rows if row[TOKENS] == tokens]
        values = [[row[name] * OBJECTIVES[name].sign for name in objectives] for row in group]
        best = [group[index] for index in pareto_front(np.array(values)).tolist()]
        front += sorted(best, key=lambda row: row[objectives[0]] * OBJECTIVES[objectives[0]].sign)
    return tuple({k: v for k, v in row.items() if k not in _NOT_MEASURED} for row in front)
