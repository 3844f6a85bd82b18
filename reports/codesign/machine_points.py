"""One compressed model on every machine: sweeps of ``accelerator_sim``, of the points that are new.

A directory has a sweep for the points that were asked for first, and further ones for those that a
larger space added; ``NAME.json`` beside each lists its points. So a space may grow, and what is
finished is not run again.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelerator_sim.design_space.backends import Workers
from accelerator_sim.design_space.evaluation import run_sweep
from accelerator_sim.design_space.sampling import Point
from accelerator_sim.design_space.space import Space
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_json
from workloads.support.progress import Progress

FOLDER = "sweeps"
_DIGITS = 16
Row = dict[str, Any]


def run_points(
    space: Space, folder: Path, *, workers: Workers, progress: Progress
) -> dict[Point, Row]:
    """Evaluate what a folder still lacks of a space.

    Args:
        space: With its workload.
        folder: Of this compressed model's sweeps.
        workers: Who evaluates.
        progress: Told the finished points after every batch.

    Returns:
        A row for every point, by the point.

    Raises:
        InputError: As for ``run_sweep``, or a list of points is damaged.
    """
    rows: dict[Point, Row] = {}
    for part, path in _parts(space, folder, begin=True):
        found = run_sweep(part, path, workers=workers, progress=progress)
        rows.update(zip(part.points, found.to_pylist(), strict=True))
    return {point: rows[point] for point in space.points}


def missing_points(space: Space, folder: Path) -> int:
    """Points that a folder lacks of a space, sweeps that are not finished counted whole.

    Args:
        space: With its workload.
        folder: Of this compressed model's sweeps.
    """
    return sum(
        len(part.points)
        for part, path in _parts(space, folder, begin=False)
        if not _done(part, path)
    )


def _parts(space: Space, folder: Path, *, begin: bool) -> Iterator[tuple[Space, Path]]:
    """Sweeps that together have every point: those that were begun, and one of what they lack."""
    own = folder / replace(space, points=(), batch_points=1).digest[:_DIGITS]
    missing = dict.fromkeys(space.points)
    for listed in sorted(own.glob("*.json")):
        points, batch_points = _listed(listed)
        part = replace(space, points=points, batch_points=batch_points)
        path = listed.with_suffix("")
        wanted = [point for point in points if point in missing]
        if wanted and (len(wanted) == len(points) or _done(part, path)):
            for point in wanted:
                del missing[point]
            yield part, path
    if missing:
        rest = replace(space, points=tuple(missing))
        path = own / rest.digest[:_DIGITS]
        if begin:
            own.mkdir(parents=True, exist_ok=True)
            content = {"points": rest.points, "batch_points": rest.batch_points}
            write_json(path.with_suffix(".json"), content)
        yield rest, path


def _listed(path: Path) -> tuple[tuple[Point, ...], int]:
    value = read_json(path)
    try:
        return tuple(tuple(point) for point in value["points"]), int(value["batch_points"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not the points of a sweep; delete it and {path.with_suffix('')}"
        ) from error


def _done(part: Space, path: Path) -> bool:
    batches = -(-len(part.points) // part.batch_points)
    return len(list((path / "shards").glob("*.parquet"))) == batches
