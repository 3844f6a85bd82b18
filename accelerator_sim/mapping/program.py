"""What the engines run: every tile in order with its bytes and cycles, as arrays. Pure.

After ``timing``: a ``Program`` holds every duration that an engine needs, so the event engine and
any other engine with its semantics decide only when things happen, never how long they take.

One tile has a denser part, a sparser part, or both; tiles with neither are left out. Order, when
outputs are stationary: for each token block the tiles of V; then for each row block the tiles of S
and those of U. The other orders are permutations of it (``docs/event_model.md``). Low-rank tiles
have their rows dealt over all lines, those of the first ``denser_lines`` lines being the denser
part. With the ``overlapped`` schedule the tiles of U are a stream of their own, all rows on the
denser engine beside S; V stays in front, since no output block can leave before Vᵀx is there.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.machine.hardware import Accelerator, Buffer, LoopOrder
from accelerator_sim.mapping.configuration import Configuration
from accelerator_sim.mapping.indices import StoredTiles, stored_tiles
from accelerator_sim.mapping.tiling import Counts, TiledProjection, block_sizes
from accelerator_sim.mapping.timing import (
    ceil_div,
    columns_cycles,
    dense_cycles,
    sparse_tiles,
)

S, V, U = 0, 1, 2
SCALE_BITS = 16
_WORKED_OUT = 3 + 8  # per tile: cached properties of a stream, and what engines look up
_Value = TypeVar("_Value")


@dataclass(frozen=True, eq=False)
class Stream:
    """Tiles in the order in which they are loaded and run; one entry per tile in every array.

    Attributes:
        kind: S, V or U.
        token_block: Token block.
        row_block: Row block of the output (S, U) or of Vᵀx (V).
        column_block: Column block of the activations (S, V), or of Vᵀx (U).
        denser_cycles: Cycles on the denser engine; 0: no part there.
        sparser_cycles: Cycles on the sparser engine; 0: no part there.
        value_bits: Stationary values that are loaded; 0: those of the tile before
            (``weight_stationary``).
        index_bits: Bits that give the places of the values, and their scales, likewise.
        activation_bits: Inputs that the tile reads from the activation buffer; 0 for U.
        link_elements: Partial sums that the denser part sends over the link.
        denser_compute: Line cycles with MACs in the denser part.
        sparser_compute: Line cycles with MACs in the sparser part.
        decode: Line cycles that index decode adds.
        gather: Line cycles that gathers add.
    """

    kind: Counts
    token_block: Counts
    row_block: Counts
    column_block: Counts
    denser_cycles: Counts
    sparser_cycles: Counts
    value_bits: Counts
    index_bits: Counts
    activation_bits: Counts
    link_elements: Counts
    denser_compute: Counts
    sparser_compute: Counts
    decode: Counts
    gather: Counts

    def __len__(self) -> int:
        return len(self.kind)

    @cached_property
    def weight_bits(self) -> Counts:
        """Bits of values and indices per tile."""
        return self.value_bits + self.index_bits

    @cached_property
    def weight_bytes(self) -> Counts:
        """Whole bytes of weights and indices per tile."""
        return ceil_div(self.weight_bits, 8)

    @cached_property
    def activation_bytes(self) -> Counts:
        """Whole bytes of activations per tile."""
        return ceil_div(self.activation_bits, 8)


@dataclass(frozen=True, eq=False)
class Program:
    """A projection on one accelerator, ready to run.

    Attributes:
        tiled: The projection in tiles.
        accelerator: What it runs on; machines that differ behind the buffers share a program.
        configuration: Dataflow, widths and room of this product.
        denser_lines: Lines of the denser engine.
        decoded: Index entries that the sparser engine decodes, over all token blocks.
        main: V and S, and U when it runs in turn with S.
        factors: U when it runs beside S; otherwise empty.
        results: Results in each output block, each made whole by one tile (sampled products); None:
            rows x tokens, added up over tiles.
        results_stay: Whether they stay in the output buffer instead of being written back.
    """

    tiled: TiledProjection
    accelerator: Accelerator
    configuration: Configuration
    denser_lines: int
    decoded: int
    main: Stream
    factors: Stream
    results: Counts | None = None
    results_stay: bool = False
    _kept: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def on(self, accelerator: Accelerator) -> "Program":
        """The same tiles on a machine that times them alike; both share what is ``once``."""
        program = replace(self, accelerator=accelerator)
        object.__setattr__(program, "_kept", self._kept)
        return program

    def once(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """What is worked out of the tiles, kept with them for all machines that they serve.

        Args:
            key: What it is, with all that decides it apart from the tiles.
            make: Called if it is not kept.
        """
        if key not in self._kept:
            self._kept[key] = make()
        value: _Value = self._kept[key]
        return value

    @property
    def loop_order(self) -> LoopOrder:
        """What stays while the tiles that use it run."""
        return self.accelerator.loop_order

    @property
    def output_buffer(self) -> Buffer:
        """What outputs have of the machine's output buffer."""
        return self.configuration.output_buffer(self.accelerator)

    @property
    def sparser_lines(self) -> int:
        """Lines that the denser engine does not have."""
        return self.accelerator.lines - self.denser_lines

    @cached_property
    def written_results(self) -> Counts:
        """Results of every output block that leave the chip, in the order of the blocks.

        Token block by token block; row block by row block when weights are stationary.
        """
        results = self.results
        if results is None:
            blocks = self.tiled.token_sizes[:, None] * self.tiled.row_sizes
            results = (blocks.T if self.loop_order == "weight_stationary" else blocks).ravel()
        return np.zeros_like(results) if self.results_stay else results

    @property
    def written_total(self) -> int:
        """Results that leave the chip, of all output blocks."""
        if self.results is None and not self.results_stay:
            return self.tiled.gemm.m * self.tiled.gemm.tokens
        return int(self.written_results.sum())

    @property
    def held_tokens(self) -> int:
        """Tokens whose accumulators, and Vᵀx, are on chip at once, at the most."""
        if self.loop_order == "weight_stationary":
            return self.tiled.gemm.tokens
        return self.tiled.tile.tokens

    @property
    def weight_uses(self) -> int:
        """Tiles in a row that use the same weights: token blocks when weights are stationary."""
        return len(self.tiled.token_sizes) if self.loop_order == "weight_stationary" else 1

    def first_fetches(self, stream: Stream) -> slice:
        """Tiles of a stream whose weights were not fetched before by another tile."""
        if self.loop_order == "weight_stationary":
            return slice(None)
        return slice(0, int(np.searchsorted(stream.token_block, 1)))

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays, those that are worked out when first asked for included."""
        arrays = len(fields(Stream)) + _WORKED_OUT
        tiles = sum(len(stream) for stream in self.streams)
        return 8 * arrays * tiles + self.tiled.counts.nbytes

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Main and factors, those that have tiles."""
        return tuple(stream for stream in (self.main, self.factors) if len(stream))


def build_program(
    tiled: TiledProjection,
    accelerator: Accelerator,
    *,
    configuration: Configuration,
    denser_lines: int,
) -> Program:
    """Every tile of a projection, with its bytes and cycles.

    Args:
        tiled: The projection in tiles.
        accelerator: Lines, index format, widths of factors and activations, schedule, loop order.
        configuration: Dataflow and widths of this product.
        denser_lines: Lines of the denser engine, from ``split``.
    """
    timing = _Timing(accelerator, configuration, denser_lines)
    stored = stored_tiles(tiled, accelerator.index)
    overlapped = accelerator.schedule == "overlapped"
    wide_lines = denser_lines if overlapped else accelerator.lines
    orders: dict[int, tuple[_Grid, _Grid]] = {}
    for tokens in set(tiled.token_sizes.tolist()):
        thin = _factor_tiles(tiled, V, tokens, accelerator.lines, timing)
        sparse = _sparse_tiles(tiled, stored, tokens, timing)
        wide = _factor_tiles(tiled, U, tokens, wide_lines, timing)
        beside = (sparse,) if overlapped else (sparse, wide)
        main = _joined([_in_order(thin), _in_order(*beside)])
        orders[tokens] = main, _in_order(wide) if overlapped else _in_order()
    blocks = [orders[tokens] for tokens in tiled.token_sizes.tolist()]
    order = accelerator.loop_order
    main_stream, factors = (
        _stream([block[number] for block in blocks], order) for number in (0, 1)
    )
    decoded = int(stored.entries.sum()) * len(blocks)
    return Program(tiled, accelerator, configuration, denser_lines, decoded, main_stream, factors)


_Grid = dict[str, NDArray[np.int64]]


class _Timing(NamedTuple):
    """What decides the cycles and bits of a tile beside the tile."""

    accelerator: Accelerator
    configuration: Configuration
    denser_lines: int


def _sparse_tiles(
    tiled: TiledProjection, stored: StoredTiles, tokens: int, timing: _Timing
) -> _Grid:
    accelerator, configuration, denser_lines = timing
    rows, columns = tiled.row_sizes[:, None], tiled.column_sizes
    sparser_lines = accelerator.lines - denser_lines
    flow, macs = configuration.timed_as, accelerator.macs_per_line
    timed = sparse_tiles(tiled, accelerator, tokens=tokens, lines=sparser_lines, flow=flow)
    nonzeros = tiled.tile_nonzeros
    values = stored.values + rows * tiled.dense
    per_row = columns_cycles(tiled.dense, tokens, macs=macs, flow=flow)
    link = rows * tokens * (tiled.dense > 0) if sparser_lines else np.zeros_like(nonzeros)
    return {
        "kind": np.full_like(nonzeros, S),
        "denser_cycles": dense_cycles(
            rows, tiled.dense, tokens=tokens, lines=denser_lines, macs=macs, flow=flow
        ),
        "sparser_cycles": timed.cycles,
        "value_bits": values * configuration.value_bits,
        "index_bits": stored.index_bits + _scale_bits(tiled, configuration) * (values > 0),
        "activation_bits": np.broadcast_to(
            columns * tokens * accelerator.bits.activation, nonzeros.shape
        ),
        "link_elements": link,
        "denser_compute": rows * per_row,
        "sparser_compute": timed.compute,
        "decode": timed.decode,
        "gather": timed.gather * sparser_lines,
    }


def _scale_bits(tiled: TiledProjection, configuration: Configuration) -> Counts:
    """Bits of the scales of S, of every group with the tile that has its first column."""
    rows, group = tiled.row_sizes[:, None], configuration.scale_columns
    if not group:
        return np.zeros_like(rows)
    ends = np.cumsum(tiled.column_sizes)
    return SCALE_BITS * rows * (-(-ends // group) - -(-(ends - tiled.column_sizes) // group))


def _factor_scale_bits(
    kind: int, rows: Counts, columns: Counts, configuration: Configuration
) -> Counts:
    """Bits of the scales of U's columns or of V's: a row of Vᵀ has one, loaded with its start."""
    first_column, first_row = np.arange(len(columns)) == 0, np.arange(len(rows))[:, None] == 0
    scales: Counts = rows * first_column if kind == V else columns * first_row
    return scales * (SCALE_BITS if configuration.factor_scales else 0)


def _factor_tiles(
    tiled: TiledProjection,
    kind: int,
    tokens: int,
    lines: int,
    timing: _Timing,
) -> _Grid:
    """Tiles of Vᵀ (kind V, r×n) or U (kind U, m×r), rows dealt over ``lines`` lines."""
    accelerator, configuration, denser_lines = timing
    if not tiled.rank:
        return {"kind": np.zeros((0, 0), dtype=np.int64)}
    shape = (tiled.rank, tiled.gemm.n) if kind == V else (tiled.gemm.m, tiled.rank)
    rows = block_sizes(shape[0], min(tiled.tile.rows, shape[0]))[:, None]
    columns = block_sizes(shape[1], min(tiled.tile.columns, shape[1]))
    every = np.zeros((len(rows), len(columns)), dtype=np.int64)
    flow, macs = configuration.timed_as, accelerator.macs_per_line
    per_row = columns_cycles(columns, tokens, macs=macs, flow=flow)
    rounds, rest = rows // lines, rows % lines
    denser_rows = rounds * denser_lines + np.minimum(rest, denser_lines)
    crosses = accelerator.lines > denser_lines
    return {
        "kind": every + kind,
        "denser_cycles": (rounds + (rest > 0)) * per_row * (denser_lines > 0),
        "sparser_cycles": (rounds + (rest > denser_lines)) * per_row * (lines > denser_lines),
        "value_bits": rows * columns * accelerator.bits.factor,
        "index_bits": every + _factor_scale_bits(kind, rows, columns, configuration),
        "activation_bits": columns * tokens * accelerator.bits.activation * (kind == V),
        "link_elements": denser_rows * tokens * crosses,
        "denser_compute": denser_rows * per_row,
        "sparser_compute": (rows - denser_rows) * per_row,
        "decode": every,
        "gather": every,
    }


def _in_order(*grids: _Grid) -> _Grid:
    """Tiles of some grids, row block by row block, those without any part left out."""
    whole = [_placed(grid) for grid in grids if grid["kind"].size]
    if not whole:
        return {field.name: np.zeros(0, dtype=np.int64) for field in fields(Stream)}
    arrays = {
        name: np.concatenate([grid[name] for grid in whole], axis=1).ravel() for name in whole[0]
    }
    run = (arrays["denser_cycles"] + arrays["sparser_cycles"]) > 0
    return arrays if run.all() else {name: values[run] for name, values in arrays.items()}


def _placed(grid: _Grid) -> _Grid:
    """A grid with every field in full, and the place of every tile."""
    shape = grid["kind"].shape
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    zeros = np.zeros(shape, dtype=np.int64)  # adding them is the fastest way to broadcast
    whole: _Grid = {**grid, "token_block": zeros, "row_block": rows, "column_block": columns}
    return {
        name: values if values.shape == shape else values + zeros for name, values in whole.items()
    }


def _joined(parts: list[_Grid]) -> _Grid:
    parts = [part for part in parts if len(part["kind"])] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _stream(blocks: list[_Grid], order: LoopOrder) -> Stream:
    """The tiles of all token blocks."""
    sizes = [len(block["kind"]) for block in blocks]
    token_block = np.repeat(np.arange(len(blocks)), sizes)
    tiles = {**_joined(blocks), "token_block": token_block}
    if order == "output_stationary":
        return Stream(**tiles)
    sequence = _permutation(tiles, order)
    tiles = {name: values[sequence] for name, values in tiles.items()}
    if order == "weight_stationary":
        for operand in ("value_bits", "index_bits"):
            tiles[operand][tiles["token_block"] > 0] = 0
    return Stream(**tiles)


def _permutation(tiles: _Grid, order: LoopOrder) -> Counts:
    """Weights: V by row, column, token block; then by row S, then U, by column and token block.
    Activations: by token block V, S and U, each by column and row.
    """
    kind, rows, columns = tiles["kind"], tiles["row_block"], tiles["column_block"]
    if order == "weight_stationary":
        return np.lexsort((tiles["token_block"], columns, kind == U, rows, kind != V))
    turn = (kind != V).astype(np.int64) + (kind == U)
    return np.lexsort((rows, columns, turn, tiles["token_block"]))
