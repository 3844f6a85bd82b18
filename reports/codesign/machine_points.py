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
from accelerator_sim.design_space.evaluation import Share, read_results, run_share
from accelerator_sim.design_space.sampling import Point
from accelerator_sim.design_space.space import Space
from workloads.support.files import read_json, write_json
from workloads.support.progress import Progress

FOLDER = "sweeps"
_DIGITS = 16
Row = dict[str, Any]


def run_points(
    space: Space, folder: Path, *, share: Share, workers: Workers, progress: Progress
) -> dict[Point, Row] | None:
    """Evaluate what a folder still lacks of a space.

    Args:
        space: With its workload.
        folder: Of this compressed model's sweeps.
        share: Of the batches, as ``run_share``.
        workers: Who evaluates.
        progress: Told the finished points after every batch.

    Returns:
        A row for every point, by the point; None while others' batches are missing.

    Raises:
        InputError: As for ``run_share``.
    """
    parts = list(_parts(space, folder, begin=True))
    left = [
        run_share(part, path, share=share, workers=workers, progress=progress)
        for part, path in parts
    ]
    if any(left):
        return None
    rows: dict[Point, Row] = {}
    for part, path in parts:
        rows.update(zip(part.points, read_results(part, path).to_pylist(), strict=True))
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
    return tuple(tuple(point) for point in value["points"]), value["batch_points"]


def _done(part: Space, path: Path) -> bool:
    batches = -(-len(part.points) // part.batch_points)
    return len(list((path / "shards").glob("*.parquet"))) == batches
