"""Named presets from TOML files: strict keys, clear errors, nearest names for a wrong one.

Used for model shapes here and for accelerators in ``accelerator_sim.machine.catalog``.
"""

import dataclasses
import re
import tomllib
import typing
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from workloads.support.errors import InputError, shown, unknown_name
from workloads.support.reading import LARGEST_TOML_BYTES, is_deep, read_text
from workloads.support.toml_place import Place

T = TypeVar("T")
_BEYOND_WHOLE = 2**63


def preset_names(package: str, folder: str) -> list[str]:
    """Names of the TOML files in a package's folder, sorted."""
    files = (resources.files(package) / folder).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def preset_text(package: str, folder: str, kind: str, name: str) -> str:
    """A preset that ships with a package, as it stands in its file.

    Raises:
        InputError: No preset has that name.
    """
    known = preset_names(package, folder)
    if name not in known:
        raise unknown_name(kind, name, known)
    return (resources.files(package) / folder / f"{name}.toml").read_text(encoding="utf-8")


def read_preset(package: str, folder: str, kind: str, name: str) -> dict[str, Any]:
    """The parsed TOML of a preset that ships with a package.

    Raises:
        InputError: No preset has that name.
    """
    return tomllib.loads(preset_text(package, folder, kind, name))


def read_toml(path: Path) -> dict[str, Any]:
    """A user's TOML file.

    Raises:
        InputError: The file is missing, not UTF-8, or not TOML (duplicate keys included).
    """
    text = read_text(path, LARGEST_TOML_BYTES)
    try:
        table = tomllib.loads(text)
        if is_deep(table):
            raise RecursionError
    except RecursionError as error:
        raise InputError(f"{path}: values are nested too deep") from error
    except ValueError as error:
        raise InputError(f"{path}: not TOML: {error}{_slip(path, text, str(error))}") from error
    return table


def _slip(path: Path, text: str, error: str) -> str:
    """What was probably meant, from the line that cannot be read."""
    found = re.search(r"at line (\d+)", error)
    lines = text.split("\n")
    line = lines[int(found[1]) - 1] if found else lines[-1]
    if path.suffix.lower() in (".yaml", ".yml") or re.match(r"\s*(- |[\w.\"']+:(\s|$)|---)", line):
        return "; this looks like YAML, TOML is meant: key = value, and [table] for a table"
    percent = re.search(r"=\s*(\d+(?:\.\d+)?\s*%)", line)
    return percent_hint(percent[1]) if percent else ""


def percent_hint(value: object) -> str:
    """What to write in place of a percentage, for the end of an error; else nothing."""
    found = (
        re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*%\s*", value)
        if isinstance(value, str)
        else None
    )
    return f"; write {Decimal(found[1]) / 100} for {found[0].strip()}" if found else ""


def toml_file(kind: str, name_or_path: str | Path) -> Path | None:
    """The path of a user's TOML file, or None for the name of a preset.

    Args:
        kind: What it describes, such as ``"accelerator"``, for the error.
        name_or_path: As the user wrote it; a file's name ends in ``.toml``.

    Raises:
        InputError: It is the name of another kind of file.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return path
    if path.suffix.lower() in (".yaml", ".yml", ".json") or len(path.parts) > 1:
        raise InputError(
            f"{kind} {shown(str(name_or_path))}: its file is TOML, with a name that ends in .toml"
        )
    return None


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
    values = {key: _taken(fields[key].type, value, key, place) for key, value in table.items()}
    try:
        return cls(**values)
    except ValueError as error:
        about = str(error).partition(" ")[0].split(".")  # messages begin with the field
        at = place.of(*about) if about[0] in table else place
        raise InputError(f"{at}: {error}{percent_hint(table.get(about[0]))}") from error


def _taken(annotation: object, value: object, key: str, place: Place) -> object:
    """A value as its field takes it: 64e9 is a whole number too, and 1 is the float 1.0."""
    kinds = typing.get_args(annotation) or (annotation,)
    if isinstance(value, float) and int in kinds and float not in kinds and value.is_integer():
        value = int(value)
    if isinstance(value, int) and abs(value) >= _BEYOND_WHOLE:
        raise InputError(f"{place.of(key)}: {key} must be less than 2^63, got {shown(value)}")
    expected = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}.get(annotation)  # type: ignore[call-overload]
    if expected is None:
        return value
    if not isinstance(value, expected) or (isinstance(value, bool) and annotation is not bool):
        kind, hint = annotation.__name__, percent_hint(value)  # type: ignore[attr-defined]
        raise InputError(f"{place.of(key)}: {key} must be {kind}, got {shown(value)}{hint}")
    return float(value) if annotation is float else value
