"""The units of the machine as compiled functions over records. numba, no Python objects.

The same rules as ``units`` and ``event``; ``compiled`` fills the records. Time
jumps from one cycle in which an end or an arrival is noticed to the next. What arrives later is
known when it is granted, so only a waiting engine looks at arrivals. Grants of loads come before
the starts of their cycle: every transfer arrives in a later cycle, so that changes nothing.

Port time is a pair, whole cycles and ticks of the next, so that it stays exact. Durations stand in
``tables``, which machines share: what a run counts down or fills in is beside them.
"""

from accelerator_sim.simulation.compiled_loading import join, load, write_back
from accelerator_sim.simulation.compiled_noticing import next_cycle, noticed_there
from accelerator_sim.simulation.compiled_state import Record, State
from accelerator_sim.simulation.conventions import (
    DENSER,
    NEVER,
    SPARSER,
    complete_gate,
    free_gate,
)
from workloads.support.compiled import compiled


@compiled
def run(state: State) -> None:
    """Run until nothing is left to happen."""
    machine = state.machine[0]
    denser, sparser = state.engines[DENSER], state.engines[SPARSER]
    one_by_one = state.settings.one_by_one > 0
    both = state.settings.parts[DENSER] > 0
    _begin(state, machine)
    while machine.now < NEVER:
        machine.fresh = machine.requested
        if both:
            _ends(state, machine, denser, DENSER)
        _ends(state, machine, sparser, SPARSER)
        if both:
            _crossings(state, machine)
        _write_backs(state, machine)
        if machine.freed:
            machine.freed = 0
            _advance_outputs(state, machine)
            _advance_inputs(state, machine)
            if one_by_one:
                machine.next_join = machine.now
            else:
                _load_all(state, machine)
        if one_by_one:
            join(state, machine)
        if both:
            _start(state, machine, denser, DENSER)
        _start(state, machine, sparser, SPARSER)
        while not one_by_one and machine.granted < machine.requested:
            write_back(state, machine)
        machine.now = next_cycle(state, machine)
        if both:
            machine.now = min(machine.now, noticed_there(state, machine, denser))


@compiled
def _load_all(state: State, machine: Record) -> None:
    """Load what has a slot; what is left wants one."""
    machine.slots_wanted = 0
    for number in range(2):
        load(state, machine, state.streams[number])
        if state.streams[number].inputs_next < state.streams[number].end:
            machine.slots_wanted = 1


@compiled
def _begin(state: State, machine: Record) -> None:
    """What a machine starts with otherwise than with zeros."""
    settings = state.settings
    machine.freed = 1
    machine.next_join = NEVER
    machine.joined_at = -1
    state.weights_at[:] = NEVER
    state.arrivals[:] = NEVER
    state.arrivals[-1] = 0
    for group in range(len(state.groups) - 1):
        state.groups[group].opened_at = NEVER
        state.groups[group].unwritten = settings.group_blocks
    for number in range(2):
        stream, engine = state.streams[number], state.engines[number]
        first, end = (0, settings.main) if number == 0 else (settings.main, settings.tiles)
        stream.weights_next = stream.inputs_next = first
        stream.end = end
        stream.weight_slots = settings.weight_slots[number]
        engine.end = engine.seen_at = engine.ready = NEVER
        engine.left = settings.parts[number]
        for lane in range(number, 4, 2):
            state.lanes[lane].next, state.lanes[lane].end = first, end
            _skip_to_part(state, state.lanes[lane], lane // 2)


@compiled
def _ends(state: State, machine: Record, engine: Record, number: int) -> None:
    """The end of an engine's part, and what is seen of those before."""
    if engine.seen_at <= machine.now:
        _hand_off(state, machine, engine, number)
    if engine.end <= machine.now:
        tile = engine.tile
        if number == DENSER and state.tiles[tile].link > 0:
            machine.outstanding += 1
        engine.running = 0
        engine.last_end = engine.end
        engine.seen_tile = tile
        engine.seen_at = engine.end + state.settings.handoff
        engine.end = NEVER
        if engine.seen_at <= machine.now:
            _hand_off(state, machine, engine, number)
    while engine.finished < engine.issued:
        result = state.results[number, engine.finished & (state.results.shape[1] - 1)]
        if result.seen_at > machine.now:
            break
        engine.finished += 1
        _results(state, machine, result.tile, number)


@compiled
def _hand_off(state: State, machine: Record, engine: Record, number: int) -> None:
    """A part of a tile is seen to have issued: slots; its results are there a pipeline later."""
    tile = engine.seen_tile
    if state.tiles[tile].parts == 1 or state.halves[tile] > 0:
        _release(state, machine, tile)
    else:
        state.halves[tile] = 1
    result = state.results[number, engine.issued & (state.results.shape[1] - 1)]
    result.seen_at = engine.seen_at + state.settings.pipeline
    result.tile = tile
    engine.issued += 1
    engine.seen_at = NEVER


@compiled
def _results(state: State, machine: Record, tile: int, number: int) -> None:
    """The results of a part of a tile are there: gates, link and accumulators."""
    if state.tiles[tile].wide > 0:
        token_block = state.tiles[tile].holder
        state.tokens[token_block].wide_parts -= 1
        if state.tokens[token_block].wide_parts == 0:
            state.gates[free_gate(token_block + 1)] = machine.now
    if number == DENSER and state.tiles[tile].link > 0:
        width = state.settings.link_width
        cycles = (state.tiles[tile].link + width - 1) // width
        machine.link_free = max(machine.link_free, machine.now) + cycles
        crossing = state.crossings[machine.sent & 1]
        crossing.seen_at = machine.link_free + state.settings.handoff
        crossing.target = state.tiles[tile].target
        machine.sent += 1
    else:
        _credit(state, machine, state.tiles[tile].target)


@compiled
def _release(state: State, machine: Record, tile: int) -> None:
    """Both engines are done with a tile: slots that no other tile needs are free.

    Of tiles with the same weights the last is done last (``Loader``).
    """
    machine.freed = 1
    stream = state.streams[1 if tile >= state.streams[0].end else 0]
    stream.weights_held -= 1 - state.tiles[tile + 1].follows
    key = state.tiles[tile].input_key
    if key < len(state.arrivals) - 1:
        if state.settings.resident > 0:
            tokens = state.tokens[state.tiles[tile].holder]
            tokens.users -= 1
            machine.inputs_closed += tokens.users == 0
        elif len(state.sharers) > 0:
            state.sharers[key] -= 1
            stream.inputs_held -= state.sharers[key] == 0
        else:
            stream.inputs_held -= 1


@compiled
def _credit(state: State, machine: Record, target: int) -> None:
    """A part has reached the accumulators of an output block or of Vᵀx."""
    if target < len(state.blocks):
        state.blocks[target].pending -= 1
        if state.blocks[target].pending == 0:
            _request_write_back(state, machine, target)
    else:
        token_block = target - len(state.blocks)
        state.tokens[token_block].thin_parts -= 1
        if state.tokens[token_block].thin_parts == 0:
            state.gates[complete_gate(token_block)] = machine.now


@compiled
def _request_write_back(state: State, machine: Record, block: int) -> None:
    """Queue a write-back, in the order of the blocks within one cycle."""
    slot = machine.requested
    while slot > machine.fresh and state.blocks[slot - 1].queued > block:
        state.blocks[slot].queued = state.blocks[slot - 1].queued
        slot -= 1
    state.blocks[slot].queued = block
    machine.requested += 1


@compiled
def _crossings(state: State, machine: Record) -> None:
    """Partial sums that are seen to have crossed the link."""
    while machine.crossed < machine.sent:
        crossing = state.crossings[machine.crossed & 1]
        if crossing.seen_at > machine.now:
            break
        machine.crossed += 1
        machine.outstanding -= 1
        _credit(state, machine, crossing.target)


@compiled
def _write_backs(state: State, machine: Record) -> None:
    """Output blocks that are seen to be in DRAM: the last of a slot frees it."""
    while machine.written < machine.granted:
        block = state.blocks[machine.written]
        if block.seen_at > machine.now:
            break
        machine.written += 1
        machine.freed = 1
        group = state.groups[block.queued // state.settings.group_blocks]
        group.unwritten -= 1
        machine.outputs_closed += group.unwritten == 0


@compiled
def _advance_outputs(state: State, machine: Record) -> None:
    """Give free slots to the next output blocks; one that nothing adds to is complete."""
    groups = len(state.groups) - 1
    while (
        machine.outputs_opened < groups
        and machine.outputs_opened - machine.outputs_closed < state.settings.output_slots
    ):
        state.groups[machine.outputs_opened].opened_at = machine.now
        first = machine.outputs_opened * state.settings.group_blocks
        for block in range(first, first + state.settings.group_blocks):
            if state.blocks[block].pending == 0:
                _request_write_back(state, machine, block)
        machine.outputs_opened += 1


@compiled
def _advance_inputs(state: State, machine: Record) -> None:
    """Give free slots to the next token blocks; one without users needs none."""
    if state.settings.resident == 0:
        return
    while (
        machine.inputs_opened < len(state.tokens)
        and machine.inputs_opened - machine.inputs_closed < state.settings.input_slots
    ):
        machine.inputs_closed += state.tokens[machine.inputs_opened].users == 0
        machine.inputs_opened += 1


@compiled
def _start(state: State, machine: Record, engine: Record, number: int) -> None:
    """Start an idle engine's next tile once all that it needs is there, main stream first."""
    if engine.running or engine.left == 0:
        return
    now, charged = machine.now, -1
    engine.ready = NEVER
    for lane in range(2 * number, 2 * number + 2):
        queue = state.lanes[lane]
        if queue.next == queue.end:
            continue
        if charged < 0:
            charged = queue.next
        tile = queue.next
        loaded = max(state.weights_at[tile], state.arrivals[state.tiles[tile].input_key])
        if loaded > now:
            engine.ready = min(engine.ready, loaded)
        elif (
            state.groups[state.tiles[tile].output].opened_at <= now
            and state.gates[state.tiles[tile].gate] <= now
            and (number == SPARSER or machine.outstanding < 2)
        ):
            _charge(state, machine, engine, charged)
            _run_next(state, machine, engine, queue, number)
            return


@compiled
def _charge(state: State, machine: Record, engine: Record, tile: int) -> None:
    """Account for the wait before a start, by what ``tile`` was waiting for."""
    now = machine.now
    if engine.started == 0:
        engine.started = 1
        engine.fill = now
        return
    since = engine.last_end
    until = min(max(state.groups[state.tiles[tile].output].opened_at, since), now)
    engine.output_space += until - since
    since = until
    until = min(max(state.weights_at[tile], since), now)
    engine.weights += until - since
    since = until
    until = min(max(state.arrivals[state.tiles[tile].input_key], since), now)
    engine.activations += until - since
    engine.accumulation += now - until


@compiled
def _run_next(state: State, machine: Record, engine: Record, queue: Record, number: int) -> None:
    """Run the next tile of a queue, and find the queue's next one."""
    tile = queue.next
    cycles = state.tiles[tile].denser if number == DENSER else state.tiles[tile].sparser
    engine.running = 1
    engine.left -= 1
    engine.tile = queue.next
    engine.end = machine.now + cycles
    engine.ready = NEVER
    engine.busy += cycles
    queue.next += 1
    _skip_to_part(state, queue, number)


@compiled
def _skip_to_part(state: State, queue: Record, number: int) -> None:
    """Move a queue on to the next tile with a part on its engine."""
    while queue.next < queue.end:
        tile = queue.next
        if (state.tiles[tile].denser if number == DENSER else state.tiles[tile].sparser) > 0:
            return
        queue.next += 1
