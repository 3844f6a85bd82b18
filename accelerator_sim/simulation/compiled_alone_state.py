"""One engine with all tiles of one stream: which machines those are, and what they hold.

After ``compiled_state``; ``compiled_alone`` runs them.
"""

from typing import NamedTuple

import numpy as np

from accelerator_sim.simulation.compiled_state import ENGINE, Records, Settings, Whole, ring
from accelerator_sim.simulation.conventions import closed_gates
from accelerator_sim.simulation.tables import Tables

PORT = np.dtype(
    [
        (name, np.int64)
        for name in (
            "now", "port_cycle", "port_ticks", "begun", "last_arrival", "joined_at", "left",
            "weights_next", "inputs_next", "weights_raised", "weights_freed", "inputs_raised",
            "inputs_freed", "inputs_opened", "inputs_closed", "outputs_opened", "raised",
            "requested", "granted",
        )
    ]
)  # fmt: skip


class Alone(NamedTuple):
    """A machine with one engine at work.

    Attributes:
        settings: What stays.
        tiles: ``tables.TILE``; one more at the end.
        write_backs: Bytes of each output block.
        port: One PORT: what the port and the loader have done.
        engine: One ``compiled_state.ENGINE``.
        weights_at: When the weights of each tile are visible.
        weight_freed: When each slot of weights was given back, in order.
        input_freed: Likewise, of inputs that are not resident.
        arrivals: When inputs are visible; the last: no inputs.
        sharers: Tiles that still need what came at each arrival; empty where that is one each.
        users: Tiles that still need a token block's resident inputs.
        inputs_open: When each token block had its slot.
        opened_at: When each group of output blocks had its slot; the last: always.
        unwritten: Blocks of each group that are not in DRAM.
        pending: Parts that still add to each output block.
        thin_parts: Parts of Vᵀx that each token block lacks.
        wide_parts: Parts of U that each token block lacks.
        gates: Gate times.
        blocks: Output blocks in the order in which they are complete.
        complete_at: When they were.
        credits: When the credit of a request is back; a ring.
    """

    settings: Settings
    tiles: Records
    write_backs: Whole
    port: Records
    engine: Records
    weights_at: Whole
    weight_freed: Whole
    input_freed: Whole
    arrivals: Whole
    sharers: Whole
    users: Whole
    inputs_open: Whole
    opened_at: Whole
    unwritten: Whole
    pending: Whole
    thin_parts: Whole
    wide_parts: Whole
    gates: Whole
    blocks: Whole
    complete_at: Whole
    credits: Whole


def runs_alone(tables: Tables) -> bool:
    """Whether one engine has all tiles, nothing crosses the link, and every block is added to."""
    denser, sparser = tables.engine_parts
    one_stream = tables.main == len(tables.tiles) - 1
    crosses = denser > 0 and tables.crosses
    return one_stream and min(denser, sparser) == 0 and not crosses and tables.all_added_to


def alone_state(tables: Tables, settings: Settings) -> Alone:
    """A machine before its first cycle; what starts otherwise than with zeros is the kernel's."""
    blocks, token_blocks, tiles = len(tables.pending), len(tables.thin_parts), settings.tiles
    groups = blocks // tables.group_blocks
    return Alone(
        settings=settings,
        tiles=tables.tiles,
        write_backs=tables.write_backs,
        port=np.zeros(1, dtype=PORT),
        engine=np.zeros(1, dtype=ENGINE),
        weights_at=np.empty(tiles, dtype=np.int64),
        weight_freed=np.empty(tiles, dtype=np.int64),
        input_freed=np.empty(0 if settings.resident else tiles, dtype=np.int64),
        arrivals=np.empty(tables.arrivals, dtype=np.int64),
        sharers=tables.sharers.copy(),
        users=tables.users.copy(),
        inputs_open=np.empty(token_blocks, dtype=np.int64),
        opened_at=np.empty(groups + 1, dtype=np.int64),
        unwritten=np.empty(groups, dtype=np.int64),
        pending=tables.pending.copy(),
        thin_parts=tables.thin_parts.copy(),
        wide_parts=tables.wide_parts.copy(),
        gates=closed_gates(token_blocks),
        blocks=np.empty(blocks, dtype=np.int64),
        complete_at=np.empty(blocks, dtype=np.int64),
        credits=np.zeros(ring(settings.outstanding + 1), dtype=np.int64),
    )
