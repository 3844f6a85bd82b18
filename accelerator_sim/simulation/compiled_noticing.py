"""To which cycle the compiled machine jumps: the next in which anybody notices what has happened.

Beside the kernel. An end, a hand-off or a result that frees no slot anybody waits for, completes
nothing and lets no engine start is looked at when the machine stops next.
"""

from accelerator_sim.simulation.compiled_state import Record, State
from accelerator_sim.simulation.conventions import DENSER, NEVER, SPARSER
from workloads.support.compiled import compiled


@compiled
def next_cycle(state: State, machine: Record) -> int:
    """The next cycle in which anybody would notice what has ended or arrived by then.

    Ends that nobody waits for are looked at later, with the cycle in which they were.
    """
    after: int = _noticed(state, machine, state.engines[SPARSER], SPARSER)
    after = min(after, machine.next_join)
    if machine.written < machine.granted:
        after = min(after, state.blocks[machine.written].seen_at)
    return after


@compiled
def noticed_there(state: State, machine: Record, denser: Record) -> int:
    """The same of the denser engine and its link, where it has anything to do."""
    after: int = _noticed(state, machine, denser, DENSER)
    if machine.crossed < machine.sent:
        after = min(after, state.crossings[machine.crossed & 1].seen_at)
    return after


@compiled
def _noticed(state: State, machine: Record, engine: Record, number: int) -> int:
    """When an engine may start, or when what it has done frees a slot or completes something."""
    after: int = engine.ready
    for entry in range(engine.finished, engine.issued):
        result = state.results[number, entry & (state.results.shape[1] - 1)]
        if _completes(state, result.tile, number):
            after = min(after, result.seen_at)
            break
    if engine.seen_at < NEVER and (
        machine.slots_wanted > 0 or _completes(state, engine.seen_tile, number)
    ):
        after = min(after, engine.seen_at)
    if engine.running:
        loaded = _loaded(state, number)
        if loaded <= engine.end:
            after = min(after, engine.end)
        else:
            after = min(after, loaded)
            if machine.slots_wanted > 0 or _completes(state, engine.tile, number):
                after = min(after, engine.end + state.settings.handoff)
    return after


@compiled
def _loaded(state: State, number: int) -> int:
    """When the next tile of an engine, of any stream, is there; NEVER as long as nobody knows."""
    loaded = NEVER
    for lane in range(2 * number, 2 * number + 2):
        queue = state.lanes[lane]
        if queue.next < queue.end:
            key = state.tiles[queue.next].input_key
            loaded = min(loaded, max(state.weights_at[queue.next], state.arrivals[key]))
    return loaded


@compiled
def _completes(state: State, tile: int, number: int) -> bool:
    """Whether the results of a part may complete something, or cross the link.

    Until the next start no more than ``parts_on_way`` can reach an output block or Vᵀx.
    """
    record = state.tiles[tile]
    if record.wide > 0 or (number == DENSER and record.link > 0):
        return True
    blocks = len(state.blocks)
    if record.target < blocks:
        left = state.blocks[record.target].pending
    else:
        left = state.tokens[record.target - blocks].thin_parts
    return bool(left <= state.settings.parts_on_way)
