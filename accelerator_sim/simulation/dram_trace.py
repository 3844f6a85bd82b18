"""The DRAM requests of a run for cycle-level DRAM simulators. Beside ``trace``.

Every transfer that the event model grants is cut into bursts, each at an address: operands lie in
regions of their own, tiles one behind the other in the order of their first transfer, so that what
is fetched again has the address that it had. ``docs/dram.md`` says how to use the files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.program import Program
from accelerator_sim.simulation.trace import Operation

REGION_BYTES = 2**30
"""Distance of the operands' regions."""
_REGIONS = ("dram weights", "dram factors", "dram activations", "dram write-back")
_CHANNEL_BYTES = 8  # a channel of 64 bits, JESD79-4
_BEATS_PER_CLOCK = 2


@dataclass(frozen=True)
class Request:
    """One burst.

    Attributes:
        cycle: Of the memory's clock, in which its transfer begins at the port.
        address: In bytes.
        write: Whether it is written.
    """

    cycle: int
    address: int
    write: bool


def memory_clock_hz(accelerator: Accelerator) -> float:
    """Clock of a 64-bit channel that moves two beats a cycle at the machine's peak rate."""
    channel = accelerator.dram.bytes_per_second / accelerator.dram.channels
    return channel / (_CHANNEL_BYTES * _BEATS_PER_CLOCK)


def dram_requests(plan: Plan, operations: Sequence[Operation]) -> Iterator[Request]:
    """The bursts of a run, in the order in which they were granted.

    A transfer has the bursts that its time at the port is worth: whole stripes over the channels.

    Args:
        plan: That was run.
        operations: From ``trace.run_traced``.
    """
    accelerator = plan.program.accelerator
    burst, rate = accelerator.dram.burst_bytes, accelerator.bytes_per_cycle
    clocks = memory_clock_hz(accelerator) / accelerator.clock_hz
    space = _AddressSpace(plan.program)
    for operation in operations:
        if operation.unit not in _REGIONS:
            continue
        bursts = round(operation.duration_cycles * rate / burst)
        address = space.address(operation, bursts * burst)
        write = operation.unit == "dram write-back"
        for index in range(bursts):
            yield Request(int(operation.start_cycle * clocks), address + index * burst, write)


def dramsim3_lines(requests: Sequence[Request]) -> Iterator[str]:
    """Lines of a DRAMsim3 trace: address, READ or WRITE, cycle."""
    for request in requests:
        kind = "WRITE" if request.write else "READ"
        yield f"0x{request.address:x} {kind} {request.cycle}\n"


def ramulator_lines(requests: Sequence[Request]) -> Iterator[str]:
    """Lines of a load-store trace of Ramulator 2: LD or ST, address; it has no times."""
    for request in requests:
        yield f"{'ST' if request.write else 'LD'} 0x{request.address:x}\n"


class _AddressSpace:
    """Where operands lie: each piece behind the one before, in its operand's region."""

    def __init__(self, program: Program):
        self._program = program
        self._places: dict[tuple[str, tuple[int, ...]], int] = {}
        self._ends = {unit: index * REGION_BYTES for index, unit in enumerate(_REGIONS)}
        self._seen: set[int] = set()

    def address(self, operation: Operation, size: int) -> int:
        """Of a transfer: that of its piece, placed when it is first moved."""
        key = (operation.unit, self._piece(operation))
        if key not in self._places:
            self._places[key] = self._ends[operation.unit]
            self._ends[operation.unit] += size
        return self._places[key]

    def _piece(self, operation: Operation) -> tuple[int, ...]:
        """What of its operand a transfer moves, the same whenever it is moved again."""
        main, tile = self._program.main, operation.tile
        if operation.unit == "dram write-back":
            return (tile,)
        if operation.unit == "dram activations":
            return int(main.token_block[tile]), int(main.column_block[tile])
        stream = main
        if operation.unit == "dram factors" and len(self._program.factors):
            beside = tile in self._seen or tile >= len(main) or not main.kind[tile]
            self._seen.add(tile)
            stream = self._program.factors if beside else main
        return (
            int(stream.kind[tile]),
            int(stream.row_block[tile]),
            int(stream.column_block[tile]),
        )
