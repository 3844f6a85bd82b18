"""Least cycles that a program can take on its machine, from sums: used to choose tiles. Pure.

Each term is a lower bound of the event model: the busier engine, the DRAM port, the link, and the
time that the tiles hold the weight slots. The choice of a tile needs no simulation.
"""

import numpy as np

from accelerator_sim.program import Program
from accelerator_sim.storage import Storage
from accelerator_sim.tiling import Counts
from accelerator_sim.timing import ceil_div, dram_ticks, link_cycles, ticks_per_cycle


def write_back_bytes(program: Program) -> Counts:
    """Bytes of every output block, token block by token block."""
    tiled = program.tiled
    elements = tiled.token_sizes[:, None] * tiled.row_sizes
    return ceil_div(elements * program.accelerator.bits.activation, 8).ravel()


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
    _, first = np.unique(chunk[read], return_index=True)
    return np.asarray(sizes[first])


def lower_bound(program: Program, storage: Storage) -> int:
    """Cycles that no run of the event model can beat at this tile and split."""
    accelerator = program.accelerator
    scale = ticks_per_cycle(accelerator)
    weights = [dram_ticks(stream.weight_bytes, accelerator) for stream in program.streams]
    ticks = sum(int(part.sum()) for part in weights)
    ticks += int(dram_ticks(activation_loads(program, storage), accelerator).sum())
    ticks += int(dram_ticks(write_back_bytes(program), accelerator).sum())
    denser = sum(int(stream.denser_cycles.sum()) for stream in program.streams)
    link = sum(int(link_cycles(s.link_elements, accelerator).sum()) for s in program.streams)
    terms = [ceil_div(ticks, scale), denser, int(program.main.sparser_cycles.sum()), link]
    for stream, port in zip(program.streams, weights, strict=True):
        if len(stream):
            first = accelerator.dram.latency_cycles + 2 * accelerator.handoff_cycles
            held = np.maximum(stream.denser_cycles, stream.sparser_cycles) + first
            occupied = int(held.sum()) + ceil_div(int(port.sum()), scale)
            terms.append(occupied // accelerator.weight_buffer.slots)
    fill = ceil_div(int(weights[0][0]), scale) if len(program.main) else 0
    return max(terms) + fill
