"""Gains of a machine's resources, as a typed result."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from accelerator_sim.models.cycles_result import BASIS
from accelerator_sim.sensitivity.changes import MUCH, Change
from workloads.results.identity import Provenance
from workloads.results.kinds import CyclesIdentity
from workloads.results.table import Column, Table
from workloads.support.wording import counted

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Cycles:
    """Cycles of all simulated projections.

    Attributes:
        dense: Run dense.
        compressed: S with its low-rank part.
    """

    dense: float
    compressed: float

    def __add__(self, other: "Cycles") -> "Cycles":
        return Cycles(self.dense + other.dense, self.compressed + other.compressed)


@dataclass(frozen=True)
class Gain:
    """What one change does.

    Attributes:
        change: The resource, and how it was changed.
        held: Cycles with the tile, dataflow and split of the machine as it is.
        anew: Cycles with everything planned for the changed machine.
    """

    change: Change
    held: Cycles
    anew: Cycles


@dataclass(frozen=True)
class WhatIfResult:
    """Gains of every resource of a machine for one workload.

    Attributes:
        identity: What determines them.
        provenance: Where they came from.
        base: Cycles on the machine as it is.
        gains: By resource and step.
    """

    KIND: ClassVar[str] = "what_if"
    COMMAND: ClassVar[str] = "sslc simulate --what-if"
    DERIVED: ClassVar = ("basis",)

    identity: CyclesIdentity
    provenance: Provenance
    base: Cycles
    gains: tuple[Gain, ...]

    @property
    def basis(self) -> str:
        """What the numbers are, such as ``simulated (compiled)``."""
        return BASIS[self.identity.cycle_model]

    @property
    def stem(self) -> str:
        """Machine, cycle model and tokens."""
        tokens, machine = self.identity.workload.tokens, self.identity.machine.label
        return f"{self.identity.cycle_model}-{tokens}-{machine}"

    def __repr__(self) -> str:
        identity = self.identity
        return f"WhatIfResult({identity.subject.model}, {identity.machine.label}, {self.basis})"

    def to_table(self) -> Table:
        """Old over new cycles of every change, dense and compressed."""
        base = self.base
        rows = [("as it is", "-", base.dense, base.compressed, 1.0, 1.0, 1.0, 1.0)]
        rows += [
            (
                gain.change.resource,
                gain.change.step,
                gain.held.dense,
                gain.held.compressed,
                base.dense / gain.held.dense,
                base.compressed / gain.held.compressed,
                base.dense / gain.anew.dense,
                base.compressed / gain.anew.compressed,
            )
            for gain in self.gains
        ]
        title = f"What if: gains of each resource of {self.identity.machine.label}"
        return Table("what-if", title, _COLUMNS, tuple(rows), (*_NOTES, self._about()))

    def to_frame(self) -> "pandas.DataFrame":
        """``to_table`` as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        return self.to_table().to_frame()

    def plot(self) -> "Figure":
        """Gains of the compressed run, held and planned anew."""
        from accelerator_sim.sensitivity.what_if_figure import gains_figure

        return gains_figure(self)

    def _about(self) -> str:
        subject, work = self.identity.subject, self.identity.workload
        return (
            f"{subject.model}, {subject.method}, {subject.masks} masks; "
            f"{counted(work.blocks, 'block')}, {counted(work.tokens, 'token')}, {self.basis}; "
            "projections only."
        )


_COLUMNS = (
    Column("Resource"),
    Column("Change"),
    Column("Dense, held", ",.0f"),
    Column("Sum, held", ",.0f"),
    Column("Dense gain, held", ".3f"),
    Column("Sum gain, held", ".3f"),
    Column("Dense gain, anew", ".3f"),
    Column("Sum gain, anew", ".3f"),
)
_NOTES = (
    "Gain: cycles as the machine is over cycles with one resource changed. Held: tile, dataflow "
    "and split as planned for the machine as it is; anew: planned for the changed one. A gain "
    "below 1 is a loss: more of a resource may lead to a worse order of events or tile.",
    "Doubled: latency and pipeline halved; slots, and requests a cycle and outstanding, twice as "
    f"many. Ideal: {MUCH} times the bandwidth, no latency, pipeline or hand-offs, all else without "
    "limit.",
)
