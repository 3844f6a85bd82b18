"""Who reads a field of a machine: watched while a small block runs by every cycle model.

A field that nobody reads would do nothing.
"""

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from accelerator_sim.block import simulate_block
from accelerator_sim.machine import hardware
from accelerator_sim.machine.catalog import (
    load_accelerator,
    with_overrides,
)
from accelerator_sim.machine.hardware import HIERARCHICAL, Accelerator
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.attention import ContextAttention, Heads
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError

Reads = dict[str, set[str]]
"""By dotted key: who reads it, in the words of ``ROOMS``."""
ROOMS = {
    "accelerator_sim.models.energy": "energy",
    "accelerator_sim.models": "published",
    "accelerator_sim.mapping.roofline": "roofline",
    "accelerator_sim.mapping": "plan",
    "accelerator_sim.simulation": "event",
    "accelerator_sim.attention": "attention",
}
_PASSED = {hardware.__name__, "functools", __name__}
_SKIPPED = {"__post_init__", "__init__", "__eq__", "__hash__", "__repr__"}


def readers() -> Reads:
    """Every field that some run reads, with its readers."""
    reads: Reads = {}
    for machine in _variants(load_accelerator("array-64x64", {"lines": 4})):
        for models in (("published",), ("roofline", "event")):
            with _watched(machine, reads):
                try:
                    simulate_block(
                        [_projection()],
                        machine,
                        models=models,  # type: ignore[arg-type]
                        attention=ContextAttention(Heads(2, 1, 8), 2, 8),
                    )
                except InputError:  # choices that do not go together
                    continue
    return reads


def _projection() -> SparseLowRankGemm:
    mask = np.random.default_rng(0).random((24, 40)) < 0.5
    return SparseLowRankGemm(Gemm("q_proj", "MHA", 24, 40, 2), PackedMask.pack(mask), 2)


def _variants(machine: Accelerator) -> Iterator[Accelerator]:
    """The machine, one whose index has runs, one whose index has blocks, and one for every word
    that a field may be: some fields count only then."""
    yield machine
    for index in ("run_length", HIERARCHICAL):
        yield with_overrides(machine, {"index.format": index})
    for key, hint in _hints(machine):
        for word in words(hint):
            yield with_overrides(machine, {key: word})


def _hints(machine: Accelerator) -> Iterator[tuple[str, Any]]:
    """Dotted keys and their types."""
    for name, hint in get_type_hints(Accelerator).items():
        part = getattr(machine, name)
        if dataclasses.is_dataclass(part):
            inner = get_type_hints(type(part)).items()
            yield from ((f"{name}.{key}", of_key) for key, of_key in inner)
        else:
            yield name, hint


def words(hint: Any) -> tuple[str, ...]:
    """The words that a type allows, also beside numbers."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(word for part in get_args(hint) for word in words(part))


@contextmanager
def _watched(machine: Accelerator, reads: Reads) -> Iterator[None]:
    """Note reads of fields while a machine runs; the classes are as they were afterwards."""
    for name in [name for name in vars(machine) if name not in machine.__dataclass_fields__]:
        del vars(machine)[name]  # what a property has kept
    names = {id(machine): ""}
    for field in dataclasses.fields(machine):
        value = getattr(machine, field.name)
        if dataclasses.is_dataclass(value):
            names[id(value)] = f"{field.name}."
    classes: set[Any] = {type(machine)}
    classes |= {type(getattr(machine, field.name)) for field in dataclasses.fields(machine)}
    watched = [cls for cls in classes if cls.__module__ == hardware.__name__]

    def noting(self: Any, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if name in type(self).__dataclass_fields__ and id(self) in names:
            reader = _reader()
            if reader:
                reads.setdefault(names[id(self)] + name, set()).add(reader)
        return value

    for cls in watched:
        cls.__getattribute__ = noting
    try:
        yield
    finally:
        for cls in watched:
            del cls.__getattribute__


def _reader() -> str | None:
    """Whose code asks: the first frame outside the machine's own module."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals["__name__"] in _PASSED:
        if frame.f_code.co_name in _SKIPPED:
            return None
        frame = frame.f_back
    return None if frame is None else _room(frame)


def _is_planning(frame: FrameType | None) -> bool:
    """Whether the planner asks: it runs the candidates and weighs their energy."""
    while frame is not None:
        if frame.f_globals["__name__"].startswith("accelerator_sim.planning"):
            return True
        frame = frame.f_back
    return False


def _room(frame: FrameType) -> str | None:
    module = frame.f_globals["__name__"]
    if _is_planning(frame):
        return "plan"
    room = next((room for prefix, room in ROOMS.items() if module.startswith(prefix)), None)
    if room != "energy":
        return room
    while frame.f_back is not None and frame.f_back.f_globals["__name__"] == module:
        frame = frame.f_back
    return "area" if frame.f_code.co_name == "area" else room
