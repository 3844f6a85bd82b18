"""Programs kept for machines to come: those that differ only behind the buffers share them.

Beside ``candidates``. Clock, DRAM, buffers, link and hand-offs have no say in what a tile costs, so
a sweep over them times the tiles once.
"""

from collections.abc import Callable, Hashable

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.program import Program
from workloads.support.kept import Kept

MAX_BYTES = 256 << 20


class KeptPrograms:
    """The programs used last.

    Args:
        max_bytes: Of all kept programs together; a tile takes about 130.
    """

    def __init__(self, max_bytes: int = MAX_BYTES):
        self._kept: Kept[Program] = Kept(max_bytes, lambda program: program.nbytes)

    def __len__(self) -> int:
        return len(self._kept)

    def get(
        self, key: Hashable, accelerator: Accelerator, *, build: Callable[[], Program]
    ) -> Program:
        """A program for a machine, built unless one like it is kept.

        Args:
            key: All that decides a program apart from the machine.
            accelerator: For which; only what times tiles distinguishes machines.
            build: Called if none is kept.
        """
        program = self._kept.get((key, _timing_fields(accelerator)), build)
        return program.on(accelerator)


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
        (accelerator.gather, accelerator.activation_banks, accelerator.activation_ports),
    )
