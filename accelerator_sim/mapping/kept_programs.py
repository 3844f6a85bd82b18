"""Programs kept for machines to come: those that differ only behind the buffers share them.

Beside ``planning``. Clock, DRAM, buffers, link and hand-offs have no say in what a tile costs, so
a sweep over them times the tiles once.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Hashable

from accelerator_sim.machine.hardware import Accelerator, TileChoice
from accelerator_sim.mapping.program import Program

_SHARED = {
    "name": "",
    "description": "",
    "clock_hz": 1,
    "link_elements_per_cycle": 1,
    "handoff_cycles": 0,
    "tile": TileChoice(),
}
_SHARED_FROM = ("weight_buffer", "activation_buffer", "output_buffer", "dram")


class KeptPrograms:
    """The programs used last, up to a number of tiles.

    Args:
        first: Some machine; its buffers and DRAM stand for those of all.
        most_tiles: Tiles of all kept programs together; one takes about 100 bytes.
    """

    def __init__(self, first: Accelerator, most_tiles: int = 1_000_000):
        self._common = {**_SHARED, **{name: getattr(first, name) for name in _SHARED_FROM}}
        self._most_tiles = most_tiles
        self._tiles = 0
        self._kept: OrderedDict[Hashable, Program] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(
        self, key: Hashable, accelerator: Accelerator, build: Callable[[Accelerator], Program]
    ) -> Program:
        """A program for a machine, built unless one like it is kept.

        Args:
            key: All that decides a program apart from the machine.
            accelerator: The machine.
            build: Called with a machine that has only what decides a program.
        """
        common = dataclasses.replace(accelerator, **self._common)
        place = (key, common)
        if place in self._kept:
            self._kept.move_to_end(place)
        else:
            self._kept[place] = build(common)
            self._tiles += _tiles(self._kept[place])
            while self._tiles > self._most_tiles and len(self._kept) > 1:
                self._tiles -= _tiles(self._kept.popitem(last=False)[1])
        return dataclasses.replace(self._kept[place], accelerator=accelerator)


def _tiles(program: Program) -> int:
    return sum(len(stream) for stream in program.streams)
