"""What the points of a space differ in: dimensions of the work, and fields of a machine.

After ``sampling``, before ``space``.
"""

import dataclasses
import functools
import typing
from collections.abc import Callable
from typing import Any

from accelerator_sim.design_space.axes import Kind
from accelerator_sim.design_space.sampling import Point
from accelerator_sim.machine.catalog import accelerator_table, build_accelerator, build_table
from accelerator_sim.machine.hardware import Accelerator
from workloads.support.toml_place import Place

TOKENS, BATCH, CONTEXT = WORK_AXES = ("tokens", "batch", "context")
"""Dimensions of the work, in front of those of the machine; the first is always there."""


def machine_at(base: Accelerator, keys: tuple[str, ...], *, point: Point) -> Accelerator:
    """The machine of one point.

    Args:
        base: The space's accelerator.
        keys: Of the axes; those of the work change no machine.
        point: A value for each.

    Raises:
        InputError: The values do not make a machine together.
    """
    values: dict[str, Any] = {}
    of_tables: dict[str, list[tuple[str, Any]]] = {}
    for key, value in zip(keys, point, strict=True):
        table, _, name = key.partition(".")
        if name:
            of_tables.setdefault(table, []).append((name, value))
        elif key not in WORK_AXES:
            values[key] = value
    fields, table_of = _varied(base)
    tables = {key: table_of(key, tuple(settings)) for key, settings in of_tables.items()}
    return build_accelerator(fields | values | tables, Place(base.name))


@functools.cache
def hardware_keys() -> dict[str, Kind]:
    """Every dotted key of an accelerator that a space may vary, with what it takes."""
    kinds: dict[str, Kind] = {}
    for name, hint in typing.get_type_hints(Accelerator).items():
        parts = [part for part in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(part)]
        if not parts:
            kinds[name] = _kind(hint)
        for part in parts:
            inner = typing.get_type_hints(part)
            kinds.update({f"{name}.{field}": _kind(inner[field]) for field in inner})
    return {key: kind for key, kind in kinds.items() if key != "name"}


_TableOf = Callable[[str, tuple[tuple[str, Any], ...]], Any]


@functools.lru_cache(maxsize=8)
def _varied(base: Accelerator) -> tuple[dict[str, Any], _TableOf]:
    """Fields of a machine, and its tables with other values: many points share those."""
    stated = accelerator_table(base)

    @functools.lru_cache(maxsize=1024)
    def table_of(key: str, settings: tuple[tuple[str, Any], ...]) -> Any:
        return build_table(key, {**stated.get(key, {}), **dict(settings)}, Place(base.name))

    return {key: part for key, part in vars(base).items() if key in stated}, table_of


def _kind(hint: object) -> Kind:
    parts = (hint, *typing.get_args(hint))
    if float in parts:
        return "number"
    return "whole" if int in parts else "word"
