"""A run's timeline in Chrome's trace format, which Perfetto opens. Beside ``event``.

One process per run, one thread per unit. A cycle is shown as a microsecond.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan, plan_dense, plan_projection
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.result import EventResult
from workloads.masks.packed import SparseLowRankGemm
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
}


@dataclass(frozen=True)
class Operation:
    """One operation of a unit.

    Attributes:
        unit: As ``units`` names it: ``dram weights``, ``link``, ``denser 0``; the number of an
            engine is the stream: 0 in turn, 1 for U beside S.
        tile: Place in its stream; for write-back and link, the output block.
        start_cycle: A fraction at the DRAM, whose rate is exact.
        duration_cycles: Likewise.
    """

    unit: str
    tile: int
    start_cycle: float
    duration_cycles: float


def run_traced(plan: Plan) -> tuple[EventResult, list[Operation]]:
    """Run a plan on the event model and keep every operation.

    Raises:
        InputError: The plan has too many tiles for a file that a browser opens.
    """
    _check_size(plan)
    operations: list[Operation] = []

    def keep(unit: str, tile: int, start: float, duration: float) -> None:
        operations.append(Operation(unit, tile, start, duration))

    return run_event(plan, trace=keep), operations


def plans_to_trace(projection: SparseLowRankGemm, accelerator: Accelerator) -> dict[str, Plan]:
    """The runs of a projection that a timeline shows beside each other: dense and compressed.

    Raises:
        InputError: No tile fits the machine, or a run has too many tiles.
    """
    plans = {
        "dense": plan_dense(projection.gemm, accelerator),
        "compressed": plan_projection(projection, accelerator),
    }
    for plan in plans.values():
        _check_size(plan)
    return plans


def chrome_trace(runs: Sequence[tuple[str, EventResult, Sequence[Operation]]]) -> dict[str, Any]:
    """Some runs as one trace, each a process.

    Args:
        runs: Name, result and operations of each.

    Returns:
        The object form of the format: ``traceEvents`` with complete events (``X``) and names
        (``M``), and ``otherData`` that says what a microsecond is.
    """
    events: list[dict[str, Any]] = []
    for process, (name, result, operations) in enumerate(runs):
        events.append(_name("process_name", process, 0, f"{name}: {result.cycles} cycles"))
        for thread, unit in enumerate(_UNITS):
            events.append(_name("thread_name", process, thread, unit))
            order = _name("thread_sort_index", process, thread, "")
            events.append({**order, "args": {"sort_index": thread}})
        events += [_complete(process, operation) for operation in operations]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"time": "one microsecond of this trace is one cycle of the machine"},
    }


def _check_size(plan: Plan) -> None:
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
    return {
        "ph": "X",
        "name": f"{beside}{kind} {operation.tile}",
        "cat": unit,
        "pid": process,
        "tid": _THREADS[operation.unit],
        "ts": start,
        "dur": round(end - start, 3),
    }
