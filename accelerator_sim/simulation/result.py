"""What a run of the event model found. Frozen, JSON-safe."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from accelerator_sim.mapping.roofline import Roofline
from accelerator_sim.simulation.binding import Binding, binding

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
        gather: Lines of the sparser engine while the banks of the activation buffer are read, after
            the slowest line would have ended.
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
    gather: int = 0

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

    DERIVED: ClassVar = ("total",)

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
        bank_reads: Words of P tokens that the lines read from banks; equal columns of a step once.
        crossbar_words: Words that lines took from them.
        copied_bytes: Inputs written into the lines' own copies.
        copy_read_bytes: Inputs read from these.
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
    bank_reads: int = 0
    crossbar_words: int = 0
    copied_bytes: int = 0
    copy_read_bytes: int = 0


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
        value_bits: Width of a stationary value, as run.
        denser_lines: Lines of the denser engine.
        split_chosen_by: How.
        dense_columns: G.
        dense_threshold: t that chose them.
        activations_resident: Whether a token block's inputs stay on chip.
        outputs_resident: Whether a token block's accumulators stay on chip; with stationary weights
            those of all tokens.
        loop_order: What stayed while the tiles that used it ran.
        index_format: How the places of S were stored; empty where all columns are dense, and in
            results of earlier versions.
    """

    DERIVED: ClassVar = ("binding", "roofline_fraction")

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
    value_bits: int
    denser_lines: int
    split_chosen_by: str
    dense_columns: int
    dense_threshold: float
    activations_resident: bool
    outputs_resident: bool
    loop_order: str
    index_format: str = ""

    @property
    def roofline_fraction(self) -> float | None:
        """Bound over cycles: 1.0 is the bound; None where there was nothing to do."""
        return self.roofline_cycles / self.cycles if self.cycles else None

    @property
    def stalls(self) -> dict[str, Stalls]:
        """The two accounts by engine."""
        return {"denser": self.denser, "sparser": self.sparser}

    @property
    def binding(self) -> Binding | None:
        """What takes most line cycles of both engines; None where there was nothing to do."""
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


def _scaled(counts: _Counts, count: int) -> _Counts:
    """Every field of a flat account times a number."""
    return type(counts)(*(value * count for value in dataclasses.astuple(counts)))
