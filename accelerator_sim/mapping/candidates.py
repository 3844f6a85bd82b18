"""Which tile, which dense columns, which split: one projection made ready to run. Pure.

``auto`` extents are searched: powers of two times the lines (rows) and the MACs of a line
(columns; whole groups of an ``N:M`` index), from 64 on unless only smaller ones fit, and halvings
of the tokens; of the tiles that fit, the one with the least lower bound; then rows that the chosen
sparser lines divide.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from accelerator_sim.machine.hardware import Accelerator, Dataflow, Extent, TileChoice
from accelerator_sim.mapping.bounds import activation_loads, lower_bound
from accelerator_sim.mapping.kept_programs import KeptPrograms
from accelerator_sim.mapping.program import Program, build_program
from accelerator_sim.mapping.split import choose_denser_lines
from accelerator_sim.mapping.storage import Storage, storage_of
from accelerator_sim.mapping.tiling import (
    Counts,
    TileShape,
    choose_dense_columns,
    cut,
    cut_dense,
)
from workloads.masks.packed import SparseLowRankGemm
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError

AUTO: Literal["auto"] = "auto"
_COARSE = 64
_MOST_TILES = 4_000_000

Build = Callable[[TileShape, Accelerator], Program]


@dataclass(frozen=True, eq=False)
class Plan:
    """A program, how it is stored, and how its tile was chosen.

    Attributes:
        program: The tiles.
        storage: Residency.
        tile_chosen_by: ``given``, or the search and its bound.
        split_chosen_by: The rule that gave the lines.
    """

    program: Program
    storage: Storage
    tile_chosen_by: str
    split_chosen_by: str

    @functools.cached_property
    def activation_loads(self) -> Counts:
        """Bytes of every activation transfer."""
        return activation_loads(self.program, self.storage)


def plan_projection(
    projection: SparseLowRankGemm,
    accelerator: Accelerator,
    programs: KeptPrograms | None = None,
) -> Plan:
    """Plan a whole projection: S and the low-rank part.

    Args:
        projection: Shape, mask, rank and tokens.
        accelerator: The machine.
        programs: Where programs are kept for machines to come; None: nowhere.

    Raises:
        InputError: The tile that is asked for does not fit the buffers, or no tile does.
    """
    gemm, mask, rank = projection.gemm, projection.mask, projection.rank
    dense = choose_dense_columns(mask, accelerator.dense_threshold)

    def build(tile: TileShape, machine: Accelerator) -> Program:
        tiled = cut(gemm, mask, rank, dense, tile)
        return build_program(tiled, machine, choose_denser_lines(tiled, machine))

    def kept(tile: TileShape, machine: Accelerator) -> Program:
        assert programs is not None
        return programs.get((gemm, mask, rank, tile), machine, functools.partial(build, tile))

    density = mask.nnz / gemm.parameters
    return _best_dataflow(gemm, accelerator, build if programs is None else kept, density, rank)


def plan_sparse_part(
    projection: SparseLowRankGemm, accelerator: Accelerator, tile: TileShape
) -> Plan:
    """Plan S alone: what the low-rank part is added to.

    Args:
        projection: Its low-rank part is left out.
        accelerator: With the dataflow of the whole run, from its program.
        tile: The tile of the whole run.
    """
    dense = choose_dense_columns(projection.mask, accelerator.dense_threshold)
    tiled = cut(projection.gemm, projection.mask, 0, dense, tile)
    program = build_program(tiled, accelerator, choose_denser_lines(tiled, accelerator))
    return Plan(program, storage_of(program), "the tile of the whole run", _split_rule(accelerator))


@functools.lru_cache(maxsize=16)
def plan_dense(gemm: Gemm, accelerator: Accelerator) -> Plan:
    """Plan the same matrix run dense: no index, every column dense, all lines.

    The last plans are kept: no mask has a say, so all blocks of a model share them.

    Raises:
        InputError: As for ``plan_projection``.
    """

    def build(tile: TileShape, machine: Accelerator) -> Program:
        return build_program(cut_dense(gemm, tile), machine, machine.lines)

    return _best_dataflow(gemm, accelerator, build, 1.0, rank=None)


def _split_rule(accelerator: Accelerator) -> str:
    if isinstance(accelerator.denser_lines, int):
        return "given"
    return "least cycles" if accelerator.denser_lines == "auto" else "proportional"


def _best_dataflow(
    gemm: Gemm, accelerator: Accelerator, build: Build, density: float, rank: int | None
) -> Plan:
    """The plan with the least bound of those that the dataflow allows.

    One token is left to ``reduction``, where no tile takes longer than with ``token``.
    """
    flows: tuple[Dataflow, ...] = (accelerator.dataflow,)
    if accelerator.dataflow == AUTO:
        flows = ("reduction",) if gemm.tokens == 1 else ("reduction", "token")
    plans = [
        _plan(gemm, dataclasses.replace(accelerator, dataflow=flow), build, density, rank)
        for flow in flows
    ]
    if len(plans) == 1:
        return plans[0]
    return min(plans, key=lambda plan: lower_bound(plan.program, plan.storage))


def _plan(
    gemm: Gemm, accelerator: Accelerator, build: Build, density: float, rank: int | None
) -> Plan:
    """The plan at one dataflow; a rank of None is the dense run."""

    def program(tile: TileShape) -> Program:
        return build(tile, accelerator)

    def search(asked: tuple[Extent, Extent, Extent]) -> _Found | None:
        return _search(gemm, accelerator, asked, density, _units(gemm, accelerator, rank), program)

    rule = "all lines: the matrix is run dense" if rank is None else _split_rule(accelerator)
    asked = (accelerator.tile.rows, accelerator.tile.columns, accelerator.tile.tokens)
    lacks = "no choice for auto has room in the buffers"
    if AUTO in asked:
        best = search(asked)
        if best is not None:
            bound, made, storage = best
            return Plan(made, storage, f"least bound of the tiles that fit ({bound} cycles)", rule)
    else:
        tile = TileShape(*map(int, asked))
        if _tiles_of(gemm, tile) > _MOST_TILES:
            raise InputError(
                f"{gemm.name}: {_shape(tile)} make {_tiles_of(gemm, tile)} tiles, more than "
                f"{_MOST_TILES}: use a larger tile"
            )
        made = program(tile)
        storage = storage_of(made)
        if storage.fits:
            return Plan(made, storage, "given", rule)
        lacks = _lacks(storage)
    best = search((AUTO, AUTO, AUTO))
    would = f"{_shape(best[1].tiled.tile)} would fit" if best else _no_tile(accelerator)
    raise InputError(
        f"{gemm.name}: a tile of {_shape(accelerator.tile)} does not fit: {lacks}; {would}"
    )


def _no_tile(accelerator: Accelerator) -> str:
    order = accelerator.loop_order != "output_stationary"
    hint = "; loop_order = output_stationary needs the fewest accumulators" if order else ""
    return f"no other tile of the search does{hint}"


_Found = tuple[int, Program, Storage]


def _units(gemm: Gemm, accelerator: Accelerator, rank: int | None) -> tuple[int, int]:
    """Rows and columns whose doublings are tried.

    The lines, halved until the accumulators of all tokens fit, if weights are stationary; the MACs
    of a line, in whole groups of an ``N:M`` index.
    """
    rows, buffer = accelerator.lines, accelerator.output_buffer
    if accelerator.loop_order == "weight_stationary":
        column = gemm.tokens * accelerator.bits.accumulator
        slot = (8 * buffer.capacity_bytes - (rank or 0) * column) // buffer.slots
        while rows > 1 and rows * column > slot:
            rows = -(-rows // 2)
    group = None if rank is None else accelerator.index.n_of_m
    return rows, math.lcm(accelerator.macs_per_line, group[1] if group else 1)


def _search(
    gemm: Gemm,
    accelerator: Accelerator,
    asked: tuple[Extent, Extent, Extent],
    density: float,
    units: tuple[int, int],
    program: Callable[[TileShape], Program],
) -> _Found | None:
    """Best tile that fits: small tiles first, so that the smallest of equals is taken.

    Tokens are halved until something fits, and once more: fewer tokens only fetch weights again.
    """
    for smallest in (_COARSE, 1):
        best: _Found | None = None
        halvings_left = 1
        for tokens in _halvings(gemm.tokens, asked[2]):
            for tile in _tiles(gemm, units, asked, tokens, smallest):
                if not _hopeless(gemm, tile, accelerator, density):
                    best = _better(best, program(tile))
            halvings_left -= best is not None
            if halvings_left < 0:
                break
        if best is not None:
            return _refined(best, gemm, asked, program)
    return None


def _refined(
    best: _Found,
    gemm: Gemm,
    asked: tuple[Extent, Extent, Extent],
    program: Callable[[TileShape], Program],
) -> _Found:
    """Try rows that the lines of the sparser engine divide: a tile ends with its slowest line."""
    made = best[1]
    tile, lines = made.tiled.tile, made.sparser_lines
    if asked[0] != AUTO or not 0 < lines < made.accelerator.lines:
        return best
    for rounds in (tile.rows // lines, tile.rows // lines + 1):
        if 0 < rounds * lines <= gemm.m:
            finer = program(TileShape(rounds * lines, tile.columns, tile.tokens))
            best = _better(best, finer) or best
    return best


def _better(best: _Found | None, made: Program) -> _Found | None:
    storage = storage_of(made)
    if not storage.fits:
        return best
    bound = lower_bound(made, storage)
    return (bound, made, storage) if best is None or bound < best[0] else best


def _hopeless(gemm: Gemm, tile: TileShape, accelerator: Accelerator, density: float) -> bool:
    """Whether a tile of average density exceeds a whole buffer, or tiles are far too many."""
    weights = density * tile.rows * tile.columns * accelerator.bits.weight
    order = accelerator.loop_order
    rows = gemm.m if order == "activation_stationary" else tile.rows
    tokens = gemm.tokens if order == "weight_stationary" else tile.tokens
    accumulators = rows * tokens * accelerator.bits.accumulator
    return (
        weights > 8 * accelerator.weight_buffer.capacity_bytes
        or accumulators > 8 * accelerator.output_buffer.capacity_bytes
        or _tiles_of(gemm, tile) > _MOST_TILES
    )


def _tiles(
    gemm: Gemm,
    units: tuple[int, int],
    asked: tuple[Extent, Extent, Extent],
    tokens: int,
    smallest: int,
) -> list[TileShape]:
    return [
        TileShape(rows, columns, tokens)
        for rows in _doublings(units[0], gemm.m, asked[0], smallest)
        for columns in _doublings(units[1], gemm.n, asked[1], smallest)
    ]


def _doublings(unit: int, extent: int, asked: Extent, smallest: int) -> list[int]:
    if asked != AUTO:
        return [int(asked)]
    sizes = [min(unit, extent)]
    while sizes[-1] * 2 <= extent:
        sizes.append(sizes[-1] * 2)
    return [size for size in sizes if size >= smallest] or sizes[-1:]


def _halvings(tokens: int, asked: Extent) -> list[int]:
    if asked != AUTO:
        return [int(asked)]
    sizes = [tokens]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def _tiles_of(gemm: Gemm, tile: TileShape) -> int:
    extents = ((gemm.m, tile.rows), (gemm.n, tile.columns), (gemm.tokens, tile.tokens))
    return math.prod(-(-extent // size) for extent, size in extents)


def _shape(tile: TileShape | TileChoice) -> str:
    return f"rows = {tile.rows}, columns = {tile.columns}, tokens = {tile.tokens}"


def _lacks(storage: Storage) -> str:
    return "; ".join(
        f"{need.operand} need {need.needed} bytes and a slot has {need.available}"
        for need in storage.needs
        if not need.fits
    )
