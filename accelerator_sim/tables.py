"""What the units of the machine look up while a plan runs, as arrays. Pure.

Between ``program`` (what takes how long) and the two engines, which read the same tables and so
differ only in how they keep time.
"""

from dataclasses import dataclass

import numpy as np

from accelerator_sim.bounds import write_back_bytes
from accelerator_sim.planning import Plan
from accelerator_sim.program import S, Stream, U, V
from accelerator_sim.tiling import Counts
from accelerator_sim.timing import dram_ticks, link_cycles


@dataclass(frozen=True, eq=False)
class StreamTable:
    """One stream, tile by tile.

    Attributes:
        factor: Whether the weights are of the factors' class at the DRAM.
        wide: Whether the tile is of U.
        weight_ticks: Port time of the weights.
        input_ticks: Port time of the activations; 0: none.
        input_key: Entry of the arrival times; the last: no inputs.
        token_block: Token block.
        output: Entry of the opening times of output space; the last: always open.
        gate: Entry of the gate times: Vᵀx complete (U), or free again (V); the last: open.
        target: Output block, or after all of these Vᵀx of a token block, that the tile adds to.
        parts: Engines with a part of the tile.
        cycles: Cycles on the denser and on the sparser engine.
        link_cycles: Cycles on the link; 0: no transfer.
    """

    factor: Counts
    wide: Counts
    weight_ticks: Counts
    input_ticks: Counts
    input_key: Counts
    token_block: Counts
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
        users: Tiles of each token block that read its activations; empty unless resident.
        pending: Parts that add to each output block.
        write_back_ticks: Port time of each output block.
        group_blocks: Output blocks that share a slot.
        thin_parts: Parts of Vᵀx in each token block.
        wide_tiles: Tiles of U in each token block.
    """

    streams: tuple[StreamTable, StreamTable]
    arrivals: int
    users: Counts
    pending: Counts
    write_back_ticks: Counts
    group_blocks: int
    thin_parts: Counts
    wide_tiles: Counts


def build_tables(plan: Plan) -> Tables:
    """The tables of a plan.

    Raises:
        InputError: A time does not fit 64 bits.
    """
    program = plan.program
    tiled = program.tiled
    token_blocks, row_blocks = len(tiled.token_sizes), len(tiled.row_sizes)
    blocks = token_blocks * row_blocks
    main, factors = (_stream_table(stream, plan) for stream in program.streams)
    parts = np.zeros(blocks + token_blocks, dtype=np.int64)
    wide = np.zeros(token_blocks, dtype=np.int64)
    for table in (main, factors):
        for cycles in table.cycles:
            parts += np.bincount(table.target[cycles > 0], minlength=len(parts))
        wide += np.bincount(table.token_block[table.wide > 0], minlength=token_blocks)
    users = np.zeros(0, dtype=np.int64)
    arrivals = len(program.main) + 1
    if plan.storage.activations_resident:
        users = np.bincount(main.token_block[main.input_ticks > 0], minlength=token_blocks)
        arrivals = token_blocks * len(tiled.column_sizes) + 1
    return Tables(
        streams=(main, factors),
        arrivals=arrivals,
        users=users,
        pending=parts[:blocks],
        write_back_ticks=dram_ticks(write_back_bytes(program), program.accelerator),
        group_blocks=row_blocks if plan.storage.outputs_resident else 1,
        thin_parts=parts[blocks:],
        wide_tiles=wide,
    )


def _stream_table(stream: Stream, plan: Plan) -> StreamTable:
    program, accelerator = plan.program, plan.program.accelerator
    tiled, storage = program.tiled, plan.storage
    row_blocks, token_blocks = len(tiled.row_sizes), len(tiled.token_sizes)
    blocks = token_blocks * row_blocks
    block = stream.token_block * row_blocks + stream.row_block
    group, groups = (
        (stream.token_block, token_blocks) if storage.outputs_resident else (block, blocks)
    )
    thin, wide = stream.kind == V, stream.kind == U
    key, no_inputs = np.arange(len(stream)), len(program.main)
    if storage.activations_resident:
        key = stream.token_block * len(tiled.column_sizes) + stream.column_block
        no_inputs = token_blocks * len(tiled.column_sizes)
    before = 2 * stream.token_block
    return StreamTable(
        factor=(stream.kind != S).astype(np.int64),
        wide=wide.astype(np.int64),
        weight_ticks=dram_ticks(stream.weight_bytes, accelerator),
        input_ticks=dram_ticks(stream.activation_bytes, accelerator),
        input_key=np.where(stream.activation_bits > 0, key, no_inputs),
        token_block=stream.token_block,
        output=np.where(thin, groups, group),
        gate=np.where(thin, before, np.where(wide, before + 1, 2 * token_blocks + 1)),
        target=np.where(thin, blocks + stream.token_block, block),
        parts=(stream.denser_cycles > 0).astype(np.int64) + (stream.sparser_cycles > 0),
        cycles=(stream.denser_cycles, stream.sparser_cycles),
        link_cycles=link_cycles(stream.link_elements, accelerator),
    )
