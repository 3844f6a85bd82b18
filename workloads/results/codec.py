"""Frozen dataclasses to JSON and back, strictly, and their JSON Schema: one dialect for all.

A field is a number, a string, a truth value, a fraction, null, any JSON, a tuple, a mapping by
name, or another such dataclass. Properties that a class lists in ``DERIVED`` are written for
readers beside the fields; reading checks that they may be there and does not believe them.
"""

import dataclasses
import functools
import inspect
import itertools
import math
import types
import typing
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from workloads.support.errors import InputError

T = TypeVar("T")
_Definitions = dict[type, dict[str, Any]]
DERIVED = "DERIVED"
"""Class attribute with the names of properties that are written and never read."""
_PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "boolean"),
    int: ((int,), "integer"),
    float: ((int, float), "number"),
    str: ((str,), "string"),
}


def to_json(value: Any) -> Any:
    """A value as JSON holds it: lists, dictionaries, numbers, strings.

    Args:
        value: A dataclass, or anything that may be a field of one.

    Raises:
        ValueError: A number is not finite, or a value is of a kind that JSON does not have.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: to_json(getattr(value, name)) for name in (*names, *_derived(type(value)))}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Fraction):
        return str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be written as JSON")
        return value
    raise ValueError(f"{type(value).__name__} cannot be written as JSON")


def from_json(cls: type[T], value: Any, where: str) -> T:
    """A dataclass from what ``to_json`` made of it.

    Args:
        cls: The dataclass.
        value: Parsed JSON.
        where: What the error names in front of the field, such as the file.

    Raises:
        InputError: A field is missing, unknown or of another kind; or the dataclass refuses it.
    """
    return typing.cast("T", _read(cls, value, where))


def schema(cls: type) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a dataclass, with those inside it under ``$defs``.

    Raises:
        ValueError: Two of them have one name, under which only one definition can stand.
    """
    definitions: _Definitions = {}
    reference = _schema(cls, definitions)
    named = sorted(
        ((each.__name__, definition) for each, definition in definitions.items()),
        key=lambda item: item[0],
    )
    for (name, _), (next_name, _) in itertools.pairwise(named):
        if name == next_name:
            raise ValueError(f"two dataclasses are called {name}")
    return {**reference, "$defs": dict(named)}


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_union(get_args(kind), value, where)
    if origin is Literal:
        if value not in get_args(kind):
            names = ", ".join(map(repr, get_args(kind)))
            raise InputError(f"{where}: must be one of {names}, got {value!r}")
        return value
    if origin is tuple:
        return _read_tuple(get_args(kind), value, where)
    if origin is not None and issubclass(origin, Mapping):
        _check(isinstance(value, dict), "an object", value, where)
        item = get_args(kind)[1]
        return {key: _read(item, entry, f"{where}.{key}") for key, entry in value.items()}
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    return _read_plain(kind, value, where)


def _read_plain(kind: Any, value: Any, where: str) -> Any:
    if kind is Fraction:
        try:
            return Fraction(value)
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise InputError(f"{where}: must be a fraction such as 768/5, got {value!r}") from error
    expected, name = _PLAIN[kind]
    right = isinstance(value, expected) and (kind is bool or not isinstance(value, bool))
    _check(right, name, value, where)
    return float(value) if kind is float else value


def _read_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    errors = []
    for kind in kinds:
        if kind is not types.NoneType:
            try:
                return _read(kind, value, where)
            except InputError as error:
                errors.append(error)
    raise errors[0]


def _read_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _check(isinstance(value, list), "a list", value, where)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    _check(len(kinds) == len(value), f"a list of {len(kinds)}", value, where)
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(_read(kind, item, f"{where}[{index}]") for index, (kind, item) in pairs)


def _read_dataclass(cls: Any, value: Any, where: str) -> Any:
    _check(isinstance(value, dict), "an object", value, where)
    kinds, fields = _kinds(cls), dataclasses.fields(cls)
    names = {field.name for field in fields}
    unknown = value.keys() - names - {*_derived(cls)}
    if unknown:
        raise InputError(f"{where}: unknown field {min(unknown)!r}")
    missing = [field.name for field in fields if field.name not in value and _required(field)]
    if missing:
        raise InputError(f"{where}: field {missing[0]!r} is missing")
    read = {k: _read(kinds[k], v, f"{where}.{k}") for k, v in value.items() if k in names}
    try:
        return cls(**read)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def _check(right: bool, name: str, value: Any, where: str) -> None:
    if not right:
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        raise InputError(f"{where}: must be {name}, got {shown}")


def _required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _derived(cls: type) -> tuple[str, ...]:
    return tuple(getattr(cls, DERIVED, ()))


@functools.cache
def _kinds(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _schema(kind: Any, definitions: _Definitions) -> dict[str, Any]:
    if kind is Any:
        return {}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(item, definitions) for item in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return {"type": "array", "items": _schema(arguments[0], definitions)}
        items = [_schema(item, definitions) for item in arguments]
        count = len(items)
        return {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if dataclasses.is_dataclass(kind):
        return _schema_of_dataclass(typing.cast("type", kind), definitions)
    if kind is types.NoneType:
        return {"type": "null"}
    return {"type": "string"} if kind is Fraction else {"type": _PLAIN[kind][1]}


def _schema_of_dataclass(cls: type, definitions: _Definitions) -> dict[str, Any]:
    if cls not in definitions:
        definitions[cls] = {}  # in case it holds itself
        kinds, fields = _kinds(cls), dataclasses.fields(cls)
        known = {field.name: _schema(kinds[field.name], definitions) for field in fields}
        read_only = {
            prop: {**_schema(_result_of(cls, prop), definitions), "readOnly": True}
            for prop in _derived(cls)
        }
        definitions[cls] = {
            "description": (inspect.getdoc(cls) or "").partition("\n")[0],
            "type": "object",
            "properties": known | read_only,
            "required": [field.name for field in fields if _required(field)],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _result_of(cls: type, name: str) -> Any:
    """What a property, or a cached one, returns."""
    prop = inspect.getattr_static(cls, name)
    function = getattr(prop, "fget", None) or prop.func
    return typing.get_type_hints(function)["return"]
