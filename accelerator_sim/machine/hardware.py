"""The machine, as data: engines, buffers, DRAM. Frozen, validated, every field used by a model.

First in the flow: ``catalog`` fills these from TOML, ``mapping`` reads them.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal, get_args

from workloads.masks.pattern import parse_pattern
from workloads.support.errors import shown

Dataflow = Literal["reduction", "token", "auto"]
Gather = Literal["ideal", "banked"]
Decode = Literal["ideal", "queue"]
Slots = int | Literal["auto"]
Limit = int | Literal["unlimited"]
RowAssignment = Literal["static", "next_free"]
Schedule = Literal["sequential", "overlapped"]
LoopOrder = Literal["output_stationary", "weight_stationary", "activation_stationary"]
LineSplit = int | Literal["auto", "proportional"]
Extent = int | Literal["auto"]

# Upper limits of whole numbers, far above any machine, and low enough for 64-bit counts.
# docs/reliability.md names them.
MAX_UNITS = 2**20
"""PE lines, PEs of a line, channels."""
MAX_PER_CYCLE = 2**30
"""Elements, entries and bytes of a cycle or a burst; rows, columns and tokens of a tile."""
MAX_BYTES = 2**50
"""Bytes of a buffer."""
MAX_CYCLES = 10**9
"""Cycles of latency."""
MAX_PIPELINE = 1024
"""Stages of a line."""
MAX_NANOSECONDS = 10**9
"""Nanoseconds of latency: a second."""
MAX_HERTZ = 10**12
MAX_BYTES_PER_SECOND = 2**62

# Port times are kept in 64 bits: the denominator times the bytes of a projection.
_LARGEST_DENOMINATOR = 10**9

HIERARCHICAL = "hierarchical_bitmap"
ANY_MASK = ("bitmap", "csc", "csr", HIERARCHICAL, "run_length")
"""Index formats that any mask can be stored in."""
AUTO_FORMAT = "auto"
_INDEX_FORMATS = (AUTO_FORMAT, *ANY_MASK)
_LARGEST_GROUP = 64


def _whole(field: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{field} must be a whole number from {low} to {high}, got {shown(value)}")


def _one_of(field: str, value: object, choices: Collection[str]) -> None:
    if value not in choices:
        raise ValueError(f"{field} must be one of {', '.join(choices)}, got {shown(value)}")


def _fraction(field: str, value: float, low_excluded: bool) -> None:
    if not (0 <= value <= 1) or (low_excluded and value == 0):
        raise ValueError(f"{field} must be in {'(' if low_excluded else '['}0, 1], got {value!r}")


def _nanoseconds(field: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= MAX_NANOSECONDS:  # type: ignore[operator]
        raise ValueError(
            f"{field} must be a number from 0 to {MAX_NANOSECONDS}, got {shown(value)}"
        )


@dataclass(frozen=True)
class TileChoice:
    """Tile of a matrix product: rows x columns of the weights x tokens, or ``auto`` for each.

    Attributes:
        rows: Rows of the weight matrix in a tile.
        columns: Columns of the weight matrix (reduction length) in a tile.
        tokens: Tokens in a tile.
    """

    rows: Extent = "auto"
    columns: Extent = "auto"
    tokens: Extent = "auto"

    def __post_init__(self) -> None:
        for field in ("rows", "columns", "tokens"):
            value = getattr(self, field)
            if value != "auto":
                _whole(f'{field} (unless "auto")', value, 1, MAX_PER_CYCLE)


@dataclass(frozen=True)
class Bits:
    """Widths of the number formats.

    Attributes:
        weight: A value of S, or of a dense column.
        activation: An input, and an output as it is written back.
        factor: A value of U or V.
        accumulator: A partial sum in the output buffer.
    """

    weight: int
    activation: int
    factor: int
    accumulator: int

    def __post_init__(self) -> None:
        for field in ("weight", "activation", "factor", "accumulator"):
            _whole(field, getattr(self, field), 1, 64)


@dataclass(frozen=True)
class Index:
    """How the places of nonzeros are stored, and how fast a line of the sparser engine reads them.

    Attributes:
        format: ``bitmap`` (one bit per place), ``csr`` or ``csc`` (one index per nonzero, one
            pointer per row or column and one more), ``run_length`` (zeros before each nonzero),
            ``hierarchical_bitmap`` (one bit per block of places, and one per place of the blocks
            that are not empty), ``N:M`` such as ``2:4`` (N entries per row and group of M
            columns, padded with zeros), or ``auto``: of each projection the one of these with the
            fewest bits of S, N:M of 4, 8 and 16 columns among them.
        decode_per_cycle: Entries that one line decodes per cycle: bitmap bits, indices, runs.
        run_bits: Bits of a run; only ``run_length`` has them.
        block_places: Places of a block; only ``hierarchical_bitmap`` has them.
        decode: ``ideal``: a row takes the longer of its MACs and its decode; ``queue``: chunks of
            entries pass through a queue of products, one a cycle. ``csc`` stays ideal: it arrives
            by columns.
        decode_queue: Products that wait at most, at least ``decode_per_cycle`` − 1 so that any
            chunk can be taken; ``auto``: 2·P, or ``decode_per_cycle`` if that is more.
    """

    format: str
    decode_per_cycle: int
    run_bits: int = 4
    decode: Decode = "queue"
    decode_queue: Extent = "auto"
    block_places: int = 16

    def __post_init__(self) -> None:
        if self.format not in _INDEX_FORMATS and self.n_of_m is None:
            raise ValueError(
                f"format must be one of {', '.join(_INDEX_FORMATS)}, or N:M such as 2:4 with "
                f"1 <= N < M <= {_LARGEST_GROUP}, got {self.format!r}"
            )
        _whole("decode_per_cycle", self.decode_per_cycle, 1, MAX_PER_CYCLE)
        _whole("run_bits", self.run_bits, 1, 16)
        _whole("block_places", self.block_places, 1, MAX_PER_CYCLE)
        _one_of("decode", self.decode, get_args(Decode))
        if self.decode_queue != "auto":
            least = max(self.decode_per_cycle - 1, 1)
            _whole('decode_queue (unless "auto")', self.decode_queue, least, MAX_PER_CYCLE)

    @property
    def queued(self) -> bool:
        """Whether rows pass through a decode queue."""
        return self.decode == "queue" and self.format != "csc"

    @cached_property
    def n_of_m(self) -> tuple[int, int] | None:
        """N and M of an ``N:M`` format; None for every other one."""
        pattern = parse_pattern(self.format)
        return None if pattern is None or pattern.columns > _LARGEST_GROUP else pattern


@dataclass(frozen=True)
class Buffer:
    """An on-chip buffer.

    Attributes:
        capacity_bytes: All of it.
        slots: How many slots of ⌊capacity / slots⌋ bytes, one tile in each; ``auto``: as many as
            the largest stored tile leaves room for.
    """

    capacity_bytes: int
    slots: Slots = "auto"

    def __post_init__(self) -> None:
        _whole("capacity_bytes", self.capacity_bytes, 1, MAX_BYTES)
        if self.slots != "auto":
            _whole('slots (unless "auto")', self.slots, 1, MAX_UNITS)


@dataclass(frozen=True)
class Dram:
    """The memory behind the buffers; one FIFO for all transfers.

    Attributes:
        bytes_per_second: Peak of all channels together; GB = 10⁹ bytes.
        efficiency: Sustained share of the peak.
        latency_ns: From the last byte of a read at the port to its arrival; pipelined. Whole
            cycles, rounded up.
        burst_bytes: Smallest unit of one channel.
        channels: Channels that a transfer is striped over, burst by burst.
        technology: What energy tables call it.
        write_latency_ns: The same for writes; None: as for reads.
        refresh_share: Share of the time in which the DRAM refreshes and serves nothing.
        requests_per_cycle: Requests that join the port's queue in a cycle.
        outstanding_requests: Requests of a stream that are raised and whose transfer has not begun.
    """

    bytes_per_second: int
    efficiency: float
    latency_ns: float
    burst_bytes: int
    channels: int
    technology: str = "ddr4"
    write_latency_ns: float | None = None
    refresh_share: float = 0.0
    requests_per_cycle: Limit = 1
    outstanding_requests: Limit = 4

    def __post_init__(self) -> None:
        _whole("bytes_per_second", self.bytes_per_second, 1, MAX_BYTES_PER_SECOND)
        _fraction("efficiency", self.efficiency, low_excluded=True)
        _whole("burst_bytes", self.burst_bytes, 1, MAX_PER_CYCLE)
        _whole("channels", self.channels, 1, MAX_UNITS)
        _nanoseconds("latency_ns", self.latency_ns)
        if self.write_latency_ns is not None:
            _nanoseconds("write_latency_ns", self.write_latency_ns)
        if not 0 <= self.refresh_share < 1:
            raise ValueError(f"refresh_share must be in [0, 1), got {self.refresh_share!r}")
        for field in ("requests_per_cycle", "outstanding_requests"):
            value = getattr(self, field)
            if value != "unlimited":
                _whole(f'{field} (unless "unlimited")', value, 1, MAX_UNITS)

    @property
    def stripe_bytes(self) -> int:
        """One burst of every channel."""
        return self.burst_bytes * self.channels

    @property
    def limits_requests(self) -> bool:
        """Whether requests are raised one by one; else all that have a slot, by class."""
        return (self.requests_per_cycle, self.outstanding_requests) != ("unlimited",) * 2


@dataclass(frozen=True)
class Accelerator:
    """One accelerator: two engines of PE lines, three buffers and a DRAM.

    Attributes:
        name: For reports.
        clock_hz: Cycles per second.
        lines: PE lines, shared by the denser and the sparser engine.
        macs_per_line: Multiply-accumulates of one line per cycle (P).
        dataflow: ``reduction``: the P PEs of a line take P nonzeros of a row for one token;
            ``token``: one nonzero for P tokens; ``auto``: chosen with the
            tile, or where the tile is given the one with the least bound, per run.
        denser_lines: Lines of the denser engine: a number, ``auto`` (least cycles of the slower
            engine, per projection) or ``proportional`` (by MACs, the published rule).
        dense_threshold: t; column j is dense when nnz_j > t·m. 1.0: none.
        row_assignment: Rows of a tile go to sparser lines ``static``: row i to line i mod lines;
            ``next_free``: to the line that is free first.
        schedule: ``sequential``: the low-rank products on all lines, in turn with S;
            ``overlapped``: Vᵀx on all lines, then U on the denser engine while S runs.
        link_elements_per_cycle: Partial sums that cross from the denser engine per cycle.
        handoff_cycles: Cycles (0 or 1) from the end of an operation until another unit sees it.
        tile: Rows, columns and tokens of a tile.
        bits: Number formats.
        index: Index format of the sparse part.
        weight_buffer: Weights, indices and factors.
        activation_buffer: Inputs.
        output_buffer: Accumulators of outputs and of Vᵀx.
        dram: The memory.
        softmax_elements_per_cycle: Scores that softmax takes per cycle; only attention has any.
        loop_order: What stays while the tiles that use it run: the accumulators of an output block
            (``output_stationary``), a weight tile for all tokens (``weight_stationary``), or an
            activation chunk for all rows (``activation_stationary``).
        pipeline_cycles: From the last issue of a tile on an engine until its results are there.
        gather: Inputs that the lines of a token-parallel sparser engine ask for in a cycle:
            ``ideal``: all are there; ``banked``: read from banks, in lockstep.
        activation_banks: Banks of the activation buffer, by column; only ``banked`` asks.
        activation_ports: Reads of a bank per cycle, likewise.
        description: What it stands for, and whether anyone has validated it.
    """

    name: str
    clock_hz: int
    lines: int
    macs_per_line: int
    dataflow: Dataflow
    denser_lines: LineSplit
    dense_threshold: float
    row_assignment: RowAssignment
    schedule: Schedule
    link_elements_per_cycle: int
    handoff_cycles: int
    tile: TileChoice
    bits: Bits
    index: Index
    weight_buffer: Buffer
    activation_buffer: Buffer
    output_buffer: Buffer
    dram: Dram
    softmax_elements_per_cycle: int = 64
    loop_order: LoopOrder = "output_stationary"
    pipeline_cycles: int = 4
    gather: Gather = "banked"
    activation_banks: int = 64
    activation_ports: int = 1
    description: str = ""

    def __post_init__(self) -> None:
        _whole("clock_hz", self.clock_hz, 1, MAX_HERTZ)
        _whole("lines", self.lines, 1, MAX_UNITS)
        _whole("macs_per_line", self.macs_per_line, 1, MAX_UNITS)
        _one_of("dataflow", self.dataflow, ("reduction", "token", "auto"))
        if self.denser_lines not in ("auto", "proportional"):
            _whole(
                'denser_lines (unless "auto" or "proportional")', self.denser_lines, 0, self.lines
            )
        _fraction("dense_threshold", self.dense_threshold, low_excluded=False)
        _one_of("row_assignment", self.row_assignment, ("static", "next_free"))
        _one_of("schedule", self.schedule, ("sequential", "overlapped"))
        _one_of("loop_order", self.loop_order, get_args(LoopOrder))
        _whole("link_elements_per_cycle", self.link_elements_per_cycle, 1, MAX_PER_CYCLE)
        _whole("handoff_cycles", self.handoff_cycles, 0, 1)
        _one_of("gather", self.gather, get_args(Gather))
        _whole("activation_banks", self.activation_banks, 1, MAX_UNITS)
        _whole("activation_ports", self.activation_ports, 1, MAX_UNITS)
        _whole("pipeline_cycles", self.pipeline_cycles, 0, MAX_PIPELINE)
        _whole("softmax_elements_per_cycle", self.softmax_elements_per_cycle, 1, MAX_PER_CYCLE)
        if self.bytes_per_cycle.denominator > _LARGEST_DENOMINATOR:
            raise ValueError(
                "bytes_per_second * efficiency * (1 - refresh_share) / clock_hz must be a fraction "
                f"with a denominator of at most {_LARGEST_DENOMINATOR}, got {self.bytes_per_cycle};"
                " round efficiency or refresh_share"
            )
        for field in ("latency_ns", "write_latency_ns"):
            cycles = self._cycles_of(getattr(self.dram, field) or 0.0)
            if cycles > MAX_CYCLES:
                raise ValueError(f"dram.{field} must be at most {MAX_CYCLES} cycles, got {cycles}")

    @property
    def peak_macs(self) -> int:
        """Multiply-accumulates per cycle of all lines."""
        return self.lines * self.macs_per_line

    @property
    def decode_queue(self) -> int:
        """Products that wait at most in a line's decode queue."""
        given = self.index.decode_queue
        return (
            max(2 * self.macs_per_line, self.index.decode_per_cycle) if given == "auto" else given
        )

    @cached_property
    def peak_bytes_per_cycle(self) -> Fraction:
        """DRAM bytes per cycle without the efficiency: exact."""
        return Fraction(self.dram.bytes_per_second, self.clock_hz)

    @cached_property
    def bytes_per_cycle(self) -> Fraction:
        """DRAM bytes per cycle that are sustained: exact for both shares as written."""
        awake = 1 - Fraction(str(self.dram.refresh_share))
        return self.peak_bytes_per_cycle * Fraction(str(self.dram.efficiency)) * awake

    @cached_property
    def read_latency_cycles(self) -> int:
        """From the last byte of a load at the port to its arrival."""
        return self._cycles_of(self.dram.latency_ns)

    @cached_property
    def write_latency_cycles(self) -> int:
        """From the last byte of a write-back at the port until it is in DRAM."""
        if self.dram.write_latency_ns is None:
            return self.read_latency_cycles
        return self._cycles_of(self.dram.write_latency_ns)

    def _cycles_of(self, nanoseconds: float) -> int:
        """Whole cycles that a time takes, rounded up."""
        return math.ceil(Fraction(str(nanoseconds)) * self.clock_hz / 10**9)
