"""The units of the machine: DRAM, link, loaders, outputs, engines. simpy owns the time.

Between ``program`` (what takes how long) and ``event`` (which wires the units and runs the
phases of a cycle). A unit schedules the end of an operation as one simpy timeout; at that end it
notes what has become visible and calls ``wake``, so that the phases of that cycle run once, after
all ends of the cycle. ``docs/event_model.md`` walks one tile through these units.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import simpy

from accelerator_sim.simulation.conventions import DENSER, ENGINES, NEVER, WAITS

WEIGHTS, ACTIVATIONS, FACTORS, WRITE_BACK = range(4)

Wake = Callable[[], None]
Observe = Callable[[str, int, float, float], None]
"""Told of every operation as it is scheduled: unit, tile (or target), start, cycles."""
_PORT_UNITS = ("dram weights", "dram activations", "dram factors", "dram write-back")


class Dram:
    """One FIFO port with an exact rate; latency is pipelined behind it."""

    def __init__(self, env: simpy.Environment, ticks_per_cycle: int, latency: int, handoff: int):
        self.observe: Observe | None = None
        self.last_arrival = 0
        self._env = env
        self._scale = ticks_per_cycle
        self._latency = latency
        self._handoff = handoff
        self._port_free = 0
        self.requests: list[tuple[int, int, int, int, Callable[[Any], None]]] = []

    def request(
        self,
        priority: int,
        stream: int,
        *,
        tag: int,
        ticks: int,
        arrived: Callable[[Any], None],
    ) -> None:
        """Queue a transfer for the grants of this cycle; ``arrived`` gets its tag as the value."""
        self.requests.append((priority, stream, tag, ticks, arrived))

    def grant(self) -> None:
        """Serve this cycle's requests: by class, then stream, then order within the stream."""
        now = int(self._env.now)
        self.requests.sort()
        for priority, _, tag, ticks, arrived in self.requests:
            start = max(self._port_free, now * self._scale)
            self._port_free = start + ticks
            if self.observe:
                scale = self._scale
                self.observe(_PORT_UNITS[priority], tag, start / scale, ticks / scale)
            self.last_arrival = -(-self._port_free // self._scale) + self._latency
            delay = self.last_arrival + self._handoff - now
            self._env.timeout(delay, tag).callbacks.append(arrived)
        self.requests.clear()


class Link:
    """The accumulation link: one transfer at a time, in the order of the denser engine."""

    def __init__(self, env: simpy.Environment, handoff: int, crossed: Callable[[int], None]):
        self.observe: Observe | None = None
        self.outstanding = 0
        self._env = env
        self._handoff = handoff
        self._crossed = crossed
        self._free = 0

    def send(self, cycles: int, target: int) -> None:
        """Send a tile's partial sums to the accumulators of an output block."""
        now = int(self._env.now)
        start = max(self._free, now)
        self._free = start + cycles
        if self.observe:
            self.observe("link", target, start, cycles)
        delay = self._free + self._handoff - now
        self._env.timeout(delay, target).callbacks.append(self._done)

    def _done(self, event: Any) -> None:
        self.outstanding -= 1
        self._crossed(event.value)


@dataclass
class Inputs:
    """Activations on chip: arrival times by key, and, when resident, who still needs them.

    Attributes:
        arrival: Cycle from which a chunk is visible; the last entry is for tiles without inputs.
        users: Tiles that still need the activations of each token block (of all tokens, in the
            first entry, when weights are stationary); empty unless resident.
        sharers: Tiles that still need what came at each arrival; empty if resident.
        slots: Slots of the activation buffer that one stream, or all when resident, may hold.
        requested: Chunks that are on chip or on their way; resident only.
        opened: Token blocks that have got a slot.
        closed: Token blocks that have given it back.
    """

    arrival: list[int]
    users: list[int]
    sharers: list[int]
    slots: int
    requested: set[int] = field(default_factory=set)
    opened: int = 0
    closed: int = 0

    def advance(self) -> None:
        """Give free slots to the next token blocks; one without users needs none."""
        while self.opened < len(self.users) and self.opened - self.closed < self.slots:
            self.closed += not self.users[self.opened]
            self.opened += 1

    def release(self, holder: int) -> None:
        """One tile of those that share a slot is done with its activations."""
        self.users[holder] -= 1
        self.closed += not self.users[holder]


@dataclass
class Tiles:
    """One stream as plain lists, for the units (see ``tables.StreamTable``).

    Attributes:
        priority: Class of the tile's weights at the DRAM.
        wide: Token block of a tile of U that V waits for; -1: none.
        follows: Whether the tile uses the weights of the tile before; at the end a 0.
        weight_ticks: Port time of the weights.
        input_ticks: Port time of the activations; 0: none, or those of a tile before.
        input_key: Entry of ``Inputs.arrival``; the last: no inputs.
        holder: Entry of ``Inputs.users``.
        output: Entry of ``Outputs.opened_at``.
        gate: Entry of the gate times: Vᵀx complete (U), or free again (V).
        target: Output block, or Vᵀx of a token block, that the tile adds to.
        parts: Engines that are not yet done with the tile.
        cycles: Cycles on the denser and on the sparser engine.
        link_cycles: Cycles on the link; 0: no transfer.
    """

    priority: list[int]
    wide: list[int]
    follows: list[int]
    weight_ticks: list[int]
    input_ticks: list[int]
    input_key: list[int]
    holder: list[int]
    output: list[int]
    gate: list[int]
    target: list[int]
    parts: list[int]
    cycles: tuple[list[int], list[int]]
    link_cycles: list[int]


class Loader:
    """Loads one stream in order: weights into a free slot, then activations.

    Tiles that use the same weights stand in a row, have parts on the same engines and so are done
    in order: the slot is free with the last of them.
    """

    def __init__(
        self, stream: int, tiles: Tiles, dram: Dram, slots: int, inputs: Inputs, wake: Wake
    ):
        self.weights_at = [NEVER] * len(tiles.parts)
        self._stream = stream
        self._tiles = tiles
        self._dram = dram
        self._slots = slots
        self._inputs = inputs
        self._wake = wake
        self._weights_next = 0
        self._inputs_next = 0
        self._weights_held = 0
        self._inputs_held = 0

    def advance(self) -> None:
        """Ask for what has a slot: weights tile by tile, activations no further than weights."""
        tiles, dram = self._tiles, self._dram
        while self._weights_next < len(tiles.parts) and self._weights_held < self._slots:
            tile = self._weights_next
            ticks = tiles.weight_ticks[tile]
            dram.request(
                tiles.priority[tile],
                self._stream,
                tag=tile,
                ticks=ticks,
                arrived=self._weights_arrived,
            )
            self._weights_next = self._after(tile)
            self._weights_held += 1
        while self._inputs_next < self._weights_next and self._ask_inputs(self._inputs_next):
            self._inputs_next += 1

    def _after(self, tile: int) -> int:
        """The next tile that does not use the weights of this one."""
        tile += 1
        while self._tiles.follows[tile]:
            tile += 1
        return tile

    def _ask_inputs(self, tile: int) -> bool:
        """Ask for a tile's activations; False if they have no slot yet."""
        tiles, inputs = self._tiles, self._inputs
        if not tiles.input_ticks[tile]:
            return True
        if inputs.users:
            if tiles.holder[tile] >= inputs.opened:
                return False
            if tiles.input_key[tile] in inputs.requested:
                return True
            inputs.requested.add(tiles.input_key[tile])
        elif self._inputs_held < inputs.slots:
            self._inputs_held += 1
        else:
            return False
        ticks = tiles.input_ticks[tile]
        self._dram.request(
            ACTIVATIONS, self._stream, tag=tile, ticks=ticks, arrived=self._inputs_arrived
        )
        return True

    def release(self, tile: int) -> None:
        """Both engines are done with a tile: slots that no other tile needs are free."""
        self._weights_held -= not self._tiles.follows[tile + 1]
        inputs, key = self._inputs, self._tiles.input_key[tile]
        if key == len(inputs.arrival) - 1:
            return
        if inputs.users:
            inputs.release(self._tiles.holder[tile])
        else:
            inputs.sharers[key] -= 1
            self._inputs_held -= not inputs.sharers[key]

    def _weights_arrived(self, event: Any) -> None:
        for tile in range(event.value, self._after(event.value)):
            self.weights_at[tile] = event.env.now
        self._wake()

    def _inputs_arrived(self, event: Any) -> None:
        self._inputs.arrival[self._tiles.input_key[event.value]] = event.env.now
        self._wake()


class Outputs:
    """Output blocks: room, parts still to come, write-back when the last has come."""

    def __init__(
        self,
        env: simpy.Environment,
        dram: Dram,
        slots: int,
        groups: list[list[int]],
        pending: list[int],
        ticks: list[int],
        wake: Wake,
    ):
        self.opened_at = [NEVER] * len(groups) + [0]
        self.written = 0
        self._env = env
        self._dram = dram
        self._slots = slots
        self._groups = groups
        self._pending = pending
        self._ticks = ticks
        self._wake = wake
        self._group_of = {block: g for g, blocks in enumerate(groups) for block in blocks}
        self._unwritten = [len(blocks) for blocks in groups]
        self._opened = 0
        self._closed = 0

    def advance(self) -> None:
        """Give free slots to the next output blocks; one that nothing adds to is complete."""
        while self._opened < len(self._groups) and self._opened - self._closed < self._slots:
            self.opened_at[self._opened] = int(self._env.now)
            for block in self._groups[self._opened]:
                if not self._pending[block]:
                    self._write_back(block)
            self._opened += 1

    def add(self, block: int) -> None:
        """A part of a block is in its accumulators; the last one starts the write-back."""
        self._pending[block] -= 1
        if not self._pending[block]:
            self._write_back(block)

    def _write_back(self, block: int) -> None:
        self._dram.request(
            WRITE_BACK, 0, tag=block, ticks=self._ticks[block], arrived=self._arrived
        )

    def _arrived(self, event: Any) -> None:
        self.written += 1
        group = self._group_of[event.value]
        self._unwritten[group] -= 1
        self._closed += not self._unwritten[group]
        self._wake()


class Engine:
    """One engine: runs its tiles in order, first lane first, and keeps its account."""

    def __init__(
        self,
        env: simpy.Environment,
        number: int,
        lanes: list[tuple[Tiles, Loader]],
        link: Link,
        ended: Callable[[int, int, int], None],
    ):
        self.observe: Observe | None = None
        self.busy = 0
        self.fill = 0
        self.waits = dict.fromkeys(WAITS, 0)
        self.last_end = 0
        self._env = env
        self._number = number
        self._link = link
        self._ended = ended
        self.running = False
        self._lanes = lanes
        self._queues = [
            [tile for tile, cycles in enumerate(tiles.cycles[number]) if cycles]
            for tiles, _ in lanes
        ]
        self._next = [0] * len(lanes)
        self._started = False

    def start(self, opened_at: list[int], arrival: list[int], *, gates: list[int]) -> None:
        """If idle, start the next tile once all that it needs is there; charge the wait before it.

        A wait is charged to what the first lane with tiles left was waiting for.
        """
        now = int(self._env.now)
        needs: tuple[int, int, int] | None = None
        for lane, queue in enumerate(self._queues):
            if self._next[lane] == len(queue):
                continue
            tile = queue[self._next[lane]]
            tiles, loader = self._lanes[lane]
            times = (
                opened_at[tiles.output[tile]],
                loader.weights_at[tile],
                arrival[tiles.input_key[tile]],
            )
            needs = needs or times
            if max(times) <= now and gates[tiles.gate[tile]] <= now and self._link_ready():
                self._run(lane, tile, needs, now)
                return

    def _link_ready(self) -> bool:
        """The denser engine may run ahead of the link by one tile."""
        return self._number != DENSER or self._link.outstanding < 2

    def _run(self, lane: int, tile: int, needs: tuple[int, int, int], now: int) -> None:
        if self._started:
            since = self.last_end
            for reason, met in zip(WAITS, (*needs, now), strict=True):
                until = min(max(met, since), now)
                self.waits[reason] += until - since
                since = until
        else:
            self._started = True
            self.fill = now
        self.running = True
        self._next[lane] += 1
        tiles = self._lanes[lane][0]
        cycles = tiles.cycles[self._number][tile]
        self.busy += cycles
        if self.observe:
            self.observe(f"{ENGINES[self._number]} {lane}", tile, now, cycles)
        self._env.timeout(cycles, (lane, tile)).callbacks.append(self._end)

    def _end(self, event: Any) -> None:
        self.running = False
        self.last_end = int(self._env.now)
        lane, tile = event.value
        if self._number == DENSER and self._lanes[lane][0].link_cycles[tile]:
            self._link.outstanding += 1
        self._ended(self._number, lane, tile)
