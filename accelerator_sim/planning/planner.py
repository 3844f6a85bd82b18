"""Plans of products: the tile that is given, or the best that a search finds.

After ``trials`` and ``index_choice``. Everything that resolves ``auto`` of a projection or of a
dense product asks here.
"""

from dataclasses import replace

from accelerator_sim.machine.hardware import Accelerator, TileChoice
from accelerator_sim.mapping.candidates import (
    Plan,
    given_plan,
    lacks,
    nothing_fits,
    part_plan,
    shape_words,
)
from accelerator_sim.mapping.configuration import as_stored
from accelerator_sim.mapping.kept_programs import MAX_BYTES, KeptPrograms
from accelerator_sim.mapping.program import Program
from accelerator_sim.mapping.search import AUTO, Search
from accelerator_sim.planning.index_choice import plan_of_fewest_bits
from accelerator_sim.planning.trials import best_of
from workloads.masks.packed import SparseLowRankGemm
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError
from workloads.support.kept import Kept

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
        accelerator: Its tile, dataflow and split are kept where they are not ``auto``.
        value_bits: Width of a value of S; by default the machine's weights.
        weights_on_chip: S lies in one of two slots of the output buffer, so that only its index is
            loaded; outputs have the other.
        programs: Where programs are kept for machines to come; None: nowhere.

    Raises:
        InputError: The tile that is asked for does not fit the buffers, or no tile does; or the
            projection is stored in more bits than the machine multiplies.
    """

    def planned(machine: Accelerator) -> Plan:
        return _planned(
            Search(
                gemm=projection.gemm,
                accelerator=machine,
                value_bits=value_bits or machine.bits.weight,
                mask=projection.mask,
                rank=projection.rank,
                weights_on_chip=weights_on_chip,
                programs=programs,
                stored=projection.stored,
            )
        )

    machine = as_stored(projection, accelerator)
    return plan_of_fewest_bits(machine, projection.mask, planned)


def plan_sparse_part(projection: SparseLowRankGemm, whole: Program) -> Plan:
    """Plan S alone: what the low-rank part is added to.

    Args:
        projection: Its low-rank part is left out.
        whole: The whole run, whose machine, tile and configuration S alone has too.
    """
    bits = whole.configuration.value_bits
    search = Search(projection.gemm, whole.accelerator, bits, projection.mask)
    return part_plan(search, whole.configuration, whole.tiled.tile)


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
    bits = value_bits or accelerator.bits.weight
    search = Search(gemm, accelerator, bits, weights_on_chip=weights_on_chip)
    return PLANS.get(("dense", gemm, accelerator, bits, weights_on_chip), lambda: _planned(search))


def _planned(search: Search) -> Plan:
    if AUTO in search.extents:
        plan = best_of(search)
        if plan is not None:
            return plan
        lacking = nothing_fits(search)
    else:
        plan = given_plan(search)
        if plan.storage.fits:
            return plan
        lacking = lacks(plan.storage)
    tile = shape_words(search.accelerator.tile)
    raise InputError(
        f"{search.gemm.name}: a tile of {tile} does not fit: {lacking}; {_would_fit(search)}"
    )


def _would_fit(search: Search) -> str:
    accelerator = replace(search.accelerator, tile=TileChoice())
    other = best_of(replace(search, accelerator=accelerator))
    if other is not None:
        return f"{shape_words(other.program.tiled.tile)} would fit"
    order = accelerator.loop_order != "output_stationary"
    hint = "; loop_order = output_stationary needs the fewest accumulators" if order else ""
    return f"no other tile of the search does{hint}"
