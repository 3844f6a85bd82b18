"""One resource after another, doubled or made ideal: the machines that are asked about. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from accelerator_sim.machine.catalog import accelerator_table, with_overrides
from accelerator_sim.machine.hardware import MAX_BYTES, MAX_PER_CYCLE, Accelerator
from workloads.results.identity import flat
from workloads.support.errors import InputError

Step = Literal["doubled", "ideal"]
MUCH = 1000
"""Times that stand for ideal bandwidth, which must stay a rate."""
_Values = Mapping[str, Any]
_Becomes = Callable[[_Values], _Values]


@dataclass(frozen=True)
class Change:
    """A machine with one resource changed.

    Attributes:
        resource: In words.
        step: ``doubled`` (latency and pipeline: halved) or ``ideal`` (bandwidth: ``MUCH`` times).
        overrides: The values that differ, by dotted key.
    """

    resource: str
    step: Step
    overrides: Mapping[str, Any]

    def frees_slots(self, buffer: str) -> bool:
        """Whether it asks how many slots a buffer has, beside their size."""
        return f"{buffer}.slots" in self.overrides


@dataclass(frozen=True)
class _Resource:
    """Fields, and what they become; None: there is no such step."""

    name: str
    keys: tuple[str, ...]
    doubled: _Becomes | None
    ideal: _Becomes | None
    used: Callable[[Accelerator], bool] = lambda _: True


def _twice(value: Any) -> Any:
    """Twice a number; ``auto`` and ``unlimited`` stay."""
    return value if isinstance(value, str) else 2 * value


def _half(value: float) -> float:
    return value / 2 if isinstance(value, float) else value // 2


def _each(becomes: Callable[[Any], Any]) -> _Becomes:
    return lambda values: {key: becomes(value) for key, value in values.items()}


def _always(value: object) -> _Becomes:
    return _each(lambda _: value)


def _slots(operand: str, name: str) -> _Resource:
    """More slots of the same size; with as much room as they take."""
    room, slots = f"{operand}_buffer.capacity_bytes", f"{operand}_buffer.slots"
    unlimited = {room: MAX_BYTES, slots: "auto"}
    return _Resource(f"{name} slots", (room, slots), _each(_twice), lambda _: unlimited)


def _queued(machine: Accelerator) -> bool:
    return machine.index.queued


def _banked(machine: Accelerator) -> bool:
    return machine.gather == "banked"


_LATENCY = ("dram.latency_ns", "dram.write_latency_ns")
_REQUESTS = ("dram.requests_per_cycle", "dram.outstanding_requests")
_RESOURCES = (
    _Resource(
        "DRAM bandwidth", ("dram.bytes_per_second",), _each(_twice), _each(lambda r: MUCH * r)
    ),
    _Resource("DRAM latency", _LATENCY, _each(_half), _always(0)),
    _Resource("requests", _REQUESTS, _each(_twice), _always("unlimited")),
    *(
        _Resource(
            f"{operand} buffer",
            (f"{operand}_buffer.capacity_bytes",),
            _each(_twice),
            _always(MAX_BYTES),
        )
        for operand in ("weight", "activation", "output")
    ),
    _slots("weight", "weight"),
    _slots("activation", "input"),
    _Resource("lines", ("lines",), _each(_twice), None),
    _Resource("link", ("link_elements_per_cycle",), _each(_twice), _always(MAX_PER_CYCLE)),
    _Resource("pipeline", ("pipeline_cycles",), _each(_half), _always(0)),
    _Resource("hand-offs", ("handoff_cycles",), None, _always(0)),
    _Resource("decode rate", ("index.decode_per_cycle",), _each(_twice), _always(MAX_PER_CYCLE)),
    _Resource("decode queue", ("index.decode_queue",), _each(_twice), None, _queued),
    _Resource("decode", ("index.decode",), None, _always("ideal"), _queued),
    _Resource("banks", ("activation_banks",), _each(_twice), None, _banked),
    _Resource("ports of a bank", ("activation_ports",), _each(_twice), None, _banked),
    _Resource("gather", ("gather",), None, _always("ideal"), _banked),
)


def changes_to(machine: Accelerator) -> Iterator[tuple[Change, Accelerator]]:
    """Every change that makes another machine, with that machine.

    Args:
        machine: Its fields decide which resources there are; a step beyond a field's limits is
            left out.
    """
    fields = flat(accelerator_table(machine)) | {"index.decode_queue": machine.decode_queue}
    for resource in _RESOURCES:
        values = {key: fields[key] for key in resource.keys if fields.get(key) is not None}
        for step, becomes in _steps(resource) if resource.used(machine) else ():
            overrides = becomes(values)
            if overrides == values:
                continue
            try:
                changed = with_overrides(machine, overrides)
            except InputError:
                continue
            yield Change(resource.name, step, overrides), changed


def _steps(resource: _Resource) -> Iterator[tuple[Step, _Becomes]]:
    if resource.doubled is not None:
        yield "doubled", resource.doubled
    if resource.ideal is not None:
        yield "ideal", resource.ideal
