"""Plans: programs made ready to run, at the tile that is given or at one that a search found. Pure.

After ``tile_search``; a ``Plan`` is what every cycle model but ``published`` counts. ``planning``
runs some and chooses.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from accelerator_sim.machine.hardware import TileChoice
from accelerator_sim.mapping.bounds import lower_bound
from accelerator_sim.mapping.configuration import Configuration
from accelerator_sim.mapping.program import Program
from accelerator_sim.mapping.search import Search
from accelerator_sim.mapping.storage import Storage, storage_of
from accelerator_sim.mapping.tile_search import MAX_TILES, Candidate, smallest_tile, tile_count
from accelerator_sim.mapping.tiling import TileShape
from workloads.support.errors import InputError

DENSE_SPLIT = "all lines: the matrix is run dense"


@dataclass(frozen=True, eq=False)
class Plan:
    """A program, how it is stored, and how its tile was chosen.

    Attributes:
        program: The tiles.
        storage: Residency and slots.
        tile_chosen_by: ``given``, or how it was searched.
        split_chosen_by: The rule that gave the lines.
    """

    program: Program
    storage: Storage
    tile_chosen_by: str
    split_chosen_by: str


def given_plan(search: Search) -> Plan:
    """The plan at a tile that is given in full, whether it fits or not.

    An open dataflow is the one with the least bound, an open split ``split``'s.

    Raises:
        InputError: There are too many tiles, or the split or the mask cannot be.
    """
    gemm, tile = search.gemm, TileShape(*map(int, search.extents))
    count = tile_count(gemm, tile)
    if count > MAX_TILES:
        raise InputError(
            f"{gemm.name}: {shape_words(tile)} make {count} tiles, more than {MAX_TILES}: use a "
            "larger tile"
        )
    plans = []
    for flow in search.flows:
        configuration = search.configuration(flow)
        plan = _plan(search, search.program(tile, configuration), "given")
        if not plan.storage.fits:
            return plan
        plans.append(plan)
    if len(plans) == 1:
        return plans[0]
    return min(plans, key=lambda plan: lower_bound(plan.program, plan.storage))


def candidate_plan(search: Search, candidate: Candidate) -> Plan | None:
    """The plan of a candidate; None if it does not fit after all.

    Args:
        search: Which found it.
        candidate: Tile, dataflow and split.

    Raises:
        InputError: The mask is not of the index's pattern.
    """
    configuration = search.configuration(candidate.flow)
    program = search.program(candidate.tile, configuration, candidate.denser_lines)
    plan = _plan(search, program, "searched")
    return plan if plan.storage.fits else None


def part_plan(search: Search, configuration: Configuration, tile: TileShape) -> Plan:
    """The plan of a part of a product, at the tile and the dataflow of the whole.

    Args:
        search: The part.
        configuration: Of the whole.
        tile: Of the whole.
    """
    program = search.program(tile, configuration)
    return Plan(program, storage_of(program), "the tile of the whole run", split_rule(search))


def _plan(search: Search, program: Program, chosen_by: str) -> Plan:
    """Scores that stay on chip must fit like weights, and are then not loaded."""
    storage = storage_of(program)
    if search.weights_on_chip:
        main = program.main
        main = dataclasses.replace(main, value_bits=np.zeros_like(main.value_bits))
        program = dataclasses.replace(program, main=main)
    return Plan(program, storage, chosen_by, split_rule(search))


def split_rule(search: Search) -> str:
    """What gives the lines of the denser engine."""
    if search.mask is None:
        return DENSE_SPLIT
    rule = search.accelerator.denser_lines
    if isinstance(rule, int):
        return "given"
    return "least cycles" if rule == "auto" else "proportional"


def nothing_fits(search: Search) -> str:
    """What the smallest tile that ``auto`` may choose lacks."""
    tile = smallest_tile(search)
    if tile is None:
        return f"every choice for auto makes more than {MAX_TILES} tiles"
    storage = storage_of(search.program(tile, search.configuration(search.flows[0])))
    return f"of {shape_words(tile)}, the smallest choice for auto, {lacks(storage)}"


def shape_words(tile: TileShape | TileChoice) -> str:
    """A tile in words."""
    return f"rows = {tile.rows}, columns = {tile.columns}, tokens = {tile.tokens}"


def lacks(storage: Storage) -> str:
    """What does not fit, in bytes."""
    return "; ".join(
        f"{need.operand} need {need.needed} bytes and a slot has {need.available}"
        for need in storage.needs
        if not need.fits
    )
