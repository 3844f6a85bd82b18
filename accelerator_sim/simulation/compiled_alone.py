"""The same machine where one engine has all tiles, of one stream: a kernel without events.

Beside ``compiled_kernel``, which runs everything else. Tiles then start, end and free their slots
in their own order, so each is walked once: what it waits for is granted first, in the order in
which requests join the port's queue. A request joins in a cycle that is known when it is looked
for: slots come from tiles that ended, credits and room from requests that joined, and no tile that
has not started can ask for anything before the loads that it waits for.
"""

from accelerator_sim.simulation.compiled_alone_state import Alone, alone_state
from accelerator_sim.simulation.compiled_loading import grant
from accelerator_sim.simulation.compiled_state import Record, Records, Settings
from accelerator_sim.simulation.conventions import (
    DENSER,
    NEVER,
    SPARSER,
    complete_gate,
    free_gate,
)
from accelerator_sim.simulation.tables import Tables
from workloads.support.compiled import compiled


def run_alone(tables: Tables, settings: Settings) -> tuple[Records, Records]:
    """Run a machine of which ``runs_alone`` is true.

    Returns:
        PORT and ENGINE at the end; ``granted`` are the output blocks that were written.
    """
    state = alone_state(tables, settings)
    _run(state, DENSER if settings.parts[DENSER] else SPARSER)
    return state.port, state.engine


@compiled
def _run(state: Alone, number: int) -> None:
    """Walk the tiles; what is not written at the end can never be."""
    port, engine, tiles = state.port[0], state.engine[0], state.tiles
    _begin(state, port)
    for tile in range(state.settings.tiles):
        key, output = tiles[tile].input_key, tiles[tile].output
        while (
            state.weights_at[tile] == NEVER
            or state.arrivals[key] == NEVER
            or state.opened_at[output] == NEVER
        ):
            if not _serve(state, port):
                return
        cycles = tiles[tile].denser if number == DENSER else tiles[tile].sparser
        _start(state, engine, tile)
        engine.busy += cycles
        engine.last_end += cycles
        _finish(state, port, tile, engine.last_end + state.settings.handoff)
    while port.granted < len(state.blocks) and _serve(state, port):
        pass


@compiled
def _begin(state: Alone, port: Record) -> None:
    """What a machine starts with otherwise than with zeros."""
    settings = state.settings
    state.weights_at[:] = NEVER
    state.arrivals[:] = NEVER
    state.arrivals[-1] = 0
    state.opened_at[:] = NEVER
    state.opened_at[-1] = 0
    state.unwritten[:] = settings.group_blocks
    port.outputs_opened = min(settings.output_slots, len(state.unwritten))
    state.opened_at[: port.outputs_opened] = 0
    port.joined_at = -1
    _open_inputs(state, port, 0)


@compiled
def _start(state: Alone, engine: Record, tile: int) -> None:
    """Let a tile start: ``last_end`` becomes that cycle. The wait is charged to what it was for."""
    since: int = engine.last_end
    until = max(state.opened_at[state.tiles[tile].output], since)
    loaded = max(state.weights_at[tile], until)
    fed = max(state.arrivals[state.tiles[tile].input_key], loaded)
    start = max(state.gates[state.tiles[tile].gate], fed)
    if engine.started == 0:
        engine.started = 1
        engine.fill = start
    else:
        engine.output_space += until - since
        engine.weights += loaded - until
        engine.activations += fed - loaded
        engine.accumulation += start - fed
    engine.last_end = start


@compiled
def _finish(state: Alone, port: Record, tile: int, freed_at: int) -> None:
    """A tile has ended: its slots are free, and its results there a pipeline later."""
    record, settings = state.tiles[tile], state.settings
    if state.tiles[tile + 1].follows == 0:
        state.weight_freed[port.weights_freed] = freed_at
        port.weights_freed += 1
    if record.input_key < len(state.arrivals) - 1:
        _free_inputs(state, port, tile, freed_at)
    there_at = freed_at + settings.pipeline
    if record.wide > 0:
        state.wide_parts[record.holder] -= 1
        if state.wide_parts[record.holder] == 0:
            state.gates[free_gate(record.holder + 1)] = there_at
    target = record.target
    if target < len(state.pending):
        state.pending[target] -= 1
        if state.pending[target] == 0:
            state.blocks[port.requested] = target
            state.complete_at[port.requested] = there_at
            port.requested += 1
    else:
        state.thin_parts[target - len(state.pending)] -= 1
        if state.thin_parts[target - len(state.pending)] == 0:
            state.gates[complete_gate(target - len(state.pending))] = there_at


@compiled
def _free_inputs(state: Alone, port: Record, tile: int, freed_at: int) -> None:
    """A tile needs its inputs no more."""
    record = state.tiles[tile]
    if state.settings.resident > 0:
        state.users[record.holder] -= 1
        if state.users[record.holder] == 0:
            port.inputs_closed += 1
            _open_inputs(state, port, freed_at)
        return
    if len(state.sharers) > 0:
        state.sharers[record.input_key] -= 1
        if state.sharers[record.input_key] > 0:
            return
    state.input_freed[port.inputs_freed] = freed_at
    port.inputs_freed += 1


@compiled
def _open_inputs(state: Alone, port: Record, now: int) -> None:
    """Give free slots to the next token blocks; one without users needs none."""
    slots = state.settings.input_slots
    while port.inputs_opened < len(state.users) and port.inputs_opened - port.inputs_closed < slots:
        state.inputs_open[port.inputs_opened] = now
        port.inputs_closed += state.users[port.inputs_opened] == 0
        port.inputs_opened += 1


@compiled
def _serve(state: Alone, port: Record) -> bool:
    """Grant what joins the queue next; False if nothing ever will."""
    if state.settings.one_by_one > 0:
        return _serve_one(state, port)
    load_at: int = min(_weights_slot(state, port), _inputs_slot(state, port))
    if port.granted < port.requested and state.complete_at[port.granted] < load_at:
        _write_back(state, port, state.complete_at[port.granted])
        return True
    if load_at == NEVER:
        return False
    _load_all(state, port, load_at)
    return True


@compiled
def _serve_one(state: Alone, port: Record) -> bool:
    """Likewise where requests join one by one: of a cycle's, write-backs come first."""
    slot_at: int = _inputs_slot(state, port)
    feeds = port.inputs_next < port.weights_next
    if not feeds:
        slot_at = _weights_slot(state, port)
    load_at: int = NEVER
    if slot_at < NEVER:
        back_at = state.credits[
            (port.raised - state.settings.outstanding) & (len(state.credits) - 1)
        ]
        load_at = _with_room(port, max(slot_at, back_at))
    if port.granted < port.requested:
        block_at: int = _with_room(port, state.complete_at[port.granted])
        if block_at <= load_at:
            _join(state, port, block_at)
            _write_back(state, port, block_at)
            return True
    if load_at == NEVER:
        return False
    _join(state, port, load_at)
    if feeds:
        _raise_inputs(state, port, load_at)
    else:
        _raise_weights(state, port, load_at)
    if state.settings.outstanding > 0:
        state.credits[port.raised & (len(state.credits) - 1)] = port.begun + 1
    port.raised += 1
    return True


@compiled
def _with_room(port: Record, wanted: int) -> int:
    """The first cycle from one on in which another request may join."""
    cycle: int = max(wanted, port.joined_at)
    if cycle == port.joined_at and port.left == 0:
        cycle += 1
    return cycle


@compiled
def _join(state: Alone, port: Record, cycle: int) -> None:
    """One more request of a cycle."""
    if cycle > port.joined_at:
        port.joined_at = cycle
        port.left = state.settings.requests_per_cycle
    port.left -= 1


@compiled
def _weights_slot(state: Alone, port: Record) -> int:
    """When the next weights have a slot; NEVER as long as nobody knows."""
    if port.weights_next == state.settings.tiles:
        return NEVER
    before = port.weights_raised - state.settings.weight_slots[0]
    if before < 0:
        return 0
    if before >= port.weights_freed:
        return NEVER
    slot_at: int = state.weight_freed[before]
    return slot_at


@compiled
def _inputs_slot(state: Alone, port: Record) -> int:
    """Move to the next tile that has inputs to load, no further than weights: when they have a
    slot; NEVER as long as nobody knows, or if there is none."""
    while port.inputs_next < port.weights_next:
        record = state.tiles[port.inputs_next]
        if record.inputs > 0:
            if state.settings.resident == 0:
                return _free_slot(state, port)
            if record.holder >= port.inputs_opened:
                return NEVER
            if state.arrivals[record.input_key] == NEVER:
                open_at: int = state.inputs_open[record.holder]
                return open_at
        port.inputs_next += 1
    return NEVER


@compiled
def _free_slot(state: Alone, port: Record) -> int:
    before = port.inputs_raised - state.settings.input_slots
    if before < 0:
        return 0
    if before >= port.inputs_freed:
        return NEVER
    slot_at: int = state.input_freed[before]
    return slot_at


@compiled
def _load_all(state: Alone, port: Record, now: int) -> None:
    """Load what has a slot: weights of S, activations no further than weights, then factors."""
    first = port.weights_next
    while _weights_slot(state, port) <= now:
        if state.tiles[port.weights_next].factor == 0:
            _load_weights(state, port, port.weights_next, now)
        _pass_weights(state, port)
    while _inputs_slot(state, port) <= now:
        _raise_inputs(state, port, now)
    for tile in range(first, port.weights_next):
        if state.tiles[tile].follows > 0:
            state.weights_at[tile] = state.weights_at[tile - 1]
        elif state.tiles[tile].factor > 0:
            _load_weights(state, port, tile, now)


@compiled
def _raise_weights(state: Alone, port: Record, now: int) -> None:
    """Grant the weights of the next tile; those that follow have them too."""
    tile = port.weights_next
    _load_weights(state, port, tile, now)
    _pass_weights(state, port)
    for follower in range(tile + 1, port.weights_next):
        state.weights_at[follower] = state.weights_at[tile]


@compiled
def _pass_weights(state: Alone, port: Record) -> None:
    """Move on to the next tile with weights of its own."""
    port.weights_raised += 1
    port.weights_next += 1
    while state.tiles[port.weights_next].follows > 0:
        port.weights_next += 1


@compiled
def _load_weights(state: Alone, port: Record, tile: int, now: int) -> None:
    port.now = now
    size = state.tiles[tile].weights
    state.weights_at[tile] = grant(state.settings, port, size, state.settings.latency)


@compiled
def _raise_inputs(state: Alone, port: Record, now: int) -> None:
    """Grant the inputs of the next tile."""
    port.now = now
    record = state.tiles[port.inputs_next]
    seen_at = grant(state.settings, port, record.inputs, state.settings.latency)
    state.arrivals[record.input_key] = seen_at
    port.inputs_raised += 1
    port.inputs_next += 1


@compiled
def _write_back(state: Alone, port: Record, now: int) -> None:
    """Grant the block that has waited longest: the last of a slot gives it to the next group."""
    port.now = now
    block = state.blocks[port.granted]
    seen_at = grant(state.settings, port, state.write_backs[block], state.settings.write_latency)
    port.granted += 1
    group = block // state.settings.group_blocks
    state.unwritten[group] -= 1
    if state.unwritten[group] == 0 and port.outputs_opened < len(state.unwritten):
        state.opened_at[port.outputs_opened] = seen_at
        port.outputs_opened += 1
