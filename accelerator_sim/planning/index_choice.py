"""``index.format = "auto"``: the format with the fewest stored bits of a mask, in its own tiles.

After ``trials``, before ``planner``: a product is planned once for each format that its mask
allows.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from accelerator_sim.machine.hardware import ANY_MASK, AUTO_FORMAT, Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.indices import stored_tiles
from accelerator_sim.mapping.tiling import choose_dense_columns
from workloads.masks.n_of_m import overfull_group
from workloads.masks.packed import PackedMask
from workloads.support.errors import InputError

GROUPS = (4, 8, 16)
"""M of the patterns that are tried, each with the least N that the mask has."""


def plan_of_fewest_bits(
    accelerator: Accelerator, mask: PackedMask, plan: Callable[[Accelerator], Plan]
) -> Plan:
    """The plan of the format with the fewest bits of S: values, padding and places, of all tiles.

    Of equal ones the first of bitmap, csc, csr, hierarchical bitmap, run length and the patterns.

    Args:
        accelerator: Whose index is ``auto``, or else the one that is taken.
        mask: Places of S.
        plan: Plans the product on the machine with a format; it may refuse one.

    Raises:
        InputError: No format can be planned; as for the first.
    """
    if accelerator.index.format != AUTO_FORMAT:
        return plan(accelerator)
    best: tuple[int, Plan] | None = None
    refused: InputError | None = None
    for name in _formats(mask, accelerator.dense_threshold):
        try:
            made = plan(replace(accelerator, index=replace(accelerator.index, format=name)))
        except InputError as error:
            refused = refused or error
            continue
        bits = stored_bits(made)
        if best is None or bits < best[0]:
            best = bits, made
    if best is None:
        assert refused is not None
        raise refused
    return best[1]


def stored_bits(plan: Plan) -> int:
    """Bits of S outside dense columns, as one load of every tile takes them.

    Args:
        plan: Of a product with a mask.
    """
    program = plan.program
    tiles = stored_tiles(program.tiled, program.accelerator.index)
    values = int(tiles.values.sum()) * program.configuration.value_bits
    return values + int(tiles.index_bits.sum())


def _formats(mask: PackedMask, dense_threshold: float) -> Iterator[str]:
    """Formats that a mask allows; one where no column is left to an index."""
    dense = choose_dense_columns(mask, dense_threshold)
    if dense.all() or not mask.nnz:
        yield ANY_MASK[0]
        return
    yield from ANY_MASK
    for group in GROUPS:
        kept = next(n for n in range(1, group + 1) if overfull_group(mask, dense, n, group) is None)
        if kept < group:
            yield f"{kept}:{group}"
