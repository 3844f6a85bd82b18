"""The units of the machine that compute and keep results: outputs, engines. simpy owns the time.

With ``port`` and ``loading`` between ``program`` (what takes how long) and ``event`` (which wires
the units and runs the phases of a cycle). A unit schedules the end of an operation as one simpy
timeout; at that end it notes what has become visible and calls ``wake``, so that the phases of that
cycle run once, after all ends of the cycle. ``docs/event_model.md`` walks one tile through them.
"""

from collections.abc import Callable
from typing import Any

import simpy

from accelerator_sim.simulation.conventions import DENSER, ENGINES, NEVER, WAITS
from accelerator_sim.simulation.loading import Loader, Tiles
from accelerator_sim.simulation.port import WRITE_BACK, Dram, Link, Observe, Wake


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
