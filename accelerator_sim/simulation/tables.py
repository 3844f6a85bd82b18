"""What the units of the machine look up while a plan runs, as arrays. Pure.

Between ``program`` (what takes how long) and the two engines, which read the same tables and so
differ only in how they keep time.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from accelerator_sim.mapping.bounds import input_loaders, write_back_bytes
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.program import S, Stream, U, V
from accelerator_sim.mapping.tiling import Counts
from accelerator_sim.mapping.timing import dram_ticks, link_cycles
from accelerator_sim.simulation.conventions import (
    DENSER,
    SPARSER,
    complete_gate,
    free_gate,
    open_gate,
)
from workloads.support.compiled import compiled


@dataclass(frozen=True, eq=False)
class StreamTable:
    """One stream, tile by tile.

    Attributes:
        factor: Whether the weights are of the factors' class at the DRAM.
        wide: Entry of ``wide_parts`` of a tile of U that V waits for; -1: none.
        follows: Whether the tile uses the weights of the tile before; one more entry at the end: 0.
        weight_ticks: Port time of the weights.
        input_ticks: Port time of the activations; 0: none, or those of a tile before.
        input_key: Entry of the arrival times; the last: no inputs.
        holder: Entry of ``users``, where activations are resident.
        output: Entry of the opening times of output space; the last: always open.
        gate: Entry of the gate times: Vᵀx complete (U), or free again (V); the last: open.
        target: Output block, or after all of these Vᵀx of a token block, that the tile adds to.
        parts: Engines with a part of the tile.
        cycles: Cycles on the denser and on the sparser engine.
        link_cycles: Cycles on the link; 0: no transfer.
    """

    factor: Counts
    wide: Counts
    follows: Counts
    weight_ticks: Counts
    input_ticks: Counts
    input_key: Counts
    holder: Counts
    output: Counts
    gate: Counts
    target: Counts
    parts: Counts
    cycles: tuple[Counts, Counts]
    link_cycles: Counts


@dataclass(frozen=True, eq=False)
class Tables:
    """A plan as the engines read it.

    Attributes:
        streams: Main and factors.
        arrivals: Entries of the arrival times of inputs.
        users: Tiles that read the activations of each token block (of all tokens, in the first
            entry, when weights are stationary); empty unless resident.
        sharers: Tiles that read what came at each arrival; empty if resident.
        pending: Parts that add to each output block.
        write_back_ticks: Port time of each output block.
        group_blocks: Output blocks that share a slot.
        thin_parts: Parts of Vᵀx in each token block.
        wide_parts: Parts of tiles of U in each token block.
    """

    streams: tuple[StreamTable, StreamTable]
    arrivals: int
    users: Counts
    sharers: Counts
    pending: Counts
    write_back_ticks: Counts
    group_blocks: int
    thin_parts: Counts
    wide_parts: Counts


def build_tables(plan: Plan) -> Tables:
    """The tables of a plan.

    Raises:
        InputError: A time does not fit 64 bits.
    """
    program = plan.program
    token_blocks, row_blocks = len(program.tiled.token_sizes), len(program.tiled.row_sizes)
    pending = np.zeros(token_blocks * row_blocks, dtype=np.int64)
    thin_parts, wide_parts, users = np.zeros((3, token_blocks), dtype=np.int64)
    counts = (pending, thin_parts, wide_parts, users)
    layout = _layout(plan)
    main, factors = (
        _stream_table(stream, plan, layout, counts) for stream in (program.main, program.factors)
    )
    resident = plan.storage.activations_resident
    return Tables(
        streams=(main, factors),
        arrivals=_no_inputs(plan) + 1,
        users=users if resident else users[:0],
        sharers=_sharers(plan, main),
        pending=pending,
        write_back_ticks=dram_ticks(write_back_bytes(program), program.accelerator),
        group_blocks=len(pending) // layout.groups,
        thin_parts=thin_parts,
        wide_parts=wide_parts,
    )


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


def _stream_table(
    stream: Stream, plan: Plan, layout: _Layout, counts: tuple[Counts, Counts, Counts, Counts]
) -> StreamTable:
    program, accelerator = plan.program, plan.program.accelerator
    weights_stay = program.loop_order == "weight_stationary"
    factor, wide, key, output, gate, target, parts = np.empty((7, len(stream)), dtype=np.int64)
    holder = np.zeros_like(stream.token_block) if weights_stay else stream.token_block
    tiles = (stream.kind, stream.token_block, stream.row_block, stream.column_block, holder)
    cycles = (stream.denser_cycles, stream.sparser_cycles)
    resident = plan.storage.activations_resident
    reads = (stream.activation_bits, _no_inputs(plan), len(program.tiled.column_sizes), resident)
    fields = (factor, wide, key, output, gate, target, parts)
    _fill_fields(tiles, cycles, reads, layout, not weights_stay, fields, counts)
    follows = np.zeros(len(stream) + 1, dtype=np.int64)
    if weights_stay:
        follows[:-1] = stream.token_block > 0
    return StreamTable(
        factor=factor,
        wide=wide,
        follows=follows,
        weight_ticks=dram_ticks(stream.weight_bytes, accelerator),
        input_ticks=_input_ticks(stream, plan, key),
        input_key=key,
        holder=holder,
        output=output,
        gate=gate,
        target=target,
        parts=parts,
        cycles=cycles,
        link_cycles=link_cycles(stream.link_elements, accelerator),
    )


def _input_ticks(stream: Stream, plan: Plan, key: Counts) -> Counts:
    """Port time of each tile's activations; tiles that share a transfer get its key."""
    ticks = dram_ticks(stream.activation_bytes, plan.program.accelerator)
    if _shares_inputs(plan) and stream is plan.program.main:
        tiles, loaders = input_loaders(plan.program)
        key[tiles] = loaders
        ticks[tiles[tiles != loaders]] = 0
    return ticks


def _sharers(plan: Plan, main: StreamTable) -> Counts:
    if plan.storage.activations_resident:
        return np.zeros(0, dtype=np.int64)
    if _shares_inputs(plan):
        return np.bincount(main.input_key, minlength=_no_inputs(plan) + 1)
    return np.ones(_no_inputs(plan) + 1, dtype=np.int64)


def _shares_inputs(plan: Plan) -> bool:
    """Whether tiles in a row use what one of them loads."""
    stationary = plan.program.loop_order == "activation_stationary"
    return stationary and not plan.storage.activations_resident


@compiled
def _fill_fields(
    tiles: tuple[Counts, Counts, Counts, Counts, Counts],
    cycles: tuple[Counts, Counts],
    reads: tuple[Counts, int, int, bool],
    layout: _Layout,
    v_waits: bool,
    fields: tuple[Counts, Counts, Counts, Counts, Counts, Counts, Counts],
    counts: tuple[Counts, Counts, Counts, Counts],
) -> None:
    """Fill ``fields`` (of ``StreamTable``) and add to ``counts``, in one pass."""
    kind, token_block, row_block, column_block, holder = tiles
    bits, no_inputs, column_blocks, resident = reads
    factor, wide, key, output, gate, target, parts = fields
    pending, thin_parts, wide_parts, users = counts
    always = open_gate(len(thin_parts))
    for tile in range(len(kind)):
        tokens, row = token_block[tile], row_block[tile]
        block = tokens * layout.block[0] + row * layout.block[1]
        factor[tile] = kind[tile] != S
        wide[tile] = tokens if kind[tile] == U and v_waits else -1
        parts[tile] = (cycles[DENSER][tile] > 0) + (cycles[SPARSER][tile] > 0)
        key[tile] = no_inputs
        if wide[tile] >= 0:
            wide_parts[tokens] += parts[tile]
        if bits[tile] > 0:
            key[tile] = tokens * column_blocks + column_block[tile] if resident else tile
            users[holder[tile]] += 1
        if kind[tile] == V:
            target[tile] = len(pending) + tokens
            output[tile] = layout.groups
            gate[tile] = free_gate(tokens) if v_waits else always
            thin_parts[tokens] += parts[tile]
        else:
            target[tile] = block
            output[tile] = tokens * layout.group[0] + row * layout.group[1]
            gate[tile] = complete_gate(tokens) if kind[tile] == U else always
            pending[block] += parts[tile]
