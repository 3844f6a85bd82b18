"""Accelerators and cost tables by name or from a user's TOML file; every error names its key."""

import dataclasses
import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerator_sim.machine.costs import AreaTable, CostTable, EnergyTable
from accelerator_sim.machine.hardware import Accelerator, Bits, Buffer, Dram, Index, TileChoice
from accelerator_sim.machine.renamed import check_fields, check_preset
from workloads.support.errors import InputError, InputWarning, shown
from workloads.support.presets import build, preset_names, read_preset, read_toml, toml_file
from workloads.support.toml_place import Place

_TABLES: dict[str, type[Any]] = {
    "tile": TileChoice,
    "bits": Bits,
    "index": Index,
    "weight_buffer": Buffer,
    "activation_buffer": Buffer,
    "output_buffer": Buffer,
    "dram": Dram,
}
_COST_TABLES: dict[str, type[Any]] = {"energy": EnergyTable, "area": AreaTable}
DEFAULT_COSTS = "28nm"
LEAST_PLAUSIBLE = {"dram.bytes_per_second": ("GB/s", 10**9), "clock_hz": ("MHz", 10**6)}
"""Below a million, a rate was probably written in the unit that is meant."""
WITHOUT_EFFECTS: Mapping[str, Any] = {
    **{f"{operand}_buffer.slots": 2 for operand in ("weight", "activation", "output")},
    "index.decode": "ideal",
    "gather": "ideal",
    "pipeline_cycles": 0,
    "dram.efficiency": 1.0,
    "dram.refresh_share": 0.0,
    "dram.requests_per_cycle": "unlimited",
    "dram.outstanding_requests": "unlimited",
}
"""Two slots everywhere, and neither decode queues, gathers, pipelines nor a DRAM below its peak."""


def accelerator_names() -> list[str]:
    """Names of the accelerators that ship with the package."""
    return preset_names("accelerator_sim.machine", "presets")


def load_accelerator(
    name_or_path: str | Path, overrides: Mapping[str, Any] | None = None
) -> Accelerator:
    """An accelerator by preset name, or from a file whose name ends in ``.toml``.

    A file with ``base = "vitcod"`` has what it says in place of what that preset says.

    Args:
        name_or_path: Such as ``"vitcod"`` or ``"my/machine.toml"``.
        overrides: Values by dotted key, such as ``{"dram.efficiency": 0.8}``.

    Raises:
        InputError: No such preset or file, or a key or value that cannot be used.
    """
    changes = overrides or {}
    changed = {tuple(key.split(".")) for key in changes}
    file = toml_file("accelerator", name_or_path)
    if file is not None:
        place = Place(str(name_or_path), file, changed=changed)
        table = _with_base(read_toml(file), place)
    else:
        place = Place(f"accelerator {name_or_path}")
        table = _preset(str(name_or_path), place)
    table = override(table, changes)
    for key in LEAST_PLAUSIBLE:
        head, *tail = key.split(".")
        value = table.get(head)
        if tail:
            value = value.get(tail[0]) if isinstance(value, Mapping) else None
        warn_if_implausible(key, value, where=place.of(head, *tail))
    return build_accelerator(table, place)


def _preset(name: str, place: Place) -> dict[str, Any]:
    check_preset(name)
    table = read_preset("accelerator_sim.machine", "presets", "accelerator", name)
    return _with_base(table, place)


def _with_base(table: dict[str, Any], place: Place) -> dict[str, Any]:
    """A file's table over that of the preset that its ``base`` names."""
    if "base" not in table:
        return table
    base = table.pop("base")
    if not isinstance(base, str):
        raise InputError(f"{place.of('base')}: base must be a preset's name, got {shown(base)}")
    try:
        result = _preset(base, place)
    except InputError as error:
        raise InputError(f"{place.of('base')}: base: {error}") from error
    for key, value in table.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = {**result[key], **value} if both else value
    return result


def warn_if_implausible(key: str, value: object, *, where: str) -> None:
    """Warn of a rate that was probably written in GB/s or MHz.

    Args:
        key: Dotted, of the accelerator.
        value: As read.
        where: File and line, for the warning.
    """
    unit, size = LEAST_PLAUSIBLE.get(key, ("", 0))
    if size and isinstance(value, int | float) and 0 < value < 10**6:
        warnings.warn(
            f"{where}: {key} is {value:g} a second; {value:g} {unit} is written {value * size:g}",
            InputWarning,
            stacklevel=2,
        )


def cost_table_names() -> list[str]:
    """Names of the energy and area tables that ship with the package."""
    return preset_names("accelerator_sim.machine", "cost_tables")


def load_cost_table(name_or_path: str | Path = DEFAULT_COSTS) -> CostTable:
    """An energy and area table by name, or from a file whose name ends in ``.toml``.

    Raises:
        InputError: No such table or file, or a key or value that cannot be used.
    """
    file = toml_file("cost table", name_or_path)
    if file is not None:
        table = read_toml(file)
        place = Place(str(name_or_path), file)
    else:
        table = read_preset(
            "accelerator_sim.machine", "cost_tables", "cost table", str(name_or_path)
        )
        place = Place(f"cost table {name_or_path}")
    for key, cls in _COST_TABLES.items():
        part = table.get(key)
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [n for n in names if n not in part] if isinstance(part, Mapping) else []
        if len(missing) > 1:
            raise InputError(
                f"{place.inside(key).of_missing()}: keys {', '.join(missing)} are missing; "
                f"the table {DEFAULT_COSTS} has them with their sources"
            )
    return build(CostTable, _with_tables(table, _COST_TABLES, place), place)


def build_accelerator(table: Mapping[str, Any], place: Place) -> Accelerator:
    """An accelerator from its parsed TOML, of which tables may be built already; errors name the
    place.

    Raises:
        InputError: A key is unknown, missing, or has a value that cannot be used.
    """
    check_fields(table, place)
    return build(Accelerator, _with_tables(table, _TABLES, place), place)


def _with_tables(
    table: Mapping[str, Any], classes: Mapping[str, type[Any]], place: Place
) -> dict[str, Any]:
    """A copy of a parsed file with its tables built."""
    values = dict(table)
    for key, cls in classes.items():
        if key in values and not isinstance(values[key], cls):
            if not isinstance(values[key], Mapping):
                raise InputError(
                    f"{place.of(key)}: {key} must be a table, got {shown(values[key])}"
                )
            values[key] = build(cls, values[key], place.inside(key))
    return values


def build_table(key: str, values: Mapping[str, Any], place: Place) -> Any:
    """One table of an accelerator, such as ``dram``, from its values.

    Args:
        key: Its name.
        values: As parsed.
        place: Of the machine, for errors.

    Raises:
        InputError: As for ``build_accelerator``.
    """
    return build(_TABLES[key], values, place.inside(key))


def with_overrides(accelerator: Accelerator, overrides: Mapping[str, Any]) -> Accelerator:
    """A machine with some values replaced.

    Args:
        accelerator: Stays as it is.
        overrides: Values by dotted key, such as ``{"dram.efficiency": 0.8}``.

    Raises:
        InputError: A key or value cannot be used.
    """
    if not overrides:
        return accelerator
    table = override(accelerator_table(accelerator), overrides)
    return build_accelerator(table, Place(f"accelerator {accelerator.name}"))


def named_machine(
    accelerator: str | Path | Accelerator, overrides: Mapping[str, Any] | None = None
) -> Accelerator:
    """A machine by a preset's name, from a TOML file, or as it is; with some values replaced.

    Args:
        accelerator: Name, file or machine.
        overrides: As for ``with_overrides``.

    Raises:
        InputError: As for ``load_accelerator``.
    """
    if isinstance(accelerator, Accelerator):
        return with_overrides(accelerator, overrides or {})
    return load_accelerator(accelerator, overrides)


def accelerator_table(accelerator: Accelerator) -> dict[str, Any]:
    """A machine as its TOML would have it."""
    return _stated(dataclasses.asdict(accelerator))


def _stated(table: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is left to a default of None, which TOML cannot write."""
    values = ((k, _stated(v) if isinstance(v, Mapping) else v) for k, v in table.items())
    return {key: value for key, value in values if value is not None}


def override(table: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of an accelerator's table with some values replaced.

    Args:
        table: As parsed.
        overrides: Values by dotted key: ``"lines"``, ``"dram.efficiency"``.

    Raises:
        InputError: A key has more parts than there are tables.
    """
    result = {k: dict(v) if isinstance(v, Mapping) else v for k, v in table.items()}
    for key, value in overrides.items():
        head, _, tail = key.partition(".")
        if not tail:
            result[head] = value
        elif head in _TABLES and "." not in tail:
            result.setdefault(head, {})[tail] = value
        else:
            raise InputError(f"override {key!r}: tables are {', '.join(sorted(_TABLES))}")
    return result


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``"dram.efficiency=0.8"`` into its key and its value, read as TOML.

    A value that is not TOML is taken as a string, so ``tile.rows=auto`` needs no quotes.

    Raises:
        InputError: There is no ``=``, or nothing before it.
    """
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InputError(f"override {text!r}: write key=value, such as dram.efficiency=0.8")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return key.strip(), value.strip()
