"""A run's timeline in Chrome's trace format, which Perfetto opens. Beside ``event``.

One process per run, one thread per unit, one more per engine for what it waits for, and counters:
bytes of weights on chip, and DRAM bytes a cycle. A cycle is shown as a microsecond.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.program import Program, S, Stream, V
from accelerator_sim.simulation.accounting import event_result
from accelerator_sim.simulation.conventions import ENGINES, WAITS
from accelerator_sim.simulation.event import Machine
from accelerator_sim.simulation.result import EventResult
from accelerator_sim.simulation.units import Engine
from workloads.support.errors import InputError

MAX_TILES = 200_000
_UNITS = (
    "denser engine",
    "sparser engine",
    "accumulation link",
    "DRAM weights",
    "DRAM activations",
    "DRAM factors",
    "DRAM write-back",
    "denser engine waits",
    "sparser engine waits",
)
_THREADS = {
    "denser 0": 0,
    "denser 1": 0,
    "sparser 0": 1,
    "sparser 1": 1,
    "link": 2,
    "dram weights": 3,
    "dram activations": 4,
    "dram factors": 5,
    "dram write-back": 6,
    "denser waits": 7,
    "sparser waits": 8,
}
_WINDOWS = 500
"""Windows over which the DRAM counter averages."""


@dataclass(frozen=True)
class Operation:
    """One operation of a unit.

    Attributes:
        unit: As ``units`` names it: ``dram weights``, ``link``, ``denser 0``; the number of an
            engine is the stream: 0 in turn, 1 for U beside S; or ``denser waits``.
        tile: Place in its stream; for write-back and link, the output block.
        start_cycle: A fraction at the DRAM, whose rate is exact.
        duration_cycles: Likewise.
        details: What it works on: rows, nonzeros, bytes; or the reason of a wait.
    """

    unit: str
    tile: int
    start_cycle: float
    duration_cycles: float
    details: Mapping[str, int | str] = field(default_factory=dict)


def run_traced(plan: Plan) -> tuple[EventResult, list[Operation]]:
    """Run a plan on the event model and keep every operation.

    Raises:
        InputError: The plan has too many tiles for a file that a browser opens.
    """
    check_traceable(plan)
    operations: list[Operation] = []
    machine = Machine(plan)
    denser, sparser = ENGINES
    waits = [_Waits(machine.denser, denser), _Waits(machine.sparser, sparser)]

    def keep(unit: str, tile: int, start: float, duration: float) -> None:
        for engine in waits:
            if unit.startswith(engine.name):
                operations.extend(engine.since_last(tile, start))
        details = _details(plan.program, unit, tile, duration)
        operations.append(Operation(unit, tile, start, duration, details))

    machine.observe(keep)
    machine.run()
    result = event_result(plan, machine.cycles, denser=machine.denser, sparser=machine.sparser)
    return result, operations


class _Waits:
    """What an engine has waited for since it was last asked: the growth of its own account."""

    def __init__(self, engine: Engine, name: str):
        self.name = name
        self._account = engine.waits
        self._before = dict(engine.waits)

    def since_last(self, tile: int, now: float) -> Iterator[Operation]:
        """The waits just before a tile starts, one reason behind the other as they are charged."""
        spent = {reason: self._account[reason] - self._before[reason] for reason in WAITS}
        self._before = dict(self._account)
        start = now - sum(spent.values())
        for reason, cycles in spent.items():
            if cycles:
                details: dict[str, int | str] = {
                    "reason": reason.replace("_", " "),
                    "before tile": tile,
                }
                yield Operation(f"{self.name} waits", tile, start, cycles, details)
            start += cycles


def _details(program: Program, unit: str, tile: int, duration: float) -> dict[str, int | str]:
    """Rows, nonzeros and bytes that an operation works on."""
    if unit.startswith("dram"):
        return {"bytes": round(duration * program.accelerator.bytes_per_cycle)}
    if unit == "link":
        return {"output block": tile}
    stream = program.main if unit.endswith("0") else program.factors
    return _tile_details(program, stream, tile)


def _tile_details(program: Program, stream: Stream, tile: int) -> dict[str, int | str]:
    tiled, kind = program.tiled, int(stream.kind[tile])
    row, column = int(stream.row_block[tile]), int(stream.column_block[tile])
    details: dict[str, int | str] = {
        "part": ("S", "V", "U")[kind],
        "row block": row,
        "column block": column,
        "token block": int(stream.token_block[tile]),
        "weight bytes": int(stream.weight_bytes[tile]),
    }
    if kind != V:
        details["rows"] = int(tiled.row_sizes[row])
    if kind == S:
        details["nonzeros"] = int(tiled.tile_nonzeros[row, column])
    return details


def chrome_trace(runs: Sequence[tuple[str, EventResult, Sequence[Operation]]]) -> dict[str, Any]:
    """Some runs as one trace, each a process.

    Args:
        runs: Name, result and operations of each.

    Returns:
        The object form of the format: ``traceEvents`` with complete events (``X``) and names
        (``M``), counters (``C``), and ``otherData`` that says what a microsecond is.
    """
    events: list[dict[str, Any]] = []
    for process, (name, result, operations) in enumerate(runs):
        events.append(_name("process_name", process, 0, f"{name}: {result.cycles} cycles"))
        for thread, unit in enumerate(_UNITS):
            events.append(_name("thread_name", process, thread, unit))
            order = _name("thread_sort_index", process, thread, "")
            events.append({**order, "args": {"sort_index": thread}})
        events += [_complete(process, operation) for operation in operations]
        events += [*_on_chip(process, operations), *_bandwidth(process, result, operations)]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"time": "one microsecond of this trace is one cycle of the machine"},
    }


def check_traceable(plan: Plan) -> None:
    """Refuse a plan whose timeline no browser opens.

    Raises:
        InputError: It has too many tiles.
    """
    tiles = sum(len(stream) for stream in plan.program.streams)
    if tiles > MAX_TILES:
        raise InputError(
            f"{plan.program.tiled.gemm.name}: {tiles} tiles are too many to trace, at most "
            f"{MAX_TILES}: use a larger tile (tile.rows, tile.columns) or fewer tokens"
        )


def _name(kind: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _complete(process: int, operation: Operation) -> dict[str, Any]:
    """One operation, its ends rounded to a thousandth, the finest that viewers keep."""
    start = round(operation.start_cycle, 3)
    end = round(operation.start_cycle + operation.duration_cycles, 3)
    unit = operation.unit.partition(" ")[0]
    kind = "block" if operation.unit in ("link", "dram write-back") else "tile"
    beside = "U " if operation.unit in ("denser 1", "sparser 1") else ""
    name = operation.details.get("reason", f"{beside}{kind} {operation.tile}")
    return {
        "ph": "X",
        "name": name,
        "cat": unit,
        "pid": process,
        "tid": _THREADS[operation.unit],
        "ts": start,
        "dur": round(end - start, 3),
        "args": dict(operation.details),
    }


def _counter(process: int, name: str, cycle: float, value: float) -> dict[str, Any]:
    return {
        "ph": "C",
        "name": name,
        "pid": process,
        "tid": 0,
        "ts": round(cycle, 3),
        "args": {"value": round(value, 3)},
    }


def _on_chip(process: int, operations: Sequence[Operation]) -> Iterator[dict[str, Any]]:
    """Bytes of weights between the start of their transfer and the end of their last use.

    Factors of a stream of their own are counted by their tiles, like all others.
    """
    steps: dict[float, int] = {}
    used: dict[tuple[str, int], tuple[float, int]] = {}
    for operation in operations:
        end = operation.start_cycle + operation.duration_cycles
        if operation.unit in ("dram weights", "dram factors"):
            size = int(operation.details["bytes"])
            steps[operation.start_cycle] = steps.get(operation.start_cycle, 0) + size
        elif operation.unit[:-2] in ENGINES:
            key = operation.unit[-1], operation.tile
            last, _ = used.get(key, (0.0, 0))
            used[key] = max(last, end), int(operation.details["weight bytes"])
    loaded = sum(steps.values())
    whole = sum(size for _, size in used.values()) or 1
    for end, size in used.values():
        steps[end] = steps.get(end, 0) - round(size * loaded / whole)
    held = 0
    for cycle in sorted(steps):
        held += steps[cycle]
        yield _counter(process, "weights on chip (bytes)", cycle, max(0, held))


def _bandwidth(
    process: int, result: EventResult, operations: Sequence[Operation]
) -> Iterator[dict[str, Any]]:
    """DRAM bytes a cycle, the mean over windows of equal length."""
    width = max(1, -(-result.cycles // _WINDOWS))
    moved: dict[int, float] = {}
    for operation in operations:
        if operation.unit.startswith("dram") and operation.duration_cycles:
            rate = int(operation.details["bytes"]) / operation.duration_cycles
            start, end = operation.start_cycle, operation.start_cycle + operation.duration_cycles
            for window in range(int(start // width), int(end // width) + 1):
                part = min(end, (window + 1) * width) - max(start, window * width)
                moved[window] = moved.get(window, 0.0) + max(0.0, part) * rate
    for window in range(-(-result.cycles // width)):
        yield _counter(
            process, "DRAM (bytes a cycle)", window * width, moved.get(window, 0.0) / width
        )
