"""What loads tiles: the loader of each stream, its slots and credits, and the port's arbiter.

Between ``port`` and ``units``.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import simpy

from accelerator_sim.simulation.conventions import NEVER
from accelerator_sim.simulation.port import ACTIVATIONS, Dram, Request, Wake


@dataclass
class Tiles:
    """One stream as plain lists, for the units (see ``tables.TILE``), times in port ticks.

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
        while self._weights_next < len(self._tiles.parts) and self._weights_held < self._slots:
            self._dram.requests.append(self._ask_weights())
        while self._inputs_next < self._weights_next:
            wanted = self._wants_inputs(self._inputs_next)
            if wanted is None:
                return
            if wanted:
                self._dram.requests.append(self._ask_inputs(self._inputs_next))
            self._inputs_next += 1

    def has_request(self) -> bool:
        """Whether the next request in tile order, weights before inputs, has a slot."""
        while self._inputs_next < len(self._tiles.parts):
            if self._inputs_next == self._weights_next:
                return self._weights_held < self._slots
            wanted = self._wants_inputs(self._inputs_next)
            if wanted is None:
                return False
            if wanted:
                return True
            self._inputs_next += 1
        return False

    def next_request(self) -> Request:
        """Raise the request that ``has_request`` found."""
        if self._inputs_next == self._weights_next:
            return self._ask_weights()
        self._inputs_next += 1
        return self._ask_inputs(self._inputs_next - 1)

    def _ask_weights(self) -> Request:
        tile, tiles = self._weights_next, self._tiles
        self._weights_next = self._after(tile)
        self._weights_held += 1
        ticks = tiles.weight_ticks[tile]
        return (tiles.priority[tile], self._stream, tile, ticks, self._weights_arrived)

    def _after(self, tile: int) -> int:
        """The next tile that does not use the weights of this one."""
        tile += 1
        while self._tiles.follows[tile]:
            tile += 1
        return tile

    def _wants_inputs(self, tile: int) -> bool | None:
        """Whether a tile's activations are to be loaded; None if they have no slot yet."""
        tiles, inputs = self._tiles, self._inputs
        if not tiles.input_ticks[tile]:
            return False
        if inputs.users:
            opened = tiles.holder[tile] < inputs.opened
            return tiles.input_key[tile] not in inputs.requested if opened else None
        return True if self._inputs_held < inputs.slots else None

    def _ask_inputs(self, tile: int) -> Request:
        self._inputs_held += not self._inputs.users
        self._inputs.requested.add(self._tiles.input_key[tile])
        ticks = self._tiles.input_ticks[tile]
        return (ACTIVATIONS, self._stream, tile, ticks, self._inputs_arrived)

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


class Arbiter:
    """Lets a few requests a cycle join the port's queue: write-backs, the main stream, then U.

    A credit of a stream is back in the cycle after the one in which its transfer begins.
    """

    def __init__(
        self,
        env: simpy.Environment,
        dram: Dram,
        loaders: list[Loader],
        limits: tuple[int, int],
        wake: Wake,
    ):
        self._env = env
        self._dram = dram
        self._loaders = loaders
        self._per_cycle, self._credits = limits
        self._wake = wake
        self._write_backs: deque[Request] = deque()
        self._outstanding = [0] * len(loaders)
        self._cycle, self._left = -1, 0

    def advance(self) -> None:
        """Let this cycle's requests join; what is left over is looked at in the next cycle."""
        self._write_backs.extend(sorted(self._dram.requests))
        self._dram.requests.clear()
        if self._cycle < self._env.now:  # a transfer of nothing may arrive within its cycle
            self._cycle, self._left = int(self._env.now), self._per_cycle
        while self._left and self._write_backs:
            self._dram.serve(self._write_backs.popleft())
            self._left -= 1
        more = bool(self._write_backs)
        for stream, loader in enumerate(self._loaders):
            while loader.has_request() and self._outstanding[stream] < self._credits:
                if not self._left:
                    more = True
                    break
                self._raise(stream, loader)
                self._left -= 1
        if more:
            self._env.timeout(1).callbacks.append(lambda _: self._wake())

    def _raise(self, stream: int, loader: Loader) -> None:
        begun = self._dram.serve(loader.next_request())
        if self._credits < NEVER:
            self._outstanding[stream] += 1
            delay = begun + 1 - int(self._env.now)
            self._env.timeout(delay, stream).callbacks.append(self._credit_back)

    def _credit_back(self, event: Any) -> None:
        self._outstanding[event.value] -= 1
        self._wake()
