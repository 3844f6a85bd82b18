"""Named presets from TOML files: strict keys, clear errors, nearest names for a wrong one.

Used for model shapes here and for accelerators in ``accelerator_sim.machine.catalog``.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from workloads.support.errors import InputError, unknown_name
from workloads.support.toml_place import Place

T = TypeVar("T")


def preset_names(package: str, folder: str) -> list[str]:
    """Names of the TOML files in a package's folder, sorted."""
    files = (resources.files(package) / folder).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def read_preset(package: str, folder: str, kind: str, name: str) -> dict[str, Any]:
    """The parsed TOML of a preset that ships with a package.

    Raises:
        InputError: No preset has that name.
    """
    known = preset_names(package, folder)
    if name not in known:
        raise unknown_name(kind, name, known)
    text = (resources.files(package) / folder / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def read_toml(path: Path) -> dict[str, Any]:
    """A user's TOML file.

    Raises:
        InputError: The file is missing, not UTF-8, or not TOML (duplicate keys included).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: {error}") from error


def build(cls: type[T], table: Mapping[str, Any], where: str | Place) -> T:
    """A flat dataclass from a table, every key known and every required key there.

    Args:
        cls: A frozen dataclass whose fields are plain values.
        table: The parsed table.
        where: File and table, for the error; a ``Place`` names the line too.

    Raises:
        InputError: A key is unknown or missing, a value has the wrong type, or the dataclass
            rejects the values.
    """
    place = Place(where) if isinstance(where, str) else where
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise InputError(f"{place.of(key)}: {unknown_name('key', key, fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING
        if required and field.default_factory is dataclasses.MISSING and name not in table:
            raise InputError(f"{place.of_missing()}: key {name!r} is missing")
    for key, value in table.items():
        _check_type(fields[key].type, value, key, place)
    try:
        return cls(**table)
    except ValueError as error:
        about = str(error).partition(" ")[0].split(".")  # messages begin with the field
        raise InputError(f"{place.of(*about) if about[0] in table else place}: {error}") from error


def _check_type(annotation: object, value: object, key: str, place: Place) -> None:
    expected = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}.get(annotation)  # type: ignore[call-overload]
    if expected is None:
        return
    if not isinstance(value, expected) or (isinstance(value, bool) and annotation is not bool):
        kind = annotation.__name__  # type: ignore[attr-defined]
        raise InputError(f"{place.of(key)}: {key} must be {kind}, got {value!r}")
