"""Loads and write-backs of the compiled machine: slots, credits, the port. Beside the kernel."""

from accelerator_sim.simulation.compiled_state import Record, Settings, State
from accelerator_sim.simulation.conventions import NEVER
from workloads.support.compiled import compiled

NO_SLOT, NOTHING, READY = 0, 1, 2
"""What a loader finds for a tile: no slot yet, nothing to load, or a request that can be raised."""


@compiled
def grant(settings: Settings, machine: Record, size: int, latency: int) -> int:
    """Serve one transfer of some bytes at the port; the cycle in which it is seen."""
    if machine.port_cycle < machine.now:
        machine.port_cycle = machine.now
        machine.port_ticks = 0
    machine.begun = machine.port_cycle
    size += settings.stripe_bytes - 1
    stripes = _quotient(size, settings.stripe_bytes, settings.bytes_to_stripes)
    ticks = stripes * settings.stripe_ticks
    cycles = _quotient(ticks, settings.scale, settings.ticks_to_cycles)
    machine.port_cycle += cycles
    machine.port_ticks += ticks - cycles * settings.scale
    if machine.port_ticks >= settings.scale:
        machine.port_ticks -= settings.scale
        machine.port_cycle += 1
    machine.last_arrival = machine.port_cycle + (machine.port_ticks > 0) + latency
    seen_at: int = machine.last_arrival + settings.handoff
    return seen_at


@compiled
def _quotient(value: int, divisor: int, inverse: float) -> int:
    """⌊value / divisor⌋: a product with the inverse, if the rest shows that it is right."""
    found = int(value * inverse)
    rest = value - found * divisor
    if 0 <= rest < divisor:
        return found
    return value // divisor


@compiled
def write_back(state: State, machine: Record) -> None:
    """Serve the write-back that has waited longest."""
    block = state.blocks[machine.granted]
    size = state.write_backs[block.queued]
    block.seen_at = grant(state.settings, machine, size, state.settings.write_latency)
    machine.granted += 1


@compiled
def load(state: State, machine: Record, stream: Record) -> None:
    """Load what has a slot: weights of S, then activations no further than weights, then factors.

    Only the main stream has tiles of S and activations, so both streams in turn keep the order of
    classes.
    """
    first = stream.weights_next
    while stream.weights_next < stream.end and stream.weights_held < stream.weight_slots:
        tile = stream.weights_next
        if state.tiles[tile].factor == 0:
            _load_weights(state, machine, tile)
        stream.weights_next += 1
        while state.tiles[stream.weights_next].follows > 0:
            stream.weights_next += 1
        stream.weights_held += 1
    while stream.inputs_next < stream.weights_next:
        if not _load_inputs(state, machine, stream, stream.inputs_next):
            break
        stream.inputs_next += 1
    for tile in range(first, stream.weights_next):
        if state.tiles[tile].follows > 0:
            state.weights_at[tile] = state.weights_at[tile - 1]
        elif state.tiles[tile].factor > 0:
            _load_weights(state, machine, tile)


@compiled
def _load_weights(state: State, machine: Record, tile: int) -> None:
    """Load a tile's weights."""
    size = state.tiles[tile].weights
    state.weights_at[tile] = grant(state.settings, machine, size, state.settings.latency)


@compiled
def _load_inputs(state: State, machine: Record, stream: Record, tile: int) -> bool:
    """Load a tile's activations; False if they have no slot yet."""
    wanted = _wants_inputs(state, machine, stream, tile)
    if wanted != READY:
        return wanted == NOTHING
    _raise_inputs(state, machine, stream, tile)
    return True


@compiled
def _wants_inputs(state: State, machine: Record, stream: Record, tile: int) -> int:
    """Whether a tile's activations are to be loaded and have a slot."""
    if state.tiles[tile].inputs == 0:
        return NOTHING
    if state.settings.resident > 0:
        if state.tiles[tile].holder >= machine.inputs_opened:
            return NO_SLOT
        return READY if state.arrivals[state.tiles[tile].input_key] == NEVER else NOTHING
    return READY if stream.inputs_held < state.settings.input_slots else NO_SLOT


@compiled
def _raise_inputs(state: State, machine: Record, stream: Record, tile: int) -> None:
    """Grant a tile's activations."""
    stream.inputs_held += state.settings.resident == 0
    size = state.tiles[tile].inputs
    seen_at = grant(state.settings, machine, size, state.settings.latency)
    state.arrivals[state.tiles[tile].input_key] = seen_at


@compiled
def join(state: State, machine: Record) -> None:
    """Let requests join the port's queue: write-backs, then the main stream, then U.

    Grants at the port are in the order of joining, so a request is granted as it joins.
    """
    if machine.next_join > machine.now and machine.granted == machine.requested:
        return
    if machine.joined_at != machine.now:  # a transfer of nothing may arrive within its cycle
        machine.joined_at = machine.now
        machine.left = state.settings.requests_per_cycle
    machine.next_join = NEVER
    machine.slots_wanted = 0
    while machine.granted < machine.requested and machine.left > 0:
        write_back(state, machine)
        machine.left -= 1
    for number in range(2):
        _join_stream(state, machine, number)
    if machine.granted < machine.requested:
        machine.next_join = machine.now + 1


@compiled
def _join_stream(state: State, machine: Record, number: int) -> None:
    """Raise a stream's requests while they have slots, credits and room."""
    stream, credits = state.streams[number], state.credits[number]
    outstanding, last = state.settings.outstanding, len(credits) - 1
    while _has_request(state, machine, stream):
        back_at = credits[(stream.raised - outstanding) & last]
        if back_at > machine.now:
            machine.next_join = min(machine.next_join, back_at)
            break
        if machine.left == 0:
            machine.next_join = min(machine.next_join, machine.now + 1)
            break
        _raise_next(state, machine, stream)
        if outstanding > 0:
            credits[stream.raised & last] = machine.begun + 1
        stream.raised += 1
        machine.left -= 1


@compiled
def _has_request(state: State, machine: Record, stream: Record) -> bool:
    """Move to the next tile that has something to load; whether it has a slot."""
    while stream.inputs_next < stream.end:
        tile = stream.inputs_next
        wanted = READY if stream.weights_held < stream.weight_slots else NO_SLOT
        if tile < stream.weights_next:
            wanted = _wants_inputs(state, machine, stream, tile)
        if wanted != NOTHING:
            machine.slots_wanted |= wanted == NO_SLOT
            return wanted == READY
        stream.inputs_next += 1
    return False


@compiled
def _raise_next(state: State, machine: Record, stream: Record) -> None:
    """Raise the weights of the next tile, or its inputs once its weights are raised."""
    tile = stream.inputs_next
    if tile < stream.weights_next:
        _raise_inputs(state, machine, stream, tile)
        stream.inputs_next += 1
        return
    _load_weights(state, machine, tile)
    stream.weights_held += 1
    stream.weights_next += 1
    while state.tiles[stream.weights_next].follows > 0:
        state.weights_at[stream.weights_next] = state.weights_at[tile]
        stream.weights_next += 1
