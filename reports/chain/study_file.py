"""A study as its TOML file says it: where it goes, and its stages in order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.support.errors import InputError, shown, unknown_name
from workloads.support.presets import read_toml
from workloads.support.toml_place import Place

OWN = "out"
"""What a stage calls its own folder in its values."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_REFERENCE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Stage:
    """One command of a study.

    Attributes:
        name: Of the stage and of its folder.
        command: Subcommand of ``sslc``.
        values: Options and arguments by name, as TOML has them.
        place: For errors.
    """

    name: str
    command: str
    values: Mapping[str, Any]
    place: Place

    @property
    def after(self) -> tuple[str, ...]:
        """Stages whose folders it names."""
        return tuple(
            dict.fromkeys(
                name for text in _texts(self.values) for name in _REFERENCE.findall(text)
                if name != OWN
            )
        )  # fmt: skip


@dataclass(frozen=True)
class StudyFile:
    """A whole study.

    Attributes:
        path: Its file; paths in it are relative to its folder.
        out: Where everything goes, likewise.
        stages: In the order in which they run.
    """

    path: Path
    out: Path
    stages: tuple[Stage, ...]


def read_study(path: Path) -> StudyFile:
    """Read a study; its commands are looked at by ``stage_arguments``.

    Args:
        path: A TOML file with ``out`` and ``[stages.NAME]`` tables.

    Raises:
        InputError: It cannot be read, a key is unknown, or a stage names one that is not before it.
    """
    table = read_toml(path)
    place = Place(str(path), path.absolute())
    for key in table:
        if key not in ("out", "stages"):
            raise InputError(f"{place.of(key)}: {unknown_name('key', key, ('out', 'stages'))}")
    out, stages = table.get("out"), table.get("stages")
    if not isinstance(out, str) or not out:
        raise InputError(f'{place}: out must be a folder, such as out = "runs/study"')
    if not isinstance(stages, Mapping) or not stages:
        raise InputError(f"{place}: no stages; write one as [stages.NAME] with run = COMMAND")
    made: list[Stage] = []
    for name, values in stages.items():
        stage = _stage(name, values, place.inside("stages").inside(name))
        _check_order(stage, [before.name for before in made])
        made.append(stage)
    return StudyFile(path, Path(out), tuple(made))


def filled(text: str, folders: Mapping[str, Path]) -> str:
    """A value with folders in place of the names of stages.

    Args:
        text: As written.
        folders: By name.
    """
    return _REFERENCE.sub(lambda found: str(folders[found[1]]), text)


def _stage(name: str, values: Any, place: Place) -> Stage:
    if not _NAME.fullmatch(name) or name == OWN:
        raise InputError(
            f"{place.of()}: a stage's name has lower-case letters, digits, - and _, and is not "
            f"{OWN!r}; got {shown(name)}"
        )
    if not isinstance(values, Mapping) or not isinstance(values.get("run"), str):
        raise InputError(
            f'{place.of()}: stage {name!r} must say what it runs, such as run = "compress"'
        )
    rest = {key: value for key, value in values.items() if key != "run"}
    return Stage(name, values["run"], rest, place)


def _check_order(stage: Stage, before: list[str]) -> None:
    for name in stage.after:
        if name not in before:
            wrong = unknown_name("stage before it", name, [*before, OWN])
            raise InputError(f"{stage.place.of()}: stage {stage.name!r} names an {wrong}")


def _texts(value: Any) -> list[str]:
    """Every string in a value."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Mapping | list):
        return []
    items = value.values() if isinstance(value, Mapping) else value
    return [text for item in items for text in _texts(item)]
