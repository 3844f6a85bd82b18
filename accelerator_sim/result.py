"""What a run of the event model found, and what projections cost. Frozen, JSON-safe."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workloads.gemm import MODULES, Module


@dataclass(frozen=True)
class Stalls:
    """Account of one engine: PE-line cycles by reason; they sum to its lines times all cycles.

    Attributes:
        compute: Lines busy with MACs.
        imbalance: Lines without work while a tile runs on others.
        index_decode: Time that index decode adds to a row's MACs.
        output_space: Waiting for room in the output buffer.
        weights: Waiting for weights, indices or factors.
        activations: Waiting for inputs.
        accumulation: Waiting for the accumulation link, or for Vᵀx.
        fill: Before the engine's first tile.
        drain: After the last tile of both engines.
        idle: No tile left while the other engine still has one.
    """

    compute: int
    imbalance: int
    index_decode: int
    output_space: int
    weights: int
    activations: int
    accumulation: int
    fill: int
    drain: int
    idle: int

    @property
    def total(self) -> int:
        """Sum of all reasons."""
        return sum(dataclasses.astuple(self))


@dataclass(frozen=True)
class Traffic:
    """DRAM bytes by operand as transferred, in whole bursts.

    Attributes:
        weights: Values and indices of S and its dense columns.
        factors: U and V.
        activations: Inputs.
        outputs: Results written back.
        refetched: Part of the above that had been fetched before.
    """

    weights: int
    factors: int
    activations: int
    outputs: int
    refetched: int

    @property
    def total(self) -> int:
        """Bytes that crossed the DRAM port."""
        return self.weights + self.factors + self.activations + self.outputs


@dataclass(frozen=True)
class Actions:
    """Counts of what the machine did, for energy.

    Attributes:
        macs: Multiply-accumulates executed: useful ones and zeros.
        executed_zeros: The share of ``macs`` on zeros inside dense columns.
        decoded: Bitmap bits or CSR/CSC indices decoded.
        link_elements: Partial sums that crossed the accumulation link.
        dram_read_bytes: Loaded, in whole bursts.
        dram_write_bytes: Written back, in whole bursts.
    """

    macs: int
    executed_zeros: int
    decoded: int
    link_elements: int
    dram_read_bytes: int
    dram_write_bytes: int


@dataclass(frozen=True)
class EventResult:
    """One run of the event model.

    Attributes:
        cycles: Until the last output is written back.
        roofline_cycles: The bound of the same work on the same machine.
        utilisation: Useful MACs over lines x MACs per line x cycles.
        denser: Account of the denser engine.
        sparser: Account of the sparser engine.
        traffic: DRAM bytes.
        actions: Action counts.
        tiles: Tiles that were run.
        tile: Rows, columns and tokens of a full tile.
        tile_chosen_by: How.
        dataflow: ``reduction`` or ``token``, as run.
        denser_lines: Lines of the denser engine.
        split_chosen_by: How.
        dense_columns: G.
        dense_threshold: t that chose them.
        activations_resident: Whether a token block's inputs stay on chip.
        outputs_resident: Whether a token block's accumulators stay on chip.
    """

    cycles: int
    roofline_cycles: int
    utilisation: float
    denser: Stalls
    sparser: Stalls
    traffic: Traffic
    actions: Actions
    tiles: int
    tile: tuple[int, int, int]
    tile_chosen_by: str
    dataflow: str
    denser_lines: int
    split_chosen_by: str
    dense_columns: int
    dense_threshold: float
    activations_resident: bool
    outputs_resident: bool

    @property
    def roofline_fraction(self) -> float:
        """Bound over cycles: 1.0 is the bound."""
        return self.roofline_cycles / self.cycles

    @property
    def stalls(self) -> dict[str, Stalls]:
        """The two accounts by engine."""
        return {"denser": self.denser, "sparser": self.sparser}

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        values = dataclasses.asdict(self)
        values["tile"] = list(self.tile)
        return {**values, "roofline_fraction": self.roofline_fraction}


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
    """

    name: str
    module: Module
    model: str
    dense_cycles: float
    sparse_cycles: float
    sum_cycles: float
    dense_run: EventResult | None = None
    sparse_run: EventResult | None = None
    sum_run: EventResult | None = None

    @property
    def low_rank_cycles(self) -> float:
        """What the low-rank part adds to S alone; it may be negative where both overlap."""
        return self.sum_cycles - self.sparse_cycles

    @property
    def speedup(self) -> float:
        """Dense over sum."""
        return self.dense_cycles / self.sum_cycles

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        values = {field: getattr(self, field) for field in ("name", "module", "model")}
        runs = {
            field: run.to_dict()
            for field in ("dense_run", "sparse_run", "sum_run")
            if (run := getattr(self, field)) is not None
        }
        return {**values, **_cycles(self), **runs}


@dataclass(frozen=True)
class ModuleCycles:
    """Cycles of some projections that run one after the other."""

    dense_cycles: float
    sparse_cycles: float
    sum_cycles: float

    @property
    def low_rank_cycles(self) -> float:
        """What the low-rank parts add."""
        return self.sum_cycles - self.sparse_cycles

    @property
    def speedup(self) -> float:
        """Dense over sum."""
        return self.dense_cycles / self.sum_cycles

    def to_dict(self) -> dict[str, float]:
        """Plain numbers by name."""
        return _cycles(self)


@dataclass(frozen=True)
class BlockCycles:
    """What the projections of a block cost by one model.

    Attributes:
        model: ``published``, ``roofline``, ``event`` or ``compiled``.
        accelerator: Its name.
        projections: In the order in which they run.
    """

    model: str
    accelerator: str
    projections: tuple[ProjectionCycles, ...]

    @property
    def modules(self) -> dict[Module, ModuleCycles]:
        """Sums by module, of the modules that occur."""
        present = [m for m in MODULES if any(p.module == m for p in self.projections)]
        return {m: _sum(p for p in self.projections if p.module == m) for m in present}

    @property
    def total(self) -> ModuleCycles:
        """Sum of all projections."""
        return _sum(self.projections)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        return {
            "model": self.model,
            "accelerator": self.accelerator,
            "projections": [projection.to_dict() for projection in self.projections],
            "modules": {name: cycles.to_dict() for name, cycles in self.modules.items()},
            "total": self.total.to_dict(),
        }


def _cycles(of: ProjectionCycles | ModuleCycles) -> dict[str, float]:
    return {
        "dense_cycles": of.dense_cycles,
        "sparse_cycles": of.sparse_cycles,
        "low_rank_cycles": of.low_rank_cycles,
        "sum_cycles": of.sum_cycles,
        "speedup": of.speedup,
    }


def _sum(projections: Iterable[ProjectionCycles]) -> ModuleCycles:
    parts = list(projections)
    return ModuleCycles(
        sum(part.dense_cycles for part in parts),
        sum(part.sparse_cycles for part in parts),
        sum(part.sum_cycles for part in parts),
    )
