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


@dataclass(frozen=True)
class Change:
    """A machine with one resource changed.

    Attributes:
        resource: In words.
        step: ``doubled`` (latency: halved) or ``ideal`` (bandwidth: ``MUCH`` times).
        overrides: The values that differ, by dotted key.
    """

    resource: str
    step: Step
    overrides: Mapping[str, Any]


@dataclass(frozen=True)
class _Resource:
    """Fields, and what they become; None: there is no such step."""

    name: str
    keys: tuple[str, ...]
    doubled: Callable[[Any], Any] | None
    ideal: Callable[[Any], Any] | None


def _twice(value: int) -> int:
    return 2 * value


def _half(value: float) -> float:
    return value / 2 if isinstance(value, float) else value // 2


def _always(value: object) -> Callable[[Any], Any]:
    return lambda _: value


_LATENCY = ("dram.latency_ns", "dram.write_latency_ns")
_RESOURCES = (
    _Resource("DRAM bandwidth", ("dram.bytes_per_second",), _twice, lambda rate: MUCH * rate),
    _Resource("DRAM latency", _LATENCY, _half, _always(0)),
    *(
        _Resource(
            f"{operand} buffer", (f"{operand}_buffer.capacity_bytes",), _twice, _always(MAX_BYTES)
        )
        for operand in ("weight", "activation", "output")
    ),
    _Resource("lines", ("lines",), _twice, None),
    _Resource("link", ("link_elements_per_cycle",), _twice, _always(MAX_PER_CYCLE)),
    _Resource("index decode", ("index.decode_per_cycle",), _twice, _always(MAX_PER_CYCLE)),
    _Resource("decode queue", ("index.decode",), None, _always("ideal")),
    _Resource("gather", ("gather",), None, _always("ideal")),
)


def changes_to(machine: Accelerator) -> Iterator[tuple[Change, Accelerator]]:
    """Every change that makes another machine, with that machine.

    Args:
        machine: Its fields decide which resources there are; a step beyond a field's limits is
            left out.
    """
    fields = flat(accelerator_table(machine))
    for resource in _RESOURCES:
        values = {key: fields[key] for key in resource.keys if fields.get(key) is not None}
        for step, change in _steps(resource):
            overrides = {key: change(value) for key, value in values.items()}
            if overrides == values:
                continue
            try:
                changed = with_overrides(machine, overrides)
            except InputError:
                continue
            yield Change(resource.name, step, overrides), changed


def _steps(resource: _Resource) -> Iterator[tuple[Step, Callable[[Any], Any]]]:
    if resource.doubled is not None:
        yield "doubled", resource.doubled
    if resource.ideal is not None:
        yield "ideal", resource.ideal
