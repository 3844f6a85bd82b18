"""What loads tiles: the loader of each stream, its slots and credits, and the port's arbiter.

Between ``port`` and ``units``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import simpy

from accelerator_sim.simulation.conventions import NEVER
from accelerator_sim.simulation.port import ACTIVATIONS, Dram, Wake


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
