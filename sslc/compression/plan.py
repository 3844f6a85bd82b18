"""Which projection is compressed by what: patterns, overrides, and what the manifest says of them.

A projection's full name is ``layers.3.self_attn.q_proj``. A pattern is matched against the whole
name and against its last part, so ``q_proj`` means that projection of every block.
"""

import fnmatch
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.methods.base import Budget, CompressedProjection, Method, WorkingCopies
from sslc.methods.registry import load_method
from sslc.methods.rounded import settings_of
from sslc.model.names import pattern_name
from workloads.support.errors import InputError
from workloads.support.files import write_atomic
from workloads.support.presets import read_toml

_NAMES_SHOWN = 8


@dataclass(frozen=True)
class Dense:
    """Leaves a projection as it is: every entry in S, no low-rank part."""

    kept_fraction: float = 1.0
    name = "dense"
    title = "Dense"
    needs_hessian = False
    needs_gradients = False
    working_copies = WorkingCopies(1.5)

    def budget(self, m: int, n: int) -> Budget:
        """Every entry in S."""
        return Budget(0, m * n)

    def compress(self, weight: torch.Tensor, statistics: InputStatistics) -> CompressedProjection:
        """W itself; the statistics are not looked at."""
        del statistics
        return CompressedProjection.sparse_only(weight, torch.ones_like(weight, dtype=torch.bool))


DENSE: Method = Dense()


@dataclass(frozen=True)
class Override:
    """Settings for the projections that a pattern matches.

    Attributes:
        pattern: Of names.
        settings: Method settings by name; ``method`` among them names another method.
        where: File and table, for errors.
    """

    pattern: str
    settings: Mapping[str, Any]
    where: str = "overrides"


@dataclass(frozen=True)
class Choice:
    """What of a model is compressed, and where settings differ from those of the run.

    Attributes:
        include: Only projections that one of these patterns matches; all when there are none.
        exclude: Of those, not these.
        overrides: Later ones win.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The choice as it stands in the manifest: empty when nothing was chosen."""
        overrides = [{"pattern": o.pattern, "settings": dict(o.settings)} for o in self.overrides]
        parts = {
            "include": list(self.include),
            "exclude": list(self.exclude),
            "overrides": overrides,
        }
        return {name: part for name, part in parts.items() if part}


EVERYTHING = Choice()


@dataclass(frozen=True)
class Plan:
    """The method of every projection of every block.

    Attributes:
        blocks: For each block, in-block projection name to method.
    """

    blocks: tuple[Mapping[str, Method], ...] = field(default=())

    def __iter__(self) -> Iterator[tuple[int, str, Method]]:
        """Block index, projection name and method, in the order in which they run."""
        for index, block in enumerate(self.blocks):
            for name, method in block.items():
                yield index, name, method


def read_overrides(path: Path) -> tuple[Override, ...]:
    """Overrides from a TOML file: one table per pattern.

    Raises:
        InputError: The file is not TOML, or something in it is not a table of plain values.
    """
    overrides = []
    for pattern, table in read_toml(path).items():
        if not isinstance(table, dict):
            raise InputError(f'{path}: {pattern!r} is not a table; write it under ["pattern"]')
        for key, value in table.items():
            if not isinstance(value, str | int | float | bool):
                raise InputError(
                    f"{path}: [{pattern}] {key} must be a plain value; "
                    'a pattern with dots needs quotes: ["layers.0.*"]'
                )
        overrides.append(Override(pattern, table, f"{path}: [{pattern}]"))
    return tuple(overrides)


def write_overrides(path: Path, overrides: Iterable[Override]) -> None:
    """Write overrides as a TOML file that ``read_overrides`` reads, whole or not at all.

    Raises:
        InputError: A pattern occurs twice, which a TOML file cannot hold.
    """
    tables: dict[str, str] = {}
    for override in overrides:
        if override.pattern in tables:
            raise InputError(f"{path}: {override.pattern} would occur twice")
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in override.settings.items()]
        tables[override.pattern] = f"[{json.dumps(override.pattern)}]\n{''.join(lines)}"
    write_atomic(path, "\n".join(tables.values()).encode())


def make_plan(choice: Choice, method: Method, *, names: tuple[str, ...], blocks: int) -> Plan:
    """Give every projection its method.

    Args:
        choice: What the user asked for.
        method: Of projections that nothing else is said about.
        names: A block's projections.
        blocks: How many blocks there are.

    Returns:
        The plan; projections that are not chosen get ``Dense``.

    Raises:
        InputError: A pattern matches nothing, nothing is left to compress, or an override has an
            unknown setting or a value out of range.
    """
    full = [pattern_name(index, name) for index in range(blocks) for name in names]
    _check_patterns("--include", choice.include, full)
    _check_patterns("--exclude", choice.exclude, full)
    for override in choice.overrides:
        _check_patterns(override.where, (override.pattern,), full)
    made: dict[tuple[int, ...], Method] = {}

    def chosen(index: int, name: str) -> Method:
        whole = pattern_name(index, name)
        which = tuple(i for i, o in enumerate(choice.overrides) if _matches(whole, o.pattern))
        if which not in made:
            made[which] = _overridden(method, [choice.overrides[i] for i in which])
        included = not choice.include or _matches_any(whole, choice.include)
        return made[which] if included and not _matches_any(whole, choice.exclude) else DENSE

    plan = Plan(tuple({name: chosen(index, name) for name in names} for index in range(blocks)))
    if all(planned is DENSE for _, _, planned in plan):
        raise InputError("--include and --exclude leave no projection to compress")
    return plan


def _overridden(method: Method, overrides: Iterable[Override]) -> Method:
    """The run's method with overrides applied in turn.

    A table that names a method starts from its defaults, with the run's kept fraction.
    """
    name, changed, settings = method.name, method, settings_of(method)
    for override in overrides:
        table = dict(override.settings)
        if "method" in table:
            name = str(table.pop("method"))
            settings = settings_of(method)
            if name != method.name:
                settings = {"kept_fraction": method.kept_fraction}
        settings |= table
        try:
            changed = load_method(name, settings)
        except InputError as error:
            raise InputError(f"{override.where}: {error}") from error
    return changed


def _matches(name: str, pattern: str) -> bool:
    last = name.rpartition(".")[2]
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(last, pattern)


def _matches_any(name: str, patterns: Iterable[str]) -> bool:
    return any(_matches(name, pattern) for pattern in patterns)


def _check_patterns(where: str, patterns: Iterable[str], names: list[str]) -> None:
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in names):
            some = ", ".join(names[:_NAMES_SHOWN])
            raise InputError(
                f"{where}: pattern {pattern!r} matches no projection; there are {some}, ... "
                f"({len(names)} in all)"
            )
