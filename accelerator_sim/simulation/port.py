"""The DRAM port and the accumulation link, on simpy. Beside ``units``."""

from collections.abc import Callable
from typing import Any

import simpy

WEIGHTS, ACTIVATIONS, FACTORS, WRITE_BACK = range(4)

Wake = Callable[[], None]
Observe = Callable[[str, int, float, float], None]
"""Told of every operation as it is scheduled: unit, tile (or target), start, cycles."""
Request = tuple[int, int, int, int, Callable[[Any], None]]
"""Class, stream, tile or block, ticks, and what is told of the arrival."""
_PORT_UNITS = ("dram weights", "dram activations", "dram factors", "dram write-back")


class Dram:
    """One FIFO port with an exact rate; latency is pipelined behind it."""

    def __init__(
        self, env: simpy.Environment, ticks_per_cycle: int, latencies: tuple[int, int], handoff: int
    ):
        self.observe: Observe | None = None
        self.last_arrival = 0
        self._env = env
        self._scale = ticks_per_cycle
        self._read_latency, self._write_latency = latencies
        self._handoff = handoff
        self._port_free = 0
        self.requests: list[Request] = []

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
        for request in sorted(self.requests):
            self.serve(request)
        self.requests.clear()

    def serve(self, request: Request) -> int:
        """Let a transfer follow those at the port; the cycle in which it begins."""
        now = int(self._env.now)
        priority, _, tag, ticks, arrived = request
        start = max(self._port_free, now * self._scale)
        self._port_free = start + ticks
        if self.observe:
            scale = self._scale
            self.observe(_PORT_UNITS[priority], tag, start / scale, ticks / scale)
        latency = self._write_latency if priority == WRITE_BACK else self._read_latency
        self.last_arrival = -(-self._port_free // self._scale) + latency
        delay = self.last_arrival + self._handoff - now
        self._env.timeout(delay, tag).callbacks.append(arrived)
        return start // self._scale


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
