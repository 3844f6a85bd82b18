"""Least cycles that a program can take on its machine, from sums: used to choose tiles. Pure.

Each term is a lower bound of the event model, so a tile is chosen without simulating it.
"""

from typing import NamedTuple

import numpy as np

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.program import Program, Stream
from accelerator_sim.mapping.storage import Storage
from accelerator_sim.mapping.tiling import Counts
from accelerator_sim.mapping.timing import (
    ceil_div,
    dram_bytes,
    dram_ticks,
    link_cycles,
    ticks_per_cycle,
)


class Transfers(NamedTuple):
    """Sums over some transfers.

    Attributes:
        payload: Bytes that are wanted.
        moved: Bytes that cross the port, in whole bursts.
    """

    payload: int
    moved: int


def write_back_bytes(program: Program) -> Counts:
    """Bytes of every output block, in the order of the blocks."""
    return ceil_div(program.written_results * program.accelerator.bits.activation, 8)


def written_back(program: Program) -> Transfers:
    """All output blocks, summed once for all machines that share the program."""
    key = ("written back", program.accelerator.dram.burst_bytes)
    return program.once(key, lambda: _transfers(write_back_bytes(program), program.accelerator))


def loaded_activations(program: Program, storage: Storage, *, once: bool = False) -> Transfers:
    """All activation transfers, as of ``activation_loads``, summed once like these."""
    resident = storage.activations_resident or once
    key = ("loaded activations", program.accelerator.dram.burst_bytes, resident)

    def add_up() -> Transfers:
        loads = activation_loads(program, storage, once=once)
        return _transfers(loads, program.accelerator)

    return program.once(key, add_up)


def _transfers(payload: Counts, accelerator: Accelerator) -> Transfers:
    return Transfers(int(payload.sum()), int(dram_bytes(payload, accelerator).sum()))


def activation_loads(program: Program, storage: Storage, *, once: bool = False) -> Counts:
    """Bytes of every activation transfer: one per tile, per tiles that share it, or, when resident,
    per token block and column block.

    Args:
        program: The tiles.
        storage: Whether activations are resident.
        once: Count as if they were, to tell what is fetched again.
    """
    main = program.main
    read = main.activation_bits > 0
    sizes = main.activation_bytes[read]
    if not (storage.activations_resident or once):
        if program.loop_order != "activation_stationary":
            return sizes
        tiles, loaders = input_loaders(program)
        return np.asarray(sizes[tiles == loaders])
    chunk = main.token_block * len(program.tiled.column_sizes) + main.column_block
    chunks = np.zeros(len(program.tiled.token_sizes) * len(program.tiled.column_sizes), np.int64)
    chunks[chunk[read]] = sizes
    return np.asarray(chunks[chunks > 0])


def input_loaders(program: Program) -> tuple[Counts, Counts]:
    """Tiles of the main stream that read activations, and for each the tile that loads them.

    That is the first of those in a row that read the same. For activations that are stationary and
    not resident.
    """
    main = program.main
    tiles = np.flatnonzero(main.activation_bits > 0)
    chunk = main.token_block * len(program.tiled.column_sizes) + main.column_block
    loads = np.append(True, np.diff(chunk[tiles]) != 0)[: len(tiles)]
    return tiles, tiles[loads][np.cumsum(loads) - 1]


def lower_bound(program: Program, storage: Storage) -> int:
    """Cycles that no run of the event model can beat at this tile and split.

    The largest of: the DRAM port with all transfers; the loads, then the shortest part of a tile
    and the smallest write-back; the fill, then the busier engine or the link; the tiles' time in
    the slots.
    """
    accelerator = program.accelerator
    scale, latency = ticks_per_cycle(accelerator), accelerator.read_latency_cycles
    written = accelerator.write_latency_cycles
    write_backs = dram_ticks(write_back_bytes(program), accelerator)
    loads = int(dram_ticks(activation_loads(program, storage), accelerator).sum())
    terms = []
    last: list[int] = []
    for stream, slots in zip((program.main, program.factors), storage.weight_slots, strict=True):
        if not len(stream):
            continue
        port = dram_ticks(stream.weight_bytes, accelerator)
        loads += int(port.sum())
        held = _held(stream, program.weight_uses)
        round_trip = latency + 2 * accelerator.handoff_cycles
        occupied = scale * int((held + round_trip).sum()) + int(port.sum())
        terms.append(occupied // scale // slots)
        last.append(_shortest_part(stream))
        terms.extend(_fill(program, int(port[0])) + busy for busy in _busy(stream, accelerator))
    if last:
        after = min(last) + accelerator.pipeline_cycles + written + 2 * accelerator.handoff_cycles
        terms.append(ceil_div(loads + int(write_backs.min()), scale) + latency + after)
    return max([*terms, ceil_div(loads + int(write_backs.sum()), scale) + written])


def _held(stream: Stream, uses: int) -> Counts:
    """Cycles that the tiles of one slot take at the least: those of its busier engine."""
    engines = (stream.denser_cycles, stream.sparser_cycles)
    denser, sparser = (cycles.reshape(-1, uses).sum(axis=1) for cycles in engines)
    return np.asarray(np.maximum(denser, sparser))


def _shortest_part(stream: Stream) -> int:
    """Whatever is loaded last, a part that reads it comes after."""
    both = np.concatenate([stream.denser_cycles, stream.sparser_cycles])
    return int(both[both > 0].min())


def _fill(program: Program, first_ticks: int) -> int:
    accelerator = program.accelerator
    arrival = ceil_div(first_ticks, ticks_per_cycle(accelerator)) + accelerator.read_latency_cycles
    return arrival + accelerator.handoff_cycles


def _busy(stream: Stream, accelerator: Accelerator) -> tuple[int, int, int]:
    link = int(link_cycles(stream.link_elements, accelerator).sum())
    return int(stream.denser_cycles.sum()), int(stream.sparser_cycles.sum()), link
