"""Which tile, which dataflow, which split: one product made ready to run. Pure.

After ``tile_search``; a ``Plan`` is what every cycle model but ``published`` counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from accelerator_sim.machine.hardware import Accelerator, TileChoice
from accelerator_sim.mapping.bounds import lower_bound
from accelerator_sim.mapping.configuration import Configuration, Flow, allowed_flows, as_stored
from accelerator_sim.mapping.kept_programs import MAX_BYTES, KeptPrograms
from accelerator_sim.mapping.program import Program, build_program
from accelerator_sim.mapping.split import choose_denser_lines
from accelerator_sim.mapping.storage import Storage, storage_of
from accelerator_sim.mapping.tile_search import (
    AUTO,
    MAX_TILES,
    Extents,
    Search,
    best_tile,
    smallest_tile,
    tile_count,
)
from accelerator_sim.mapping.tiling import (
    TileShape,
    choose_dense_columns,
    cut,
    cut_dense,
)
from workloads.masks.packed import SparseLowRankGemm, StoredBits
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError
from workloads.support.kept import Kept

DENSE_SPLIT = "all lines: the matrix is run dense"


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


PLANS: Kept[Plan] = Kept(MAX_BYTES, lambda plan: plan.program.nbytes)
"""The dense plans used last, of this process."""


def plan_projection(
    projection: SparseLowRankGemm,
    accelerator: Accelerator,
    *,
    value_bits: int | None = None,
    weights_on_chip: bool = False,
    programs: KeptPrograms | None = None,
) -> Plan:
    """Plan a whole projection: S and the low-rank part.

    Args:
        projection: Shape, mask, rank and tokens.
        accelerator: Its tile and dataflow are kept where they are not ``auto``.
        value_bits: Width of a value of S; by default the machine's weights.
        weights_on_chip: S lies in one of two slots of the output buffer; outputs have the other.
        programs: Where programs are kept for machines to come; None: nowhere.

    Raises:
        InputError: The tile that is asked for does not fit the buffers, or no tile does; or the
            projection is stored in more bits than the machine multiplies.
    """
    gemm, mask, rank = projection.gemm, projection.mask, projection.rank
    accelerator = as_stored(projection, accelerator)
    dense = choose_dense_columns(mask, accelerator.dense_threshold)

    def build(tile: TileShape, configuration: Configuration) -> Program:
        tiled = cut(gemm, mask, rank=rank, dense_columns=dense, tile=tile)
        lines = choose_denser_lines(tiled, accelerator, flow=configuration.timed_as)
        return build_program(tiled, accelerator, configuration=configuration, denser_lines=lines)

    def kept(tile: TileShape, configuration: Configuration) -> Program:
        assert programs is not None
        key = (gemm, mask, rank, tile, configuration)
        return programs.get(key, accelerator, build=lambda: build(tile, configuration))

    bits, stored = value_bits or accelerator.bits.weight, projection.stored or StoredBits()
    density = mask.nnz / gemm.parameters
    return _best_plan(
        Search(
            gemm=gemm,
            accelerator=accelerator,
            configuration=Configuration(
                flow,
                bits,
                weights_on_chip=weights_on_chip,
                scale_columns=stored.scale_columns,
                factor_scales=stored.factor_scales,
            ),
            density=density,
            rank=rank,
            build=build if programs is None else kept,
        )
        for flow in _flows(gemm, accelerator)
    )


def plan_sparse_part(projection: SparseLowRankGemm, whole: Program) -> Plan:
    """Plan S alone: what the low-rank part is added to.

    Args:
        projection: Its low-rank part is left out.
        whole: The whole run, whose machine, tile and configuration S alone has too.
    """
    accelerator, configuration = whole.accelerator, whole.configuration
    dense = choose_dense_columns(projection.mask, accelerator.dense_threshold)
    tiled = cut(
        projection.gemm, projection.mask, rank=0, dense_columns=dense, tile=whole.tiled.tile
    )
    lines = choose_denser_lines(tiled, accelerator, flow=configuration.timed_as)
    program = build_program(tiled, accelerator, configuration=configuration, denser_lines=lines)
    return Plan(program, storage_of(program), "the tile of the whole run", _split_rule(accelerator))


def plan_dense(
    gemm: Gemm,
    accelerator: Accelerator,
    *,
    value_bits: int | None = None,
    weights_on_chip: bool = False,
) -> Plan:
    """Plan the same matrix run dense: no index, every column dense, all lines.

    Kept in ``PLANS``: no mask has a say, so all blocks of a model share them.

    Args:
        gemm: Shape and tokens.
        accelerator: Its tile and dataflow are kept where they are not ``auto``.
        value_bits: As for ``plan_projection``.
        weights_on_chip: As for ``plan_projection``.

    Raises:
        InputError: As for ``plan_projection``.
    """

    def build(tile: TileShape, configuration: Configuration) -> Program:
        lines = accelerator.lines
        return build_program(
            cut_dense(gemm, tile), accelerator, configuration=configuration, denser_lines=lines
        )

    bits = value_bits or accelerator.bits.weight
    searches = (
        Search(
            gemm=gemm,
            accelerator=accelerator,
            configuration=Configuration(flow, bits, weights_on_chip=weights_on_chip),
            density=1.0,
            rank=None,
            build=build,
        )
        for flow in _flows(gemm, accelerator)
    )
    key = ("dense", gemm, accelerator, bits, weights_on_chip)
    return PLANS.get(key, lambda: _best_plan(searches))


def _flows(gemm: Gemm, accelerator: Accelerator) -> tuple[Flow, ...]:
    """One token is left to ``reduction``, where no tile takes longer than with ``token``."""
    flows = allowed_flows(accelerator)
    return flows[:1] if gemm.tokens == 1 else flows


def _best_plan(searches: Iterable[Search]) -> Plan:
    """The plan with the least bound; each search is in one dataflow."""
    plans = [_plan(search) for search in searches]
    if len(plans) == 1:
        return plans[0]
    return min(plans, key=lambda plan: lower_bound(plan.program, plan.storage))


def _plan(search: Search) -> Plan:
    gemm, accelerator = search.gemm, search.accelerator
    rule = DENSE_SPLIT if search.rank is None else _split_rule(accelerator)
    extents = _extents(accelerator.tile, gemm)
    if AUTO in extents:
        best = best_tile(search, extents)
        if best is not None:
            how = f"least bound of the tiles that fit ({best.bound_cycles} cycles)"
            return Plan(best.program, best.storage, how, rule)
        lacks = _auto_lacks(search, extents)
    else:
        tile = TileShape(*map(int, extents))
        _check_count(gemm, tile)
        program = search.program(tile)
        storage = storage_of(program)
        if storage.fits:
            return Plan(program, storage, "given", rule)
        lacks = _lacks(storage)
    other = best_tile(search, (AUTO, AUTO, AUTO))
    would = f"{_shape(other.program.tiled.tile)} would fit" if other else _no_tile(accelerator)
    raise InputError(
        f"{gemm.name}: a tile of {_shape(accelerator.tile)} does not fit: {lacks}; {would}"
    )


def _extents(tile: TileChoice, gemm: Gemm) -> Extents:
    """What is asked of a tile; of one token there is no choice."""
    return tile.rows, tile.columns, 1 if gemm.tokens == 1 else tile.tokens


def _split_rule(accelerator: Accelerator) -> str:
    if isinstance(accelerator.denser_lines, int):
        return "given"
    return "least cycles" if accelerator.denser_lines == "auto" else "proportional"


def _check_count(gemm: Gemm, tile: TileShape) -> None:
    count = tile_count(gemm, tile)
    if count > MAX_TILES:
        raise InputError(
            f"{gemm.name}: {_shape(tile)} make {count} tiles, more than {MAX_TILES}: use a larger "
            "tile"
        )


def _no_tile(accelerator: Accelerator) -> str:
    order = accelerator.loop_order != "output_stationary"
    hint = "; loop_order = output_stationary needs the fewest accumulators" if order else ""
    return f"no other tile of the search does{hint}"


def _shape(tile: TileShape | TileChoice) -> str:
    return f"rows = {tile.rows}, columns = {tile.columns}, tokens = {tile.tokens}"


def _auto_lacks(search: Search, extents: Extents) -> str:
    """What the smallest tile that auto may choose lacks."""
    tile = smallest_tile(search, extents)
    if tile is None:
        return f"every choice for auto makes more than {MAX_TILES} tiles"
    lacks = _lacks(storage_of(search.program(tile)))
    return f"of {_shape(tile)}, the smallest choice for auto, {lacks}"


def _lacks(storage: Storage) -> str:
    return "; ".join(
        f"{need.operand} need {need.needed} bytes and a slot has {need.available}"
        for need in storage.needs
        if not need.fits
    )
