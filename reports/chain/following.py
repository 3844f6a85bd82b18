"""Stages one after the other: skipped where their result is there, resumed where it is not."""

import contextlib
import io
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reports.chain.fingerprints import fingerprint
from reports.chain.stage_arguments import RESUMABLE, Prepared, prepare
from reports.chain.study_file import StudyFile
from workloads.results.identity import digest, version
from workloads.results.table import Column, Table
from workloads.support.devices import cpu_name
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_atomic, write_json
from workloads.support.working import one_writer

State = Literal["finished before", "done", "to do"]
_PARTIAL = ".partial"


@dataclass(frozen=True)
class StageReport:
    """What became of a stage.

    Attributes:
        stage: Its name.
        command: As it could be typed.
        state: Of its result.
        why: Why it is to do, or was done; empty where it was finished before.
        seconds: That it took when it ran.
        folder: What it left.
    """

    stage: str
    command: str
    state: State
    why: str
    seconds: float | None
    folder: str


@dataclass(frozen=True)
class StudyReport:
    """What became of a study.

    Attributes:
        file: Its file.
        out: Where everything is.
        stages: In order.
    """

    file: str
    out: str
    stages: tuple[StageReport, ...]


def prepare_all(study: StudyFile, group: Any) -> list[Prepared]:
    """Every stage parsed and checked; nothing is run or written.

    Args:
        study: From ``read_study``; the working directory is its folder.
        group: typer's group of commands, made with its context.

    Raises:
        InputError: Any stage cannot run.
    """
    folders: dict[str, Path] = {}
    prepared = []
    for stage in study.stages:
        folders[stage.name] = study.out / stage.name
        prepared.append(prepare(stage, group, folders))
    return prepared


def look(study: StudyFile, prepared: Sequence[Prepared]) -> StudyReport:
    """What a run would do.

    Args:
        study: The study.
        prepared: From ``prepare_all``.
    """
    reports: list[StageReport] = []
    waiting: set[str] = set()
    for each in prepared:
        first = next((name for name in each.stage.after if name in waiting), None)
        why = f"after {first}" if first else _why(study, each)
        if why:
            waiting.add(each.stage.name)
        reports.append(_report(study, each, "to do" if why else "finished before", why))
    return StudyReport(str(study.path), str(study.out), tuple(reports))


def follow(
    study: StudyFile, prepared: Sequence[Prepared], say: Callable[[str], None]
) -> StudyReport:
    """Run what is not finished, in order.

    Args:
        study: The study.
        prepared: From ``prepare_all``.
        say: Told which stage begins.

    Raises:
        InputError: Another run writes here, a folder is not a study's, or a stage fails.
    """
    reports = []
    with one_writer(study.out):
        for number, each in enumerate(prepared, 1):
            why = _why(study, each)
            if why:
                say(f"stage {number} of {len(prepared)}, {each.stage.name}: {why}")
                _run(study, each)
            state: State = "done" if why else "finished before"
            reports.append(_report(study, each, state, why))
    return StudyReport(str(study.path), str(study.out), tuple(reports))


def study_table(report: StudyReport) -> Table:
    """A row for each stage.

    Args:
        report: From ``look`` or ``follow``.
    """
    columns = (
        *(Column(name) for name in ("Stage", "State", "Why")),
        Column("Seconds", ".1f"),
        Column("Command"),
    )
    rows = tuple((s.stage, s.state, s.why or "-", s.seconds, s.command) for s in report.stages)
    notes = (f"Each stage leaves its results in {report.out}/STAGE, and what it said in "
             f"{report.out}/documents/STAGE.json.",)  # fmt: skip
    return Table("study", f"Stages of {report.file}", columns, rows, notes)


def _key(study: StudyFile, each: Prepared) -> str:
    """Hash of all that determines a result: settings, inputs, stages before, this version."""
    before = {name: fingerprint(study.out / name) for name in each.stage.after}
    inputs = {str(path): fingerprint(path) for path in each.inputs}
    settings = {name: str(value) for name, value in each.context.params.items()}
    machine = cpu_name() if each.stage.command == "measure" else ""
    return digest([each.stage.command, settings, inputs, before, version(), machine])


def _why(study: StudyFile, each: Prepared) -> str:
    """Why a stage must run; empty where it need not."""
    began, ended = (_read(_note(study, each, which)) for which in ("begun", "finished"))
    if not began:
        return "new"
    if began.get("key") != _key(study, each):
        return "its settings or inputs changed"
    if not ended or ended.get("key") != began["key"]:
        return "it was interrupted"
    if ended.get("holds") != fingerprint(each.folder):
        return "what it left was changed"
    return ""


def _run(study: StudyFile, each: Prepared) -> None:
    """Run one stage: from the start, or where it was killed."""
    key, began = _key(study, each), _note(study, each, "begun")
    resumes = each.stage.command in RESUMABLE and _read(began).get("key") == key
    ended = _note(study, each, "finished")
    if not (resumes and not ended.exists()):
        _clear(each.folder, known=began.exists())
    ended.unlink(missing_ok=True)
    began.parent.mkdir(parents=True, exist_ok=True)
    write_json(began, {"key": key})
    started, said = time.monotonic(), io.StringIO()
    with contextlib.redirect_stdout(said), each.context:
        each.context.command.invoke(each.context)
    documents = study.out / "documents"
    documents.mkdir(exist_ok=True)
    write_atomic(documents / f"{each.stage.name}.json", said.getvalue().encode())
    seconds = time.monotonic() - started
    write_json(ended, {"key": key, "holds": fingerprint(each.folder), "seconds": seconds})


def _clear(folder: Path, *, known: bool) -> None:
    """Remove what an earlier run of the stage left.

    Raises:
        InputError: Something stands there that no stage has begun.
    """
    for path in (folder, folder.with_name(folder.name + _PARTIAL)):
        if path.exists() and not known:
            raise InputError(f"{path} stands where a stage's work goes; rename it, or change out")
        if path.exists():
            shutil.rmtree(path)


def _report(study: StudyFile, each: Prepared, state: State, why: str) -> StageReport:
    seconds = _read(_note(study, each, "finished")).get("seconds")
    command = " ".join(["sslc", each.stage.command, *each.arguments])
    return StageReport(
        each.stage.name, command, state, why, seconds if state != "to do" else None,
        str(each.folder),
    )  # fmt: skip


def _note(study: StudyFile, each: Prepared, which: str) -> Path:
    return study.out / "state" / f"{each.stage.name}.{which}.json"


def _read(path: Path) -> dict[str, Any]:
    value = read_json(path) if path.is_file() else {}
    return value if isinstance(value, dict) else {}
