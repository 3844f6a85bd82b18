"""What a directory or a file is that commands left behind, in a few lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Literal

from accelerator_sim.machine.catalog import load_accelerator
from reports.stored.files import FOLDER, KINDS, AnyResult, load_results
from reports.tables.artifact import ArtifactSummary, artifact_summary, artifact_table
from workloads.artifact.read import MANIFEST, open_artifact
from workloads.artifact.write import PROGRESS
from workloads.results.envelope import FORMAT, result_from_json
from workloads.results.table import Cell, Column, Table
from workloads.support.errors import InputError
from workloads.support.files import read_json
from workloads.support.presets import read_toml

Kind = Literal[
    "artifact", "unfinished", "results", "result", "checkpoint", "accelerator", "space", "study",
    "report", "folder",
]  # fmt: skip
_CHECKPOINT = "config.json"
_PAGE = "index.html"
_TOML_KINDS: dict[str, Kind] = {"workload": "space", "stages": "study"}
"""Files of other things than machines, by a table that only they have."""
_MOST_INSIDE = 40
_WIDEST = 120
"""Characters that say what a result is."""


@dataclass(frozen=True)
class ShownResult:
    """A result in one line.

    Attributes:
        file: Its path.
        kind: Such as ``perplexity``.
        about: Model, method, setting and number.
        command: As it was typed.
        created: UTC.
        version: Of the project that made it.
    """

    file: str
    kind: str
    about: str
    command: str
    created: str
    version: str


@dataclass(frozen=True)
class Inside:
    """A directory inside the one that is shown.

    Attributes:
        path: Its path.
        kind: What it is.
        results: How many it holds.
    """

    path: str
    kind: Kind
    results: int


@dataclass(frozen=True)
class Inventory:
    """What is there.

    Attributes:
        path: As it was given.
        kind: What it is.
        sentence: What that means, and what can be done with it.
        artifact: Counts; None where it is none.
        results: Of its own.
        inside: Directories in it that are something.
    """

    path: str
    kind: Kind
    sentence: str
    artifact: ArtifactSummary | None = None
    results: tuple[ShownResult, ...] = ()
    inside: tuple[Inside, ...] = ()


_SENTENCES: dict[Kind, str] = {
    "artifact": "a compressed model; sslc evaluate, simulate, measure, recover and export take it",
    "unfinished": "a compressed model that is not finished; sslc compress --resume goes on with it",
    "results": "results of commands; sslc report makes tables, figures and a page of them",
    "result": "one result; sslc report takes the directory above its folder",
    "checkpoint": "a checkpoint; sslc compress and evaluate take it, simulate where it is pruned",
    "accelerator": "a machine; --accelerator takes it",
    "space": "a design space; sslc sweep takes it",
    "study": "a run file; sslc run takes it",
    "report": f"a report; open its {_PAGE} in a browser, the tables beside it are for papers",
    "folder": "a folder of what commands left",
}


def inventory(path: Path) -> Inventory:
    """What a path is.

    Args:
        path: A directory or a file.

    Raises:
        InputError: It is not there, is nothing of ours, or is damaged.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or directory")
    if path.is_file():
        return _file(path)
    kind, results = _kind(path), _results(path)
    if kind == "artifact":
        counts = artifact_summary(open_artifact(path))
        return Inventory(str(path), kind, _SENTENCES[kind], counts, results)
    inside = tuple(_inside(path))[:_MOST_INSIDE] if kind in ("folder", "results") else ()
    if kind == "folder" and not inside:
        raise InputError(
            f"{path}: nothing of sslc is in it; show takes an artifact, a checkpoint, a report, a "
            "directory with results or with such directories in it, a result file, or the TOML of "
            "an accelerator, a space or a study"
        )
    return Inventory(str(path), kind, _SENTENCES[kind], results=results, inside=inside)


def inventory_tables(shown: Inventory) -> list[Table]:
    """What is there, as people read it.

    Args:
        shown: From ``inventory``.
    """
    path = Path(shown.path)
    tables = []
    if shown.kind == "artifact":
        tables.append(artifact_table(open_artifact(path)))
    elif not shown.results and not shown.inside:
        tables.append(Table("shown", shown.path, (Column("It is"),), ((shown.sentence,),)))
    if shown.results:
        rows: list[tuple[Cell, ...]] = [
            (Path(each.file).name, each.kind, each.about, each.created, each.command)
            for each in shown.results
        ]
        headings = ("File", "Kind", "Of", "Made", "By")
        tables.append(_table("results", f"Results in {path}", headings, rows))
    if shown.inside:
        rows = [(each.path, each.kind, each.results) for each in shown.inside]
        tables.append(_table("inside", f"In {path}", ("Directory", "It is", "Results"), rows))
    return tables


def _table(name: str, title: str, headings: tuple[str, ...], rows: list[tuple[Cell, ...]]) -> Table:
    return Table(name, title, tuple(Column(heading) for heading in headings), tuple(rows))


def _kind(directory: Path) -> Kind:
    if (directory / PROGRESS).is_file():
        return "unfinished"
    if (directory / MANIFEST).is_file():
        return "artifact"
    if any((directory / FOLDER).glob("*.json")):
        return "results"
    if (directory / _PAGE).is_file() and any(directory.glob("*.tex")):
        return "report"
    return "checkpoint" if (directory / _CHECKPOINT).is_file() else "folder"


def _inside(directory: Path) -> Iterator[Inside]:
    for entry in sorted(directory.iterdir()):
        if not entry.is_dir() or entry.is_symlink():
            continue
        kind = _kind(entry)
        if kind != "folder":
            results = sum(1 for _ in (entry / FOLDER).glob("*.json"))
            yield Inside(str(entry), kind, results)


def _results(directory: Path) -> tuple[ShownResult, ...]:
    paths = sorted((directory / FOLDER).glob("*.json"))
    results = load_results(directory) if paths else []
    return tuple(_shown(path, result) for path, result in zip(paths, results, strict=True))


def _shown(path: Path, result: AnyResult) -> ShownResult:
    origin = result.provenance
    about = repr(result).removeprefix(f"{type(result).__name__}(").removesuffix(")")
    return ShownResult(
        str(path), result.KIND, shorten(about, _WIDEST), origin.command, origin.created,
        origin.version,
    )  # fmt: skip


def _file(path: Path) -> Inventory:
    if path.suffix == ".toml":
        keys = read_toml(path).keys()
        found = (kind for key, kind in _TOML_KINDS.items() if key in keys)
        kind: Kind = next(found, "accelerator")
        if kind == "accelerator":
            load_accelerator(path)
        return Inventory(str(path), kind, _SENTENCES[kind])
    value = read_json(path) if path.suffix == ".json" else None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(
            f"{path}: neither a result (.json) nor an accelerator, a space or a study (.toml); "
            "give its directory"
        )
    result = result_from_json(value, KINDS, str(path))
    return Inventory(str(path), "result", _SENTENCES["result"], results=(_shown(path, result),))
