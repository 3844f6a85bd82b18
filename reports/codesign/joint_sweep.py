"""Every compressed model on every machine, and the front of all: what is cheap comes first.

After ``machine_points``. A model is compressed, then runs on all machines, and only if one of these
keeps the constraints that are known by then is its perplexity measured.
"""

from collections.abc import Iterator
from pathlib import Path

import joblib

from accelerator_sim.design_space.backends import LOKY, Workers
from accelerator_sim.design_space.evaluation import WHOLE, Share
from accelerator_sim.design_space.space import Space
from accelerator_sim.design_space.sweep_result import comparable, within
from accelerator_sim.design_space.variation import CONTEXT
from accelerator_sim.design_space.workload import Workload
from reports.codesign.compressed_models import PlannedModel, make_model, plan_models
from reports.codesign.joint_front import (
    VERSION,
    JointRun,
    JointSweep,
    joint_front,
    space_digest,
)
from reports.codesign.joint_space import BITS, ERROR, PERPLEXITY, JointSpace, load_joint_space
from reports.codesign.machine_points import FOLDER, Row, missing_points, run_points
from reports.codesign.model_quality import (
    measured_perplexity,
    reconstruction_error,
    stored_bits,
)
from sslc.model.opening import open_checkpoint
from workloads.artifact.read import MANIFEST, Artifact, open_artifact
from workloads.results.subject import subject_of
from workloads.shapes.attention import read_heads
from workloads.support.errors import InputError, check_count
from workloads.support.files import read_json, write_json
from workloads.support.progress import Progress, silent
from workloads.support.working import locked

FORMAT = "sslc-joint-sweep"
_IDENTITY = "space.json"
_LEFT_OUT = 8
"""Digits of a model's hash that progress does not show."""


def sweep_joint(
    path: Path,
    out: Path,
    *,
    workers: int | None = None,
    backend: str = LOKY,
    address: str = "",
    progress: Progress = silent,
) -> JointSweep:
    """Make, run and compare everything that a space names and that is not there yet.

    Args:
        path: The space's file, with a table ``[compression]``.
        out: Directory of artifacts, sweeps and results; an earlier run, or one of a smaller space,
            goes on.
        workers: As ``accelerator_sim.sweep``; projections at once, too.
        backend: As ``accelerator_sim.sweep``; models are compressed and evaluated here.
        address: As ``accelerator_sim.sweep``.
        progress: Told after every batch, block and model.

    Raises:
        InputError: The space cannot be used, the directory holds something else, or a model cannot
            be compressed or evaluated.
    """
    run = _begin(path, out, _workers(workers, backend, address), progress)
    with locked(out / WHOLE.lock, out):
        rows = [row for part in _all_rows(run, WHOLE) for row in part or ()]
        return joint_front(run, rows)


def share_of_joint(
    path: Path,
    out: Path,
    *,
    share: tuple[int, int],
    workers: int | None = None,
    backend: str = LOKY,
    address: str = "",
    progress: Progress = silent,
) -> int:
    """Make one share of the compressed models and run them on all machines.

    Args:
        path: As ``sweep_joint``; every run has the same.
        out: Directory that all runs see.
        share: Which, from 1, and of how many: every Nth model.
        workers: As ``sweep_joint``.
        backend: As ``sweep_joint``.
        address: As ``sweep_joint``.
        progress: As ``sweep_joint``.

    Returns:
        Points of models that are not finished yet.

    Raises:
        InputError: As ``sweep_joint``.
    """
    part = Share(*share)
    run = _begin(path, out, _workers(workers, backend, address), progress)
    with locked(out / part.lock, out):
        for _ in _all_rows(run, part):
            pass
    return sum(missing_of(run.space, model, out) for model in run.models)


def _workers(count: int | None, backend: str, address: str) -> Workers:
    check_count("workers", count)
    return Workers(count or joblib.cpu_count(), backend, address)


def _begin(path: Path, out: Path, workers: Workers, progress: Progress) -> JointRun:
    """Read the space, look at the model, and name what is to be made."""
    space = load_joint_space(path)
    check_directory(out)
    checkpoint = open_checkpoint(space.compressions.of.model, progress)
    models = plan_models(checkpoint, space.compressions.of, space.compressions.points)
    if CONTEXT in space.keys:
        read_heads(checkpoint.directory)
    return JointRun(space, checkpoint, models, out, workers, progress)


def check_directory(out: Path) -> None:
    """Refuse a directory that holds something else than a joint sweep.

    Args:
        out: Made if missing.

    Raises:
        InputError: It does.
    """
    if not out.exists():
        return
    if not out.is_dir() or ((out / _IDENTITY).is_file() and not _ours(out / _IDENTITY)):
        raise InputError(f"{out}: holds something else than a sweep with [compression]")
    if not (out / _IDENTITY).is_file() and any(each.name[0] != "." for each in out.iterdir()):
        raise InputError(f"{out}: is not a sweep's directory and not empty; give another --out")


def _ours(path: Path) -> bool:
    value = read_json(path)
    return isinstance(value, dict) and value.get("format") == FORMAT


def machines_of(space: JointSpace, model: PlannedModel, artifact: Artifact) -> Space:
    """The hardware side for one model, all of its blocks unless the space says fewer.

    Args:
        space: The joint space.
        model: How it was compressed.
        artifact: What came of it.
    """
    blocks = space.compressions.of.blocks or len(artifact.blocks)
    return space.machines_of(model.point, Workload(artifact=str(artifact.path), blocks=blocks))


def missing_of(space: JointSpace, model: PlannedModel, out: Path) -> int:
    """Points of a model that were not run yet.

    Args:
        space: The joint space.
        model: One of its models.
        out: Directory of the sweep.
    """
    if model.reason:
        return 0
    if not (model.folder(out) / MANIFEST).is_file():
        return len(space.machines.points)
    machines = machines_of(space, model, open_artifact(model.folder(out)))
    return missing_points(machines, out / FOLDER / model.name)


def _all_rows(run: JointRun, share: Share) -> Iterator[list[Row]]:
    """Rows of every model of a share, each finished before the next begins."""
    run.out.mkdir(parents=True, exist_ok=True)
    write_json(
        run.out / _IDENTITY, {"format": FORMAT, "version": VERSION, "sha256": space_digest(run)}
    )
    own = share.of(len(run.models))
    for done, index in enumerate(own):
        run.progress("models", done, len(own))
        yield _rows(run, index)
    run.progress("models", len(own), len(own))


def _rows(run: JointRun, index: int) -> list[Row]:
    """One model on every machine, with what it is worth."""
    space, model = run.space, run.models[index]
    first = index * len(space.machines.points)
    head = {key: model.point.at(key) for key in space.compressions.keys}
    names = [axis.key for axis in space.machines.axes]
    if model.reason:
        nothing = dict.fromkeys(space.measured)
        return [
            {"point": number, **head, **dict(zip(names, point, strict=True)), "feasible": False,
             "reason": model.reason, **nothing}
            for number, point in enumerate(space.machines.points, first)
        ]  # fmt: skip
    artifact = make_model(
        model, space.compressions.of, run.out, workers=run.workers.count, progress=_in(run, model)
    )
    found = run_points(
        machines_of(space, model, artifact),
        run.out / FOLDER / model.name,
        workers=run.workers,
        progress=_in(run, model),
    )
    worth = {BITS: stored_bits(artifact), ERROR: reconstruction_error(artifact)}
    rows = [
        {**row, "point": number, **head, **(worth if row["feasible"] else dict.fromkeys(worth))}
        for number, row in enumerate(found.values(), first)
    ]
    return _evaluated(run, artifact, model, rows) if space.evaluates else rows


def _evaluated(
    run: JointRun, artifact: Artifact, model: PlannedModel, rows: list[Row]
) -> list[Row]:
    """With the perplexity, if any point can still be on the front; else with none."""
    space = run.space
    cheap = [name for name in space.objectives if name != PERPLEXITY]
    value = None
    if comparable(within(rows, space.cheap_constraints), cheap):
        value = measured_perplexity(
            artifact,
            artifact.path,
            sha256=subject_of(artifact).sha256,
            common=space.compressions.of,
            progress=_in(run, model),
        )
    return [{**row, PERPLEXITY: value if row["feasible"] else None} for row in rows]


def _in(run: JointRun, model: PlannedModel) -> Progress:
    """Stages of one model, told apart from those of others."""

    def told(stage: str, done: int, total: int) -> None:
        run.progress(f"{model.name[:-_LEFT_OUT]} {stage}", done, total)

    return told
