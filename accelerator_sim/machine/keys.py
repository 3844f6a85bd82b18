"""Every key of an accelerator's TOML, as ``--set`` and the fields of a sweep write it."""

import dataclasses
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from accelerator_sim.machine.hardware import Accelerator
from workloads.support.docstrings import attribute_docs

_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Key:
    """A key of an accelerator.

    Attributes:
        name: Dotted, such as ``dram.efficiency``.
        takes: Kinds of values, and words.
        default: As TOML writes it; None where the key must be given.
        meaning: From the class that holds it.
    """

    name: str
    takes: str
    default: str | None
    meaning: str


def hardware_keys() -> tuple[Key, ...]:
    """All keys, in the order of the classes in ``hardware``."""
    return tuple(_keys(Accelerator, ""))


def _keys(cls: type[Any], prefix: str) -> Iterator[Key]:
    hints, meanings = typing.get_type_hints(cls), attribute_docs(cls)
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            yield from _keys(hint, f"{prefix}{field.name}.")
        else:
            takes = ", ".join(_takes(hint))
            yield Key(prefix + field.name, takes, _default(field), meanings[field.name])


def _takes(hint: Any) -> Iterator[str]:
    """Kinds and words of an annotation, None left out: TOML has none."""
    if typing.get_origin(hint) is typing.Literal:
        yield from typing.get_args(hint)
    elif typing.get_args(hint):
        for part in typing.get_args(hint):
            yield from _takes(part)
    elif hint is not type(None):
        yield _NAMES[hint]


def _default(field: "dataclasses.Field[Any]") -> str | None:
    if field.default is dataclasses.MISSING:
        return None
    return "not given" if field.default is None else str(field.default)
