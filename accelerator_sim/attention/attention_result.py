"""Attention with fixed sparse masks, from heads' cycles to a typed result."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

from accelerator_sim.attention.masked import HeadCycles
from accelerator_sim.models.cycles import ProjectionCycles
from accelerator_sim.models.cycles_result import BASIS
from accelerator_sim.simulation.result import EventResult
from workloads.results.identity import CostIdentity, MachineIdentity, Provenance
from workloads.results.table import Column, Table
from workloads.shapes.attention import VitShape

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

STAGES = {"sddmm": "Q K (SDDMM)", "softmax": "softmax", "spmm": "A V (SpMM)"}
_US_PER_SECOND = 1e6
_COLUMNS = (
    Column("Stage"),
    Column("Dense", ",.1f"),
    Column("Sparse", ",.1f"),
    Column("Speedup", ".2f"),
    Column("Dense (us)", ",.2f"),
    Column("Sparse (us)", ",.2f"),
)
_Counted = tuple[int, ProjectionCycles]


@dataclass(frozen=True)
class AttentionIdentity:
    """All that determines cycles of attention.

    Attributes:
        shape: The vision transformer.
        masks: Where its masks come from.
        masks_sha256: Of every mask and how often it is used.
        machine: On what.
        costs: By which energies and areas.
        cycle_model: ``published``, ``roofline``, ``event`` or ``compiled``.
    """

    shape: VitShape
    masks: str
    masks_sha256: str
    machine: MachineIdentity
    costs: CostIdentity
    cycle_model: str


@dataclass(frozen=True)
class StageDetail:
    """What a simulated stage did, means and sums over the heads' sparse runs.

    Attributes:
        dense_columns_per_head: Mean number of keys on the denser engine.
        denser_lines_per_head: Mean number of its lines.
        utilisation: Useful MACs over all that the lines could have done.
        stalls: PE-line cycles by engine and reason.
        traffic: DRAM bytes by operand.
    """

    dense_columns_per_head: float
    denser_lines_per_head: float
    utilisation: float
    stalls: Mapping[str, Mapping[str, int]]
    traffic: Mapping[str, int]


@dataclass(frozen=True)
class StageCycles:
    """Cycles of a stage, all heads.

    Attributes:
        dense_cycles: Every score.
        sparse_cycles: Kept scores.
        detail: Where it was simulated.
    """

    DERIVED: ClassVar = ("speedup",)

    dense_cycles: float
    sparse_cycles: float
    detail: StageDetail | None = None

    @property
    def speedup(self) -> float | None:
        """Dense over sparse; None where nothing is kept."""
        return self.dense_cycles / self.sparse_cycles if self.sparse_cycles else None


@dataclass(frozen=True)
class AttentionResult:
    """Cycles of a vision transformer's attention.

    Attributes:
        identity: What determines them.
        provenance: Where they came from.
        dense_scores_stay: Whether all scores of a head stay on chip in the dense run.
        heads: Every head's own cycles.
    """

    KIND: ClassVar[str] = "attention"
    COMMAND: ClassVar[str] = "sslc attention"
    DERIVED: ClassVar = ("basis", "kept_fraction", "heads_whose_scores_stay", "stages", "total")

    identity: AttentionIdentity
    provenance: Provenance
    dense_scores_stay: bool
    heads: tuple[HeadCycles, ...]

    @property
    def basis(self) -> str:
        """What the numbers are, such as ``simulated (event)``."""
        return BASIS[self.identity.cycle_model]

    @property
    def kept_fraction(self) -> float:
        """Kept scores over all scores."""
        count = sum(head.repeats for head in self.heads)
        kept = sum(head.repeats * head.kept_scores for head in self.heads)
        return float(kept / (count * self.identity.shape.tokens**2))

    @property
    def heads_whose_scores_stay(self) -> int:
        """Heads whose kept scores stay on chip between the products."""
        return sum(head.repeats for head in self.heads if head.scores_stay)

    @property
    def stages(self) -> dict[str, StageCycles]:
        """Sums over heads by stage, of the stages that occur."""
        members = {
            name: [(h.repeats, s) for h in self.heads for s in h.stages if s.name == name]
            for name in STAGES
        }
        return {name: _stage(parts) for name, parts in members.items() if parts}

    @property
    def total(self) -> StageCycles:
        """Sum of the stages."""
        stages = self.stages.values()
        return StageCycles(
            sum(stage.dense_cycles for stage in stages),
            sum(stage.sparse_cycles for stage in stages),
        )

    @property
    def stem(self) -> str:
        """Shape, cycle model and machine."""
        identity = self.identity
        return f"{identity.shape.name}-{identity.cycle_model}-{identity.machine.label}"

    def to_table(self) -> Table:
        """Cycles and time by stage, dense and with the masks."""
        per_us = float(self.identity.machine.fields["clock_hz"]) / _US_PER_SECOND
        stages = {STAGES[name]: stage for name, stage in self.stages.items()} | {"all": self.total}
        rows = tuple(
            (
                *(name, stage.dense_cycles, stage.sparse_cycles, stage.speedup),
                *(stage.dense_cycles / per_us, stage.sparse_cycles / per_us),
            )
            for name, stage in stages.items()
        )
        about = f"{self.identity.shape.name} on {self.identity.machine.label}, {self.basis}"
        return Table("attention", f"Attention of {about}, all heads", _COLUMNS, rows)

    def to_frame(self) -> "pandas.DataFrame":
        """``to_table`` as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        return self.to_table().to_frame()

    def plot(self) -> "Figure":
        """Cycles by stage, dense beside sparse."""
        from accelerator_sim.attention.attention_figure import stages_figure

        return stages_figure(self)

    def __repr__(self) -> str:
        return (
            f"AttentionResult({self.identity.shape.name}, {self.identity.machine.label}, "
            f"{self.basis})"
        )


def _stage(parts: Sequence[_Counted]) -> StageCycles:
    dense = sum(repeats * stage.dense_cycles for repeats, stage in parts)
    sparse = sum(repeats * stage.sum_cycles for repeats, stage in parts)
    runs = [(repeats, stage.sum_run) for repeats, stage in parts if stage.sum_run is not None]
    return StageCycles(dense, sparse, _detail(runs) if runs else None)


def _detail(runs: Sequence[tuple[int, EventResult]]) -> StageDetail:
    heads = sum(repeats for repeats, _ in runs)
    cycles = sum(repeats * run.cycles for repeats, run in runs)
    stalls: dict[str, Counter[str]] = {"denser": Counter(), "sparser": Counter()}
    traffic: Counter[str] = Counter()
    for repeats, run in runs:
        whole = run.times(repeats)
        traffic.update(asdict(whole.traffic))
        for engine, account in whole.stalls.items():
            stalls[engine].update(asdict(account))
    return StageDetail(
        sum(repeats * run.dense_columns for repeats, run in runs) / heads,
        sum(repeats * run.denser_lines for repeats, run in runs) / heads,
        sum(repeats * run.utilisation * run.cycles for repeats, run in runs) / cycles,
        {engine: dict(account) for engine, account in stalls.items()},
        dict(traffic),
    )
