"""Which tile of a product: those that fit, and of them the one with the least lower bound. Pure.

``auto`` extents are searched: powers of two times the lines (rows) and the MACs of a line
(columns; whole groups of an ``N:M`` index), from 64 on unless only smaller ones fit, and halvings
of the tokens; then rows that the chosen sparser lines divide. After ``bounds``; ``candidates`` says
what is searched.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from accelerator_sim.machine.hardware import Accelerator, Extent
from accelerator_sim.mapping.bounds import lower_bound
from accelerator_sim.mapping.configuration import Configuration
from accelerator_sim.mapping.program import Program
from accelerator_sim.mapping.storage import Storage, storage_of
from accelerator_sim.mapping.tiling import TileShape
from workloads.shapes.gemm import Gemm

AUTO: Literal["auto"] = "auto"
MAX_TILES = 4_000_000
_COARSE = 64

Extents = tuple[Extent, Extent, Extent]
"""Rows, columns and tokens of a tile, a number or ``auto`` each."""


@dataclass(frozen=True, eq=False)
class Search:
    """What is to be tiled, and on what.

    Attributes:
        gemm: Shape and tokens.
        accelerator: Whose buffers the tile must fit.
        configuration: Dataflow, widths and room for outputs.
        density: Kept share of the matrix, to leave out tiles that cannot fit.
        rank: Columns of U and V; None where the matrix is run dense, without an index.
        build: The program at a tile, in a configuration.
    """

    gemm: Gemm
    accelerator: Accelerator
    configuration: Configuration
    density: float
    rank: int | None
    build: Callable[[TileShape, Configuration], Program]

    def program(self, tile: TileShape) -> Program:
        """The program at a tile."""
        return self.build(tile, self.configuration)


class Candidate(NamedTuple):
    """A program that fits, with the cycles that no run of it can beat."""

    bound_cycles: int
    program: Program
    storage: Storage


def best_tile(search: Search, extents: Extents) -> Candidate | None:
    """The best tile that fits: small tiles first, so that the smallest of equals is taken.

    Tokens are halved until something fits, and once more: fewer tokens only fetch weights again.

    Args:
        search: What is to be tiled.
        extents: Those that are numbers are kept.
    """
    units = _units(search)
    for smallest in (_COARSE, 1):
        best: Candidate | None = None
        halvings_left = 1
        for tokens in _halvings(search.gemm.tokens, extents[2]):
            for tile in _tiles(search.gemm, units, extents, tokens, smallest):
                if not _hopeless(search, tile):
                    best = _better(best, search.program(tile))
            halvings_left -= best is not None
            if halvings_left < 0:
                break
        if best is not None:
            return _refined(best, search, extents)
    return None


def smallest_tile(search: Search, extents: Extents) -> TileShape | None:
    """The smallest tile of a search that is not cut into too many, to say what it lacks.

    Args:
        search: What is to be tiled.
        extents: Those that are numbers are kept.
    """
    tokens = _halvings(search.gemm.tokens, extents[2])[-1]
    tiles = _tiles(search.gemm, _units(search), extents, tokens, 1)
    few = (tile for tile in tiles if tile_count(search.gemm, tile) <= MAX_TILES)
    return min(few, key=lambda tile: tile.rows * tile.columns, default=None)


def tile_count(gemm: Gemm, tile: TileShape) -> int:
    """Tiles of all tokens."""
    extents = ((gemm.m, tile.rows), (gemm.n, tile.columns), (gemm.tokens, tile.tokens))
    return math.prod(-(-extent // size) for extent, size in extents)


def doublings(unit: int, extent: int) -> list[int]:
    """A unit and its doublings up to an extent; the extent alone where it is smaller."""
    sizes = [min(unit, extent)]
    while sizes[-1] * 2 <= extent:
        sizes.append(sizes[-1] * 2)
    return sizes


def _units(search: Search) -> tuple[int, int]:
    """Rows and columns whose doublings are tried.

    The lines, halved until the accumulators of all tokens fit, if weights are stationary; the MACs
    of a line, in whole groups of an ``N:M`` index.
    """
    accelerator, rank = search.accelerator, search.rank
    rows, buffer = accelerator.lines, search.configuration.output_buffer(accelerator)
    if accelerator.loop_order == "weight_stationary":
        column_bits = search.gemm.tokens * accelerator.bits.accumulator
        slots = 1 if buffer.slots == "auto" else buffer.slots
        slot_bits = (8 * buffer.capacity_bytes - (rank or 0) * column_bits) // slots
        while rows > 1 and rows * column_bits > slot_bits:
            rows = -(-rows // 2)
    group = None if rank is None else accelerator.index.n_of_m
    return rows, math.lcm(accelerator.macs_per_line, group[1] if group else 1)


def _refined(best: Candidate, search: Search, extents: Extents) -> Candidate:
    """Try rows that the lines of the sparser engine divide: a tile ends with its slowest line."""
    program = best.program
    tile, lines = program.tiled.tile, program.sparser_lines
    if extents[0] != AUTO or not 0 < lines < search.accelerator.lines:
        return best
    for rounds in (tile.rows // lines, tile.rows // lines + 1):
        if 0 < rounds * lines <= search.gemm.m:
            finer = search.program(TileShape(rounds * lines, tile.columns, tile.tokens))
            best = _better(best, finer) or best
    return best


def _better(best: Candidate | None, program: Program) -> Candidate | None:
    storage = storage_of(program)
    if not storage.fits:
        return best
    bound = lower_bound(program, storage)
    if best is not None and bound >= best.bound_cycles:
        return best
    return Candidate(bound, program, storage)


def _hopeless(search: Search, tile: TileShape) -> bool:
    """Whether a tile of average density exceeds a whole buffer, or tiles are far too many."""
    gemm, accelerator, configuration = search.gemm, search.accelerator, search.configuration
    weight_bits = search.density * tile.rows * tile.columns * configuration.value_bits
    order = accelerator.loop_order
    rows = gemm.m if order == "activation_stationary" else tile.rows
    tokens = gemm.tokens if order == "weight_stationary" else tile.tokens
    output_bytes = configuration.output_buffer(accelerator).capacity_bytes
    return (
        weight_bits > 8 * accelerator.weight_buffer.capacity_bytes
        or rows * tokens * accelerator.bits.accumulator > 8 * output_bytes
        or tile_count(gemm, tile) > MAX_TILES
    )


def _tiles(
    gemm: Gemm, units: tuple[int, int], extents: Extents, tokens: int, smallest: int
) -> list[TileShape]:
    return [
        TileShape(rows, columns, tokens)
        for rows in _sizes(units[0], gemm.m, extents[0], smallest)
        for columns in _sizes(units[1], gemm.n, extents[1], smallest)
    ]


def _sizes(unit: int, extent: int, given: Extent, smallest: int) -> list[int]:
    if given != AUTO:
        return [int(given)]
    sizes = doublings(unit, extent)
    return [size for size in sizes if size >= smallest] or sizes[-1:]


def _halvings(tokens: int, given: Extent) -> list[int]:
    if given != AUTO:
        return [int(given)]
    sizes = [tokens]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // 2))
    return sizes
