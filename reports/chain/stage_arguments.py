"""A stage's values as the command line takes them, and all that can be wrong in them found first.

The options are those of the commands themselves: what is not in ``--help`` is no key.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerator_sim.design_space.space import COMPRESSION, load_space
from accelerator_sim.machine.catalog import load_accelerator, load_cost_table, parse_override
from accelerator_sim.models.by_name import MODELS
from reports.chain.study_file import OWN, Stage, filled
from sslc.methods.registry import describe
from workloads.support.errors import InputError, shown, unknown_name
from workloads.support.presets import read_toml
from workloads.texts.windows import NAMES

FOLDER_OPTIONS = {
    "compress": "--out",
    "recover": "--out",
    "export": "--out",
    "sweep": "--out",
    "report": "--out",
    "reproduce": "--out",
    "evaluate": "--save",
    "simulate": "--save",
    "attention": "--save",
    "measure": "--save",
}
"""Commands that a study can run, and the option that names what they leave."""
RESUMABLE = ("compress", "recover", "sweep", "reproduce")
"""Those that go on in their folder where they were killed."""
_OURS = ("out", "save", "format", "json", "resume", "overwrite", "dry-run", "help")
_INPUTS = (
    "directory",
    "directories",
    "artifact",
    "mask",
    "measured",
    "space",
    "overrides",
    "cost_curves",
)
_MAYBE_FILES = ("model", "text", "calibration", "data", "accelerator", "energy", "tasks")


@dataclass(frozen=True, eq=False)
class Prepared:
    """A stage that can run.

    Attributes:
        stage: As the file has it.
        folder: What it leaves.
        arguments: Of its command, the folder included.
        context: Of the command, parsed; typer's.
        inputs: Files and folders that it reads, those of other stages left out.
    """

    stage: Stage
    folder: Path
    arguments: tuple[str, ...]
    context: Any
    inputs: tuple[Path, ...]


def prepare(stage: Stage, group: Any, folders: Mapping[str, Path]) -> Prepared:
    """Parse a stage's values and check what can be checked before anything runs.

    Args:
        stage: From ``study_file``.
        group: typer's group of commands, made with its context.
        folders: Of this stage and all before it, by name.

    Raises:
        InputError: The command, a key or a value cannot be used.
    """
    if stage.command not in FOLDER_OPTIONS:
        raise InputError(
            f"{stage.place.of()}: {unknown_name('command', stage.command, FOLDER_OPTIONS)}"
        )
    command, folder = group.command.commands[stage.command], folders[stage.name]
    own = {**folders, OWN: folder}
    given = list(_arguments(stage, command, own))
    arguments = [*given, FOLDER_OPTIONS[stage.command], str(folder)]
    more = ["--json"] if any(param.name == "as_json" for param in command.params) else []
    if stage.command in RESUMABLE and any(p.name == "resume" for p in command.params):
        more.append("--resume")
    try:
        context = command.make_context(stage.command, [*arguments, *more], parent=group)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        raise InputError(
            f"{stage.place.of()}: {stage.command}: {error.format_message()}"
        ) from error
    try:
        inputs = tuple(_inputs(context.params, tuple(folders.values())))
        _check(stage.command, context.params)
    except InputError as error:
        raise InputError(f"{stage.place.of()}: {error}") from error
    return Prepared(stage, folder, tuple(arguments), context, inputs)


def _arguments(stage: Stage, command: Any, folders: Mapping[str, Path]) -> Iterator[str]:
    """Words of the command line, options before arguments, in the order of the commands' own."""
    by_key = {key: parameter for parameter in command.params for key in _keys(parameter)}
    for key in stage.values:
        if key not in by_key or key in _OURS:
            known = [name for name in by_key if name not in _OURS]
            raise InputError(f"{stage.place.of(key)}: {unknown_name('key', key, known)}")
    positional: list[str] = []
    for key, value in stage.values.items():
        parameter = by_key[key]
        words = [filled(word, folders) for word in _words(value, stage, key)]
        if parameter.param_type_name == "argument":
            positional += words
        elif getattr(parameter, "is_flag", False):
            if not isinstance(value, bool):
                raise InputError(f"{stage.place.of(key)}: {key} is true or false")
            yield from [f"--{key}"] if value else []
        else:
            for word in words:
                yield from (f"--{key}", word)
    yield from (
        ["--", *positional] if any(word.startswith("-") for word in positional) else positional
    )


def _keys(parameter: Any) -> list[str]:
    """What a parameter is called in a study: its option, or its argument's word in lower case."""
    if parameter.param_type_name == "argument":
        metavar = (parameter.metavar or parameter.name).rstrip(".")
        return [metavar.lower().removesuffix(".toml")]
    return [option.removeprefix("--") for option in parameter.opts]


def _words(value: Any, stage: Stage, key: str) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}={_toml(item)}" for name, item in _flat(value)]
    if isinstance(value, list):
        return [word for item in value for word in _words(item, stage, key)]
    if isinstance(value, bool | int | float | str):
        return [value if isinstance(value, str) else str(value)]
    raise InputError(f"{stage.place.of(key)}: {key} cannot be {shown(value)}")


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _toml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _inputs(params: Mapping[str, Any], folders: tuple[Path, ...]) -> Iterator[Path]:
    """What a stage reads beside other stages.

    Raises:
        InputError: Something that it must read is not there.
    """
    for name, must in (*((n, True) for n in _INPUTS), *((n, False) for n in _MAYBE_FILES)):
        value = params.get(name)
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is None or any(Path(each).is_relative_to(folder) for folder in folders):
                continue
            if Path(each).exists():
                yield Path(each)
            elif must or str(each).startswith(("/", "./", "../")):
                raise InputError(f"{each}: no such file or directory")


def _check(command: str, params: Mapping[str, Any]) -> None:
    """Load what is small, and look names up.

    Raises:
        InputError: Something is unknown, or a file cannot be used.
    """
    settings = dict(parse_override(text) for text in params.get("settings") or ())
    if params.get("accelerator") is not None:  # settings of compress are the method's
        load_accelerator(params["accelerator"], {} if command == "compress" else settings)
    if "energy" in params:
        load_cost_table(params["energy"])
    if params.get("cycle_model", "all") not in (*MODELS, "all"):
        raise unknown_name("cycle model", params["cycle_model"], [*MODELS, "all"])
    if command == "sweep":
        _check_space(params["space"])
    if command == "compress":
        _check_method(params["method"], settings)
    for name in ("text", "calibration"):
        _check_text(params.get(name))


def _check_space(path: Path) -> None:
    if COMPRESSION not in read_toml(path):
        load_space(path)
        return
    from reports.codesign.joint_space import load_joint_space

    load_joint_space(path)


def _check_method(method: str, settings: Mapping[str, Any]) -> None:
    known = describe(method).settings
    for key in settings:
        if key not in known:
            raise unknown_name(f"setting of method {method}", key, known)


def _check_text(text: object) -> None:
    """One name or file; several with their windows are left to the command."""
    if not isinstance(text, str) or {":", ","} & set(text):
        return
    if text not in (*NAMES, "self") and not Path(text).exists():
        raise unknown_name("text", text, NAMES)
