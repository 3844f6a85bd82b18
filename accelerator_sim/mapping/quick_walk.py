"""Roughly how long a tiling takes: its tiles walked one after the other, without events. Compiled.

After ``quick_tiles``, before ``estimate``; nothing that is reported comes from here. Slots, port,
engines, link and accumulators are those of ``docs/event_model.md``. Left out: credits, the order of
the requests of a cycle, and U beside S, which is walked after the S of its row block. Of very many
tiles the first few row blocks that cost the same are walked, and the last; those between take as
long as the two before them; token blocks likewise.
"""

from typing import NamedTuple

import numpy as np

from accelerator_sim.mapping.program import S, U, V
from accelerator_sim.mapping.quick_tiles import (
    ACTIVATION_STATIONARY,
    WEIGHT_STATIONARY,
    Choice,
    Costs,
    Room,
    Rows,
    Tile,
    Times,
    Where,
    Work,
    deal,
    tile_at,
    up,
)
from accelerator_sim.mapping.tiling import Counts
from workloads.support.compiled import compiled

MOST_SLOTS = 64
"""Slots that are told apart; more make no difference."""

_PORT, _DENSER, _SPARSER, _LINK, _CROSSED, _SEEN, _THIN = 0, 1, 2, 3, 4, 5, 6
_WEIGHTS_AT, _INPUTS_AT, _BYTES = 7, 8, 9
MOMENTS = 10
_MANY_TILES = 4096
"""Tiles from which on blocks are left out."""
MARKS = 5
"""Blocks that are walked of more: all but one before those that are left out."""
_WEIGHTS, _FACTORS, _INPUTS, _OUTPUTS, _ASKED, _WRITTEN = 0, 1, 2, 3, 4, 5
PLACES = 6
RINGS = 4
LATE = 256


class _Slots(NamedTuple):
    weights: int
    factors: int
    inputs: int
    outputs: int
    inputs_stay: bool
    blocks_of_slot: int
    row_blocks: int
    token_blocks: int
    fit: bool


@compiled
def walk_all(
    rows: Rows,
    costs: Costs,
    work: Work,
    choices: Counts,
    gathers: Times,
    room: Room,
    found: Times,
) -> None:
    """Cycles and DRAM bytes of every choice; infinite where it does not fit.

    Args:
        rows: At the columns of ``work``.
        costs: Machine.
        work: Product.
        choices: Whole numbers of ``Choice``, shape (N, 5).
        gathers: Its last field, shape (N,).
        room: Large enough for each.
        found: Shape (N, 2).
    """
    for number in range(len(choices)):
        line = choices[number]
        choice = Choice(line[0], line[1], line[2], line[3], line[4], gathers[number])
        largest = deal(rows, costs, work, choice, room)
        alike = choice.sampled == 1 or bool(rows.dense.sum() == work.n)
        slots = _divide(costs, work, choice, largest, alike)
        found[number, 0] = found[number, 1] = np.inf
        if slots.fit:
            _walk(rows, costs, work, choice, slots, room)
            found[number, 0] = room.now[_SEEN]
            found[number, 1] = room.now[_BYTES]


@compiled
def _held(
    capacity: int, slots: int, piece: float, whole: float, wholes: int
) -> tuple[int, float, bool]:
    """Slots of a buffer, bytes of each, and whether a whole token block stays."""
    if slots > 0:
        return slots, capacity // slots, whole <= capacity // slots
    stays = whole * min(wholes, 2) <= capacity
    unit = whole if stays else piece
    count = int(max(capacity // max(unit, 1.0), 1.0))
    return count, capacity // count, stays


@compiled
def _divide(costs: Costs, work: Work, choice: Choice, largest: float, alike: bool) -> _Slots:
    """How the buffers are divided, whether all tiles fit, and how many blocks are walked."""
    token_blocks = up(work.tokens, choice.tokens)
    thin = 0.0
    if work.rank > 0:
        narrow = min(choice.rows, work.rank) * min(work.columns, work.n)
        largest = max(largest, up(narrow * costs.factor_bits, 8))
        thin = float(up(choice.rows * min(work.columns, work.rank) * costs.factor_bits, 8))
    apart = costs.overlapped and work.rank > 0
    share = costs.weight_bytes // 2 if apart else costs.weight_bytes
    if not apart:
        largest = max(largest, thin)
    weights, weight_room, _ = _held(share, costs.weight_slots, largest, largest, 1)
    factors, factor_room, _ = _held(share, costs.weight_slots, thin, thin, 1)
    fit = largest <= weight_room and (thin <= factor_room or not apart)
    together = costs.order == WEIGHT_STATIONARY
    held = work.tokens if together else choice.tokens
    wholes = 1 if together else token_blocks
    whole = float(up(work.n * held * costs.activation_bits, 8))
    piece = float(up(work.columns * choice.tokens * costs.activation_bits, 8))
    inputs, input_room, stay = _held(costs.input_bytes, costs.input_slots, piece, whole, wholes)
    fit = fit and (stay or piece <= input_room)
    whole = float(up(work.m * held * costs.accumulator_bits, 8))
    piece = float(up(choice.rows * held * costs.accumulator_bits, 8))
    if costs.order == ACTIVATION_STATIONARY:
        piece, wholes = whole, 1
    left = costs.output_bytes - up(work.rank * held * costs.accumulator_bits, 8)
    outputs, output_room, resident = _held(max(left, 0), costs.output_slots, piece, whole, wholes)
    fit = fit and left > 0 and piece <= output_room
    walked_rows, walked_tokens = _walked(costs, work, choice, alike)
    group = token_blocks if together else 1
    if resident:
        group = walked_rows * token_blocks if together else walked_rows
    return _Slots(
        min(weights, MOST_SLOTS), min(factors, MOST_SLOTS), min(inputs, MOST_SLOTS),
        min(outputs, MOST_SLOTS), stay, group, walked_rows, walked_tokens, fit,
    )  # fmt: skip


@compiled
def _walked(costs: Costs, work: Work, choice: Choice, alike: bool) -> tuple[int, int]:
    """Row blocks and token blocks that are walked."""
    row_blocks, token_blocks = up(work.m, choice.rows), up(work.tokens, choice.tokens)
    if row_blocks * token_blocks * up(work.n, work.columns) < _MANY_TILES:
        return row_blocks, token_blocks
    if alike and costs.order != ACTIVATION_STATIONARY:
        row_blocks = min(row_blocks, MARKS)
    if costs.order != WEIGHT_STATIONARY:
        token_blocks = min(token_blocks, MARKS)
    return row_blocks, token_blocks


@compiled
def _walk(rows: Rows, costs: Costs, work: Work, choice: Choice, slots: _Slots, room: Room) -> None:
    """All tiles in their order; ``room.now`` has the end and the bytes."""
    row_blocks, token_blocks = up(work.m, choice.rows), up(work.tokens, choice.tokens)
    together = token_blocks if costs.order == WEIGHT_STATIONARY else 1
    stages = 1 if costs.order == ACTIVATION_STATIONARY else slots.row_blocks
    room.now[:] = 0.0
    room.rings[:] = 0.0
    room.places[:] = 0
    for turn in range(slots.token_blocks // together):
        outer = _block(room, 0, turn, slots.token_blocks // together, token_blocks // together)
        room.chunks[:] = -1.0
        for stage in range(-1, stages):
            block_of_rows = _block(room, 1, stage, slots.row_blocks, row_blocks)
            for kind in (V, S, U):
                if (kind == V) != (stage < 0) or (kind != S and work.rank == 0):
                    continue
                turns, columns, swept = _sweep(costs, work, choice, kind)
                for vector_block in range(turns):
                    row_block = vector_block if kind == V else block_of_rows
                    for place in range(columns * together * swept):
                        block, inner = divmod(place, together * swept)
                        before = turn * slots.row_blocks + (inner if swept > 1 else stage)
                        where = Where(
                            kind,
                            inner if swept > 1 else row_block,
                            block,
                            inner if together > 1 else outer,
                            inner == 0,
                            inner == together * swept - 1,
                            block == columns - 1 and (kind == U or (kind == S and work.rank == 0)),
                            before * together + (inner if together > 1 else 0),
                        )
                        tile = tile_at(rows, costs, work, choice, room, where)
                        _step(costs, work, choice, slots, room, tile, where)
        if slots.inputs_stay:
            _free(room, _INPUTS, slots.inputs, max(room.now[_DENSER], room.now[_SPARSER]))
    _write_back(costs, slots, room, np.inf)
    room.now[_SEEN] = room.now[_PORT] + costs.write_latency


@compiled
def _block(room: Room, axis: int, turn: int, walked: int, blocks: int) -> int:
    """The block to walk next; before the last, time and bytes of those that are left out pass."""
    if turn < 0 or walked == blocks:
        return turn
    now = room.now
    room.marks[axis, turn, 0], room.marks[axis, turn, 1] = now[_SEEN], now[_BYTES]
    if turn < walked - 1:
        return turn
    left_out = blocks - walked
    later = left_out * (now[_SEEN] - room.marks[axis, turn - 2, 0]) / 2
    now[_BYTES] += left_out * (now[_BYTES] - room.marks[axis, turn - 2, 1]) / 2
    for moment in range(_BYTES):
        now[moment] += later
    for ring in range(RINGS):
        for slot in range(MOST_SLOTS):
            room.rings[ring, slot] += later
    for place in range(LATE):
        room.late[0, place] += later
    return blocks - 1


@compiled
def _sweep(costs: Costs, work: Work, choice: Choice, kind: int) -> tuple[int, int, int]:
    """Row blocks of a kind before its column blocks, column blocks, and row blocks after them."""
    columns = up(work.n, work.columns)
    if kind == U:
        columns = up(work.rank, work.columns)
    row_blocks = up(work.m, choice.rows)
    if kind == V:
        row_blocks = up(work.rank, choice.rows)
    if costs.order == ACTIVATION_STATIONARY:
        return 1, columns, row_blocks
    return row_blocks if kind == V else 1, columns, 1


@compiled
def _step(
    costs: Costs,
    work: Work,
    choice: Choice,
    slots: _Slots,
    room: Room,
    tile: Tile,
    where: Where,
) -> None:
    """Load a tile, run its parts, and give back what it held."""
    stay = costs.order == WEIGHT_STATIONARY
    group, now = where.group // slots.blocks_of_slot, room.now
    if tile.denser > 0 or tile.sparser > 0:
        apart = where.kind == U and costs.overlapped
        ring, count = (_FACTORS, slots.factors) if apart else (_WEIGHTS, slots.weights)
        if where.first or not stay:
            opened = room.rings[ring, room.places[ring] % count]
            now[_WEIGHTS_AT] = _load(costs, slots, room, opened, tile.weight_bytes)
        ready = now[_WEIGHTS_AT]
        if where.kind != U:
            ready = max(ready, _inputs(costs, slots, room, tile, where))
        else:
            ready = max(ready, now[_THIN])
        if where.kind != V:
            ready = max(ready, _space(costs, slots, room, group))
        end = _run(costs, room, tile, ready) + costs.handoff
        if where.kind == V:
            now[_THIN] = now[_SEEN]
        if where.last or not stay:
            _free(room, ring, count, end)
        shared = costs.order == ACTIVATION_STATIONARY and not where.last
        if where.kind != U and not slots.inputs_stay and not shared:
            _free(room, _INPUTS, slots.inputs, end)
    if where.done:
        ready = max(_space(costs, slots, room, group), now[_SEEN])
        height = min(choice.rows, work.m - where.row_block * choice.rows)
        tokens = min(choice.tokens, work.tokens - where.token_block * choice.tokens)
        _finish(costs, slots, room, ready, height * tokens)


@compiled
def _inputs(costs: Costs, slots: _Slots, room: Room, tile: Tile, where: Where) -> float:
    """When the inputs of a tile are there; loaded where they are not."""
    opened = room.rings[_INPUTS, room.places[_INPUTS] % slots.inputs]
    if slots.inputs_stay:
        together = where.token_block * (costs.order == WEIGHT_STATIONARY)
        chunk = (together, where.block)
        if room.chunks[chunk] < 0:
            room.chunks[chunk] = _load(costs, slots, room, opened, tile.input_bytes)
        return float(room.chunks[chunk])
    if where.first or costs.order != ACTIVATION_STATIONARY:
        room.now[_INPUTS_AT] = _load(costs, slots, room, opened, tile.input_bytes)
    return float(room.now[_INPUTS_AT])


@compiled
def _run(costs: Costs, room: Room, tile: Tile, ready: float) -> float:
    """Run both parts of a tile; the end of the later one."""
    now, end = room.now, 0.0
    if tile.denser > 0:
        now[_DENSER] = max(ready, now[_DENSER], now[_CROSSED]) + tile.denser
        end = now[_DENSER]
        seen = end + costs.handoff + costs.pipeline
        if tile.crossing > 0:
            now[_CROSSED] = now[_LINK]
            now[_LINK] = max(now[_LINK], seen) + tile.crossing
            seen = now[_LINK] + costs.handoff
        now[_SEEN] = max(now[_SEEN], seen)
    if tile.sparser > 0:
        now[_SPARSER] = max(ready, now[_SPARSER]) + tile.sparser
        end = max(end, now[_SPARSER])
        now[_SEEN] = max(now[_SEEN], now[_SPARSER] + costs.handoff + costs.pipeline)
    return end


@compiled
def _free(room: Room, ring: int, count: int, when: float) -> None:
    """Give back the slot taken last."""
    room.rings[ring, room.places[ring] % count] = when
    room.places[ring] += 1


@compiled
def _load(costs: Costs, slots: _Slots, room: Room, opened: float, size: float) -> float:
    """Arrival of a transfer that is asked for when its slot opens."""
    _write_back(costs, slots, room, max(room.now[_PORT], opened))
    _transfer(costs, room, opened, size)
    return float(room.now[_PORT] + costs.latency + costs.handoff)


@compiled
def _transfer(costs: Costs, room: Room, opened: float, size: float) -> None:
    moved = np.ceil(size / costs.stripe) * costs.stripe
    room.now[_PORT] = max(room.now[_PORT], opened) + moved * costs.cycles_per_byte
    room.now[_BYTES] += moved


@compiled
def _finish(costs: Costs, slots: _Slots, room: Room, ready: float, results: int) -> None:
    """Ask for the write-back of an output block."""
    if room.places[_ASKED] - room.places[_WRITTEN] == room.late.shape[1]:
        _write_back(costs, slots, room, room.late[0, room.places[_WRITTEN] % room.late.shape[1]])
    place = room.places[_ASKED] % room.late.shape[1]
    room.late[0, place] = ready
    room.late[1, place] = up(results * costs.activation_bits, 8)
    room.places[_ASKED] += 1


@compiled
def _write_back(costs: Costs, slots: _Slots, room: Room, until: float) -> None:
    """Write back what was ready by then; the last block of a slot gives it back."""
    while room.places[_WRITTEN] < room.places[_ASKED]:
        block = room.places[_WRITTEN]
        place = block % room.late.shape[1]
        if room.late[0, place] > until:
            break
        _transfer(costs, room, room.late[0, place], room.late[1, place])
        slot = block // slots.blocks_of_slot % slots.outputs
        room.rings[_OUTPUTS, slot] = room.now[_PORT] + costs.write_latency + costs.handoff
        room.places[_WRITTEN] += 1


@compiled
def _space(costs: Costs, slots: _Slots, room: Room, group: int) -> float:
    """When a group of output blocks has its slot: the one before it there is written."""
    if group < slots.outputs:
        return 0.0
    before = (group - slots.outputs + 1) * slots.blocks_of_slot
    while room.places[_WRITTEN] < min(before, room.places[_ASKED]):
        place = room.places[_WRITTEN] % room.late.shape[1]
        _write_back(costs, slots, room, room.late[0, place])
    return float(room.rings[_OUTPUTS, group % slots.outputs])
