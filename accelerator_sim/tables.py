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
from workloads.compiled import compiled


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
    pending = np.zeros(token_blocks * row_blocks, dtype=np.int64)
    thin_parts, wide_tiles, users = np.zeros((3, token_blocks), dtype=np.int64)
    counts = (pending, thin_parts, wide_tiles, users)
    streams = (program.main, program.factors)
    main, factors = (_stream_table(stream, plan, counts) for stream in streams)
    resident = plan.storage.activations_resident
    return Tables(
        streams=(main, factors),
        arrivals=_no_inputs(plan) + 1,
        users=users if resident else users[:0],
        pending=pending,
        write_back_ticks=dram_ticks(write_back_bytes(program), program.accelerator),
        group_blocks=row_blocks if plan.storage.outputs_resident else 1,
        thin_parts=thin_parts,
        wide_tiles=wide_tiles,
    )


def _no_inputs(plan: Plan) -> int:
    """Entry of the arrival times that is for tiles without inputs."""
    tiled = plan.program.tiled
    if plan.storage.activations_resident:
        return len(tiled.token_sizes) * len(tiled.column_sizes)
    return len(plan.program.main)


def _stream_table(
    stream: Stream, plan: Plan, counts: tuple[Counts, Counts, Counts, Counts]
) -> StreamTable:
    tiled, accelerator = plan.program.tiled, plan.program.accelerator
    factor, wide, key, output, gate, target, parts = np.empty((7, len(stream)), dtype=np.int64)
    tiles = (stream.kind, stream.token_block, stream.row_block, stream.column_block)
    extents = (len(tiled.token_sizes), len(tiled.row_sizes), len(tiled.column_sizes))
    resident = (plan.storage.activations_resident, plan.storage.outputs_resident)
    cycles = (stream.denser_cycles, stream.sparser_cycles)
    reads = (stream.activation_bits, _no_inputs(plan))
    places = (factor, wide, key, output, gate, target, parts)
    _find_places(tiles, cycles, reads, extents, resident, places, counts)
    return StreamTable(
        factor=factor,
        wide=wide,
        weight_ticks=dram_ticks(stream.weight_bytes, accelerator),
        input_ticks=dram_ticks(stream.activation_bytes, accelerator),
        input_key=key,
        token_block=stream.token_block,
        output=output,
        gate=gate,
        target=target,
        parts=parts,
        cycles=cycles,
        link_cycles=link_cycles(stream.link_elements, accelerator),
    )


@compiled
def _find_places(
    tiles: tuple[Counts, Counts, Counts, Counts],
    cycles: tuple[Counts, Counts],
    reads: tuple[Counts, int],
    extents: tuple[int, int, int],
    resident: tuple[bool, bool],
    places: tuple[Counts, Counts, Counts, Counts, Counts, Counts, Counts],
    counts: tuple[Counts, Counts, Counts, Counts],
) -> None:
    """Fill ``places`` (fields of ``StreamTable``) and add to ``counts``, in one pass."""
    kind, token_block, row_block, column_block = tiles
    token_blocks, row_blocks, column_blocks = extents
    factor, wide, key, output, gate, target, parts = places
    pending, thin_parts, wide_tiles, users = counts
    blocks = token_blocks * row_blocks
    for tile in range(len(kind)):
        tokens = token_block[tile]
        block = tokens * row_blocks + row_block[tile]
        factor[tile] = kind[tile] != S
        wide[tile] = kind[tile] == U
        parts[tile] = (cycles[0][tile] > 0) + (cycles[1][tile] > 0)
        wide_tiles[tokens] += wide[tile]
        key[tile] = reads[1]
        if reads[0][tile] > 0:
            key[tile] = tokens * column_blocks + column_block[tile] if resident[0] else tile
            users[tokens] += 1
        if kind[tile] == V:
            target[tile] = blocks + tokens
            output[tile] = token_blocks if resident[1] else blocks
            gate[tile] = 2 * tokens
            thin_parts[tokens] += parts[tile]
        else:
            target[tile] = block
            output[tile] = tokens if resident[1] else block
            gate[tile] = 2 * tokens + 1 if kind[tile] == U else 2 * token_blocks + 1
            pending[block] += parts[tile]
