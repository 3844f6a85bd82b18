"""What a run of the event model found, and what projections cost. Frozen, JSON-safe."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from accelerator_sim.simulation.binding import Binding, Roofline, binding
from workloads.shapes.gemm import MODULES, Module

Run = Literal["dense", "sparse", "sum"]
RUNS: tuple[Run, ...] = get_args(Run)
_Counts = TypeVar("_Counts", "Stalls", "Traffic", "Actions")


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
        factor_macs: The share of ``macs`` with U and V.
        decoded: Index entries decoded: bitmap bits, indices, runs.
        link_elements: Partial sums that crossed the accumulation link.
        dram_read_bytes: Loaded, in whole bursts.
        dram_write_bytes: Written back, in whole bursts.
        weight_buffer_bytes: Read and written; ``sram.sram_bytes`` has the counting rule.
        activation_buffer_bytes: Likewise.
        output_buffer_bytes: Likewise.
    """

    macs: int
    executed_zeros: int
    factor_macs: int
    decoded: int
    link_elements: int
    dram_read_bytes: int
    dram_write_bytes: int
    weight_buffer_bytes: int
    activation_buffer_bytes: int
    output_buffer_bytes: int


@dataclass(frozen=True)
class Energy:
    """Energy by part, in pJ.

    Attributes:
        mac: Multiplications and additions, executed zeros included.
        decode: Index decode.
        sram: The three buffers.
        dram: Transfers, in whole bursts.
        link: The accumulation link.
    """

    mac: float
    decode: float
    sram: float
    dram: float
    link: float

    @property
    def total_pj(self) -> float:
        """Sum of the parts."""
        return float(sum(dataclasses.astuple(self)))

    def to_dict(self) -> dict[str, float]:
        """Parts and total in pJ."""
        return {**dataclasses.asdict(self), "total_pj": self.total_pj}


@dataclass(frozen=True)
class Area:
    """Area of a machine by part, in mm².

    Attributes:
        mac: Multipliers and adders.
        decode: Index decoders.
        sram: The three buffers.
    """

    mac: float
    decode: float
    sram: float

    @property
    def total_mm2(self) -> float:
        """Sum of the parts."""
        return float(sum(dataclasses.astuple(self)))

    def to_dict(self) -> dict[str, float]:
        """Parts and total in mm²."""
        return {**dataclasses.asdict(self), "total_mm2": self.total_mm2}


@dataclass(frozen=True)
class EventResult:
    """One run of the event model.

    Attributes:
        cycles: Until the last output is written back.
        roofline_cycles: The bound of the same work on the same machine.
        roofline: That work: MACs, bytes, and which of the two takes longer.
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
        outputs_resident: Whether a token block's accumulators stay on chip; with stationary weights
            those of all tokens.
        loop_order: What stayed while the tiles that used it ran.
    """

    cycles: int
    roofline_cycles: int
    roofline: Roofline
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
    loop_order: str

    @property
    def roofline_fraction(self) -> float:
        """Bound over cycles: 1.0 is the bound."""
        return self.roofline_cycles / self.cycles

    @property
    def stalls(self) -> dict[str, Stalls]:
        """The two accounts by engine."""
        return {"denser": self.denser, "sparser": self.sparser}

    @property
    def binding(self) -> Binding:
        """What takes most line cycles of both engines."""
        return binding(dataclasses.asdict(account) for account in self.stalls.values())

    def times(self, count: int) -> "EventResult":
        """The same run so many times, one after the other with a drain between."""
        return dataclasses.replace(
            self,
            cycles=self.cycles * count,
            roofline_cycles=self.roofline_cycles * count,
            roofline=self.roofline.times(count),
            denser=_scaled(self.denser, count),
            sparser=_scaled(self.sparser, count),
            traffic=_scaled(self.traffic, count),
            actions=_scaled(self.actions, count),
            tiles=self.tiles * count,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        values = dataclasses.asdict(self)
        values["tile"] = list(self.tile)
        values["roofline"] = self.roofline.to_dict()
        values["traffic"]["total"] = self.traffic.total
        values["binding"] = dataclasses.asdict(self.binding)
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
        energy: Of each run, where there is detail; from ``energy.with_energy``.

    The softmax of attention (``attention``) is an entry too: the same cycles three times, no runs.
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
    energy: Mapping[Run, Energy] | None = None

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
        energy = {run: of.to_dict() for run, of in (self.energy or {}).items()}
        return {**values, **_cycles(self), **runs, **({"energy": energy} if energy else {})}


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
        area: Of the accelerator.
        cost_table: Name of the table behind energy and area.
    """

    model: str
    accelerator: str
    projections: tuple[ProjectionCycles, ...]
    area: Area | None = None
    cost_table: str | None = None

    @property
    def modules(self) -> dict[Module, ModuleCycles]:
        """Sums by module, of the modules that occur."""
        present = [m for m in MODULES if any(p.module == m for p in self.projections)]
        return {m: _sum(p for p in self.projections if p.module == m) for m in present}

    @property
    def total(self) -> ModuleCycles:
        """Sum of all projections."""
        return _sum(self.projections)

    @property
    def energy(self) -> dict[Module, dict[Run, Energy]]:
        """Sums by module and run, of the projections that have energies."""
        return {
            module: {run: _energy_sum(self.projections, module, run) for run in RUNS}
            for module in MODULES
            if any(p.module == module and p.energy for p in self.projections)
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries."""
        return {
            "model": self.model,
            "accelerator": self.accelerator,
            "projections": [projection.to_dict() for projection in self.projections],
            "modules": {name: cycles.to_dict() for name, cycles in self.modules.items()},
            "total": self.total.to_dict(),
            "cost_table": self.cost_table,
            "area": self.area.to_dict() if self.area else None,
            "energy": {
                module: {run: energy.to_dict() for run, energy in runs.items()}
                for module, runs in self.energy.items()
            },
        }


def _scaled(counts: _Counts, count: int) -> _Counts:
    """Every field of a flat account times a number."""
    return type(counts)(*(value * count for value in dataclasses.astuple(counts)))


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


def _energy_sum(projections: Iterable[ProjectionCycles], module: Module, run: Run) -> Energy:
    parts = [p.energy[run] for p in projections if p.module == module and p.energy]
    return Energy(*map(sum, zip(*map(dataclasses.astuple, parts), strict=True)))
