"""What the units of the machine look up while a plan runs, as one record per tile. Pure.

Between ``program`` (what takes how long) and the two engines, which read the same tables and so
differ only in how they keep time. Kept with the program: transfers stand here in bytes, and what a
machine's DRAM and link make of them is the engines' to work out.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.mapping.bounds import input_loaders, write_back_bytes
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.program import S, Stream, U, V
from accelerator_sim.mapping.tiling import Counts
from accelerator_sim.simulation.conventions import (
    DENSER,
    SPARSER,
    complete_gate,
    free_gate,
    open_gate,
)
from workloads.support.compiled import compiled

Records = NDArray[np.void]

_TIMES = ("weights", "inputs", "denser", "sparser", "link")
_PLACES = ("input_key", "holder", "output", "gate", "target")
_FLAGS = ("factor", "wide", "follows", "parts")
TILE = np.dtype(
    [
        *((name, np.int64) for name in _TIMES),
        *((name, np.int32) for name in _PLACES),
        *((name, np.int8) for name in _FLAGS),
    ]
)
"""A tile, in 64 bytes.

``weights``, ``inputs``
    Bytes of weights and of activations; 0 inputs: none, or those of a tile before.
``denser``, ``sparser``
    Cycles on each engine; 0: no part there.
``link``
    Partial sums that cross the link; 0: no transfer.
``input_key``
    Entry of the arrival times; the last: no inputs.
``holder``
    Entry of ``users``, where activations are resident; of ``wide_parts``, for a ``wide`` tile.
``output``
    Entry of the opening times of output space; the last: always open.
``gate``
    Entry of the gate times: Vᵀx complete (U), or free again (V); the last: open.
``target``
    Output block, or after all of these Vᵀx of a token block, that the tile adds to.
``factor``
    Whether the weights are of the factors' class at the DRAM.
``wide``
    Whether it is a tile of U that V waits for.
``follows``
    Whether the tile uses the weights of the tile before.
``parts``
    Engines with a part of the tile.
"""


@dataclass(frozen=True, eq=False)
class Tables:
    """A plan as the engines read it.

    Attributes:
        tiles: TILE, the main stream's and then the factors'; one more at the end follows nothing.
        main: Tiles of the main stream.
        arrivals: Entries of the arrival times of inputs.
        users: Tiles that read the activations of each token block (of all tokens, in the first
            entry, when weights are stationary); empty unless resident.
        sharers: Tiles that read what came at each arrival; empty where that is one each, or none.
        pending: Parts that add to each output block.
        write_backs: Bytes of each output block.
        group_blocks: Output blocks that share a slot.
        thin_parts: Parts of Vᵀx in each token block.
        wide_parts: Parts of tiles of U in each token block.
        engine_parts: Parts on the denser and on the sparser engine.
        largest_transfer: Bytes of the largest load or write-back.
        transferred: Bytes of all of them.
        cycles: Of all parts, and partial sums on the link, one after the other.
        crosses: Whether a tile has partial sums for the link.
        all_added_to: Whether every output block has a part that adds to it.
    """

    tiles: Records
    main: int
    arrivals: int
    users: Counts
    sharers: Counts
    pending: Counts
    write_backs: Counts
    group_blocks: int
    thin_parts: Counts
    wide_parts: Counts
    engine_parts: tuple[int, int]
    largest_transfer: int
    transferred: int
    cycles: int
    crosses: bool
    all_added_to: bool

    @property
    def streams(self) -> tuple[Records, Records]:
        """The tiles of the main stream and of the factors."""
        return self.tiles[: self.main], self.tiles[self.main : -1]


def build_tables(plan: Plan) -> Tables:
    """The tables of a plan, made once for all machines that share its program and its residency."""
    storage = plan.storage
    key = ("tables", storage.activations_resident, storage.outputs_resident)
    return plan.program.once(key, lambda: _tables(plan))


def _tables(plan: Plan) -> Tables:
    program, layout = plan.program, _layout(plan)
    token_blocks, row_blocks = len(program.tiled.token_sizes), len(program.tiled.row_sizes)
    pending = np.zeros(token_blocks * row_blocks, dtype=np.int64)
    thin_parts, wide_parts, users = np.zeros((3, token_blocks), dtype=np.int64)
    counts = (pending, thin_parts, wide_parts, users)
    main = len(program.main)
    tiles = np.zeros(main + len(program.factors) + 1, dtype=TILE)
    sums = np.zeros(3, dtype=np.int64)
    weights_stay = program.loop_order == "weight_stationary"
    resident = plan.storage.activations_resident
    inputs = (_no_inputs(plan), len(program.tiled.column_sizes), resident)
    for stream, records in ((program.main, tiles[:main]), (program.factors, tiles[main:])):
        _fill(_columns(stream), inputs, layout, not weights_stay, records, counts, sums)
    write_backs = write_back_bytes(program)
    return Tables(
        tiles=tiles,
        main=main,
        arrivals=_no_inputs(plan) + 1,
        users=users if resident else users[:0],
        sharers=_share_inputs(plan, tiles[:main]),
        pending=pending,
        write_backs=write_backs,
        group_blocks=len(pending) // layout.groups,
        thin_parts=thin_parts,
        wide_parts=wide_parts,
        engine_parts=(int(sums[DENSER]), int(sums[SPARSER])),
        largest_transfer=_largest(tiles, write_backs),
        transferred=int(tiles["weights"].sum() + tiles["inputs"].sum() + write_backs.sum()),
        cycles=int(sums[2]),
        crosses=bool(tiles["link"].any()),
        all_added_to=bool(pending.all()),
    )


def _largest(tiles: Records, write_backs: Counts) -> int:
    return int(max(tiles["weights"].max(), tiles["inputs"].max(), write_backs.max(initial=0)))


class _Layout(NamedTuple):
    """Where output blocks and their groups stand: steps by token block and by row block.

    Blocks of a group have consecutive numbers.
    """

    block: tuple[int, int]
    group: tuple[int, int]
    groups: int


def _layout(plan: Plan) -> _Layout:
    tiled, order = plan.program.tiled, plan.program.loop_order
    token_blocks, row_blocks = len(tiled.token_sizes), len(tiled.row_sizes)
    resident = plan.storage.outputs_resident
    blocks = token_blocks * row_blocks
    if order == "weight_stationary":
        step = (1, token_blocks)
        return _Layout(step, (0, 0), 1) if resident else _Layout(step, (0, 1), row_blocks)
    step = (row_blocks, 1)
    return _Layout(step, (1, 0), token_blocks) if resident else _Layout(step, step, blocks)


def _no_inputs(plan: Plan) -> int:
    """Entry of the arrival times that is for tiles without inputs."""
    tiled = plan.program.tiled
    if plan.storage.activations_resident:
        return len(tiled.token_sizes) * len(tiled.column_sizes)
    return len(plan.program.main)


def _columns(stream: Stream) -> tuple[Counts, ...]:
    return (
        stream.kind,
        stream.token_block,
        stream.row_block,
        stream.column_block,
        stream.weight_bits,
        stream.activation_bits,
        stream.denser_cycles,
        stream.sparser_cycles,
        stream.link_elements,
    )


def _share_inputs(plan: Plan, main: Records) -> Counts:
    """Let tiles in a row use what one of them loads; how many read what came at each arrival."""
    stationary = plan.program.loop_order == "activation_stationary"
    if not stationary or plan.storage.activations_resident:
        return np.zeros(0, dtype=np.int64)
    tiles, loaders = input_loaders(plan.program)
    main["input_key"][tiles] = loaders
    main["inputs"][tiles[tiles != loaders]] = 0
    return np.bincount(main["input_key"], minlength=_no_inputs(plan) + 1)


@compiled
def _fill(
    columns: tuple[Counts, ...],
    inputs: tuple[int, int, bool],
    layout: _Layout,
    v_waits: bool,
    records: Records,
    counts: tuple[Counts, Counts, Counts, Counts],
    sums: Counts,
) -> None:
    """Fill the records of a stream and add to ``counts`` and ``sums``, in one pass.

    Weights that stay go with the tiles of the first token block; V waits for U where they do not.
    """
    kind, token_block, _, column_block, weights, activations, denser, sparser, link = columns
    no_inputs, column_blocks, resident = inputs
    users = counts[3]
    for tile in range(len(kind)):
        record = records[tile]
        record.weights = (weights[tile] + 7) // 8
        record.inputs = (activations[tile] + 7) // 8
        record.denser = denser[tile]
        record.sparser = sparser[tile]
        record.link = link[tile]
        record.factor = 0 if kind[tile] == S else 1
        record.follows = 1 if token_block[tile] > 0 and not v_waits else 0
        record.holder = token_block[tile] if v_waits else 0
        record.input_key = no_inputs
        if activations[tile] > 0:
            chunk = token_block[tile] * column_blocks + column_block[tile]
            record.input_key = chunk if resident else tile
            users[record.holder] += 1
        sums[DENSER] += denser[tile] > 0
        sums[SPARSER] += sparser[tile] > 0
        sums[2] += denser[tile] + sparser[tile] + link[tile]
    for tile in range(len(kind)):
        place = (columns[0][tile], columns[1][tile], columns[2][tile])
        _add_to(records[tile], place, layout, v_waits, counts)


@compiled
def _add_to(
    record: Any,
    place: tuple[int, int, int],
    layout: _Layout,
    v_waits: bool,
    counts: tuple[Counts, Counts, Counts, Counts],
) -> None:
    """Fill in what a tile adds to, and what it waits for and lets go."""
    kind, tokens, row = place
    pending, thin_parts, wide_parts, _ = counts
    parts = (1 if record.denser > 0 else 0) + (1 if record.sparser > 0 else 0)
    record.parts = parts
    record.wide = 1 if kind == U and v_waits else 0
    record.gate = open_gate(len(thin_parts))
    if kind == V:
        record.target = len(pending) + tokens
        record.output = layout.groups
        if v_waits:
            record.gate = free_gate(tokens)
        thin_parts[tokens] += parts
        return
    block = tokens * layout.block[0] + row * layout.block[1]
    record.target = block
    record.output = tokens * layout.group[0] + row * layout.group[1]
    pending[block] += parts
    if kind == U:
        record.gate = complete_gate(tokens)
        wide_parts[tokens] += parts if v_waits else 0
