"""Every field of a dataclass that a TOML file fills: type, range, unit, default, meaning.

Ranges are those that the dataclass enforces: each field is given a value that cannot be, and the
error says what may be.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from docs.programs.references.markdown import code, prose, table
from docs.programs.references.readers import words
from workloads.support.docstrings import attribute_docs

_WRONG: tuple[Any, ...] = (-1, 2**80, "?", "")
_MAY_BE = re.compile(r"must (?:be|lie) (?:one of )?(?:a )?(.*?)(?: and |,? got )", re.DOTALL)
_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_UNITS = {
    "_hz": "Hz",
    "_per_second": "bytes/s",
    "_bytes": "bytes",
    "_per_cycle": "per cycle",
    "_cycles": "cycles",
    "_ns": "ns",
    "_bits": "bits",
    "_kib": "KiB",
    "_pj": "pJ",
    "_um2": "µm²",
}


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the columns of a table of fields need.

    Attributes:
        unit: Of fields whose name does not tell, by name.
        readers: Who reads a field, by name; None: no such column.
        marks: Numbers of an example that stand for another field, such as ``{"59": "`lines`"}``.
    """

    unit: Mapping[str, str] = dataclasses.field(default_factory=dict)
    readers: Mapping[str, str] | None = None
    marks: Mapping[str, str] = dataclasses.field(default_factory=dict)


def fields_table(cls: type, make: Callable[..., Any], asked: Asked | None = None) -> str:
    """Fields of a class whose values are plain; tables inside it are left out.

    Args:
        cls: A frozen dataclass that refuses wrong values with ``ValueError``.
        make: Makes one with some fields changed, by keywords.
        asked: More about the columns.
    """
    asked = asked or Asked()
    meanings, hints = attribute_docs(cls), typing.get_type_hints(cls)
    rows = []
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            continue
        row = [
            code(field.name),
            _values(field.name, hint, make, asked),
            prose(meanings[field.name]),
            _default(field),
        ]
        rows.append(row if asked.readers is None else [*row, asked.readers[field.name]])
    headings = ["key", "values, unit", "meaning", "default"]
    if asked.readers is not None:
        headings.append("read by")
    return table(headings, rows)


def _values(name: str, hint: Any, make: Callable[..., Any], asked: Asked) -> str:
    choices = [code(f'"{word}"') for word in words(hint)]
    plain = [kind for kind in _plain(hint) if kind in _NAMES]
    if not plain:
        return ", ".join(choices)
    found = _allowed(name, make, asked.marks)
    kind = _NAMES[float if float in plain else plain[0]]
    if found.startswith(("in ", "from ", "at least ", "above ", "less ")):
        found = f"{kind} {found}"
    if found == "positive":
        found = f"positive {kind}"
    unit = _unit(name, asked.unit)
    number = f"{found or kind} ({unit})" if unit else found or kind
    return " or ".join(part for part in (number, ", ".join(choices)) if part)


def _plain(hint: Any) -> list[type]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return [kind for part in typing.get_args(hint) for kind in _plain(part)]
    return [hint] if isinstance(hint, type) else []


def _allowed(name: str, make: Callable[..., Any], marks: Mapping[str, str]) -> str:
    """What the error about a value that cannot be says may be."""
    for wrong in _WRONG:
        try:
            make(**{name: wrong})
        except ValueError as error:
            found = _MAY_BE.search(str(error))
            if found and name in str(error).partition(" must ")[0]:
                text = found[1]
                for number, field in marks.items():
                    text = re.sub(rf"\b{number}\b", field, text)
                return re.sub(r"\b\d{5,}\b", lambda match: _short(int(match[0])), text)
        except TypeError:
            continue
    return ""


def _short(number: int) -> str:
    """A large limit as a power where it is one."""
    if number & (number - 1) == 0:
        return f"2^{number.bit_length() - 1}"
    zeros = len(str(number)) - 1
    return f"10^{zeros}" if number == 10**zeros else f"{number:,}"


def _unit(name: str, units: Mapping[str, str]) -> str:
    if name in units:
        return units[name]
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    if field.default is None:
        return "not given"
    return code(f'"{field.default}"' if isinstance(field.default, str) else field.default)
