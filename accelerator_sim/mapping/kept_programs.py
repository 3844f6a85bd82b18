"""Programs kept for machines to come: those that differ only behind the buffers share them.

Beside ``candidates``. Clock, DRAM, buffers, link and hand-offs have no say in what a tile costs, so
a sweep over them times the tiles once.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Hashable

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.program import Program


class KeptPrograms:
    """The programs used last, up to a number of tiles.

    Args:
        max_tiles: Tiles of all kept programs together; one takes about 100 bytes.
    """

    def __init__(self, max_tiles: int = 1_000_000):
        self._max_tiles = max_tiles
        self._tiles = 0
        self._kept: OrderedDict[Hashable, Program] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, accelerator: Accelerator, build: Callable[[], Program]) -> Program:
        """A program for a machine, built unless one like it is kept.

        Args:
            key: All that decides a program apart from the machine.
            accelerator: The machine.
            build: Called if none is kept.
        """
        whole = (key, _timing_fields(accelerator))
        if whole in self._kept:
            self._kept.move_to_end(whole)
        else:
            self._kept[whole] = build()
            self._tiles += _tiles(self._kept[whole])
            while self._tiles > self._max_tiles and len(self._kept) > 1:
                self._tiles -= _tiles(self._kept.popitem(last=False)[1])
        return dataclasses.replace(self._kept[whole], accelerator=accelerator)


def _timing_fields(accelerator: Accelerator) -> Hashable:
    """What of a machine decides tiles, their order, bytes and cycles."""
    return (
        accelerator.lines,
        accelerator.macs_per_line,
        accelerator.denser_lines,
        accelerator.dense_threshold,
        accelerator.row_assignment,
        accelerator.schedule,
        accelerator.loop_order,
        accelerator.bits,
        accelerator.index,
    )


def _tiles(program: Program) -> int:
    return sum(len(stream) for stream in program.streams)
