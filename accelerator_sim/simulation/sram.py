"""Bytes that cross the on-chip buffers, counted from a planned program. Pure.

Beside ``accounting``, which puts these counts into a result for ``energy``.
"""

from dataclasses import dataclass

from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.program import S, Stream, U, V
from accelerator_sim.mapping.tiling import Counts, TiledProjection, block_sizes
from accelerator_sim.mapping.timing import ceil_div
from workloads.support.compiled import compiled


@dataclass(frozen=True)
class SramBytes:
    """Bytes read from and written to each buffer, together.

    Attributes:
        weights: Values, indices and factors.
        activations: Inputs.
        outputs: Accumulators of outputs and of Vᵀx.
    """

    weights: int
    activations: int
    outputs: int


def sram_bytes(plan: Plan) -> SramBytes:
    """Bytes that cross the three buffers.

    The counting rule: an operand byte is written once into its buffer when it is loaded and read
    once by each tile that uses it, whatever the lines and tokens of the tile (a value is broadcast
    to all lines and held there). A part of a tile on one engine reads and writes each accumulator
    that it adds to once. U reads Vᵀx at the accumulators' width, and write-back reads each output.
    A result that one tile makes whole is written once and read once.
    """
    program = plan.program
    tiled = program.tiled
    weights = sum(int(stream.weight_bytes.sum()) for stream in program.streams)
    uses = program.weight_uses
    loads = int(plan.activation_loads.sum())
    reads = sum(int(stream.activation_bytes.sum()) for stream in program.streams)
    sums = sum(_partial_sums(stream, tiled) for stream in program.streams)
    thin = sum(_factor_inputs(stream, tiled) for stream in program.streams)
    outputs = tiled.gemm.m * tiled.gemm.tokens
    accumulators = 2 * sums + thin + outputs
    if program.results is not None:
        accumulators = 2 * int(program.results.sum())
    bits = accumulators * program.accelerator.bits.accumulator
    return SramBytes((1 + uses) * weights, loads + reads, ceil_div(bits, 8))


def _partial_sums(stream: Stream, tiled: TiledProjection) -> int:
    """Accumulators that the parts of all tiles add to."""
    thin = block_sizes(tiled.rank, min(tiled.tile.rows, tiled.rank)) if tiled.rank else tiled.dense
    tiles = (stream.kind, stream.token_block, stream.row_block)
    parts = (stream.denser_cycles, stream.sparser_cycles)
    return _count_sums(tiles, parts, (tiled.row_sizes, thin, tiled.token_sizes))


@compiled
def _count_sums(
    tiles: tuple[Counts, Counts, Counts],
    parts: tuple[Counts, Counts],
    sizes: tuple[Counts, Counts, Counts],
) -> int:
    """A tile of S may add to each of its rows on both engines; V and U have a row on one."""
    kind, token_block, row_block = tiles
    rows, thin_rows, tokens = sizes
    sums = 0
    for tile in range(len(kind)):
        added = thin_rows[row_block[tile]] if kind[tile] == V else rows[row_block[tile]]
        both = kind[tile] == S and parts[0][tile] > 0 and parts[1][tile] > 0
        sums += added * tokens[token_block[tile]] * (2 if both else 1)
    return sums


def _factor_inputs(stream: Stream, tiled: TiledProjection) -> int:
    """Elements of Vᵀx that the tiles of U read."""
    if not tiled.rank:
        return 0
    wide = stream.kind == U
    columns = block_sizes(tiled.rank, min(tiled.tile.columns, tiled.rank))
    tokens = tiled.token_sizes[stream.token_block[wide]]
    return int((columns[stream.column_block[wide]] * tokens).sum())
