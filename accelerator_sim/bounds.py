"""Least cycles that a program can take on its machine, from sums: used to choose tiles. Pure.

Each term is a lower bound of the event model, so a tile is chosen without simulating it.
"""

import numpy as np

from accelerator_sim.hardware import Accelerator
from accelerator_sim.program import Program, Stream
from accelerator_sim.storage import Storage
from accelerator_sim.tiling import Counts
from accelerator_sim.timing import ceil_div, dram_ticks, link_cycles, ticks_per_cycle


def write_back_bytes(program: Program) -> Counts:
    """Bytes of every output block, token block by token block."""
    return ceil_div(program.written_results * program.accelerator.bits.activation, 8)


def activation_loads(program: Program, storage: Storage, once: bool = False) -> Counts:
    """Bytes of every activation transfer: one per tile, or per token block when resident.

    Args:
        program: The tiles.
        storage: Whether activations are resident.
        once: Count as if they were, to tell what is fetched again.
    """
    main = program.main
    read = main.activation_bits > 0
    sizes = main.activation_bytes[read]
    if not (storage.activations_resident or once):
        return sizes
    chunk = main.token_block * len(program.tiled.column_sizes) + main.column_block
    chunks = np.zeros(len(program.tiled.token_sizes) * len(program.tiled.column_sizes), np.int64)
    chunks[chunk[read]] = sizes
    return np.asarray(chunks[chunks > 0])


def lower_bound(program: Program, storage: Storage) -> int:
    """Cycles that no run of the event model can beat at this tile and split.

    The largest of: the DRAM port with all transfers; the loads, then the shortest last tile and the
    smallest write-back; the fill, then the busier engine or the link; the tiles' time in the slots.
    """
    accelerator = program.accelerator
    scale, latency = ticks_per_cycle(accelerator), accelerator.dram.latency_cycles
    write_backs = dram_ticks(write_back_bytes(program), accelerator)
    loads = int(dram_ticks(activation_loads(program, storage), accelerator).sum())
    terms = []
    last: list[int] = []
    for stream in program.streams:
        port = dram_ticks(stream.weight_bytes, accelerator)
        loads += int(port.sum())
        held = np.maximum(stream.denser_cycles, stream.sparser_cycles)
        round_trip = latency + 2 * accelerator.handoff_cycles
        occupied = scale * int((held + round_trip).sum()) + int(port.sum())
        terms.append(occupied // scale // accelerator.weight_buffer.slots)
        last.append(int(held[-1]))
        terms.extend(_fill(program, int(port[0])) + busy for busy in _busy(stream, accelerator))
    if last:
        after = min(last) + latency + 2 * accelerator.handoff_cycles
        terms.append(ceil_div(loads + int(write_backs.min()), scale) + latency + after)
    return max([*terms, ceil_div(loads + int(write_backs.sum()), scale) + latency])


def _fill(program: Program, first_ticks: int) -> int:
    dram = program.accelerator.dram
    arrival = ceil_div(first_ticks, ticks_per_cycle(program.accelerator)) + dram.latency_cycles
    return arrival + program.accelerator.handoff_cycles


def _busy(stream: Stream, accelerator: Accelerator) -> tuple[int, int, int]:
    link = int(link_cycles(stream.link_elements, accelerator).sum())
    return int(stream.denser_cycles.sum()), int(stream.sparser_cycles.sum()), link
