"""What a report is made from: results, artifacts, sweeps, and runs of the benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from accelerator_sim.design_space.sweep_result import SweepResult
from reports.stored.files import AnyResult, load_results
from reports.stored.measured_files import Recorded, read_recorded
from workloads.artifact.read import MANIFEST, Artifact, open_artifact
from workloads.results.runtime import RuntimeResult
from workloads.support.errors import InputError
from workloads.support.files import read_json
from workloads.support.shards import read_table

_SHARDS, _SPACE = "shards", "space.json"


@dataclass(frozen=True, eq=False)
class Swept:
    """A sweep with its points.

    Attributes:
        result: The front, and what was swept.
        points: One row per point, as its shards have them; None where they are not there.
    """

    result: SweepResult
    points: pa.Table | None


@dataclass(frozen=True)
class Material:
    """What a report is made from.

    Attributes:
        results: Of directories and files.
        recorded: Runs of the benchmarks.
        artifacts: Those of the directories that are artifacts.
        sweeps: With their points.
    """

    results: tuple[AnyResult, ...]
    recorded: tuple[Recorded, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    sweeps: tuple[Swept, ...] = ()


@dataclass(frozen=True)
class Recordings:
    """What the benchmarks left, for JSON.

    Attributes:
        recorded: One entry per run.
    """

    recorded: tuple[Recorded, ...]


def gather(directories: Sequence[Path], measured: Sequence[Path] = ()) -> Material:
    """Read what a report is made from.

    Args:
        directories: Artifacts, or others that hold ``results``.
        measured: Files of the benchmarks or of ``sslc measure``.

    Raises:
        InputError: A directory has no results, or one of them or a file is not whole.
    """
    files = [read_recorded(path) for path in measured]
    results: list[AnyResult] = []
    sweeps: list[Swept] = []
    for directory in directories:
        here = load_results(directory)
        results += here
        sweeps += [_swept(r, directory) for r in here if isinstance(r, SweepResult)]
    results += [file for file in files if isinstance(file, RuntimeResult)]
    return Material(
        tuple(results),
        tuple(file for file in files if isinstance(file, Recorded)),
        tuple(open_artifact(path) for path in directories if (path / MANIFEST).is_file()),
        tuple(sweeps),
    )


def _swept(result: SweepResult, directory: Path) -> Swept:
    """A sweep with the points of its directory, if they are there and are its own.

    Raises:
        InputError: A shard cannot be read, or the shards are of another space.
    """
    paths = sorted((directory / _SHARDS).glob("*.parquet"))
    if not paths or _is_of_another_space(result, directory / _SPACE):
        return Swept(result, None)
    tables = [read_table(path, _columns(path)) for path in paths]
    names = {"point", "feasible", *result.identity.axes, *result.identity.objectives}
    try:
        points = pa.concat_tables(tables)
    except pa.ArrowException as error:
        raise InputError(f"{directory / _SHARDS}: shards of several spaces") from error
    if not names <= set(points.column_names) or points.num_rows != result.points:
        raise InputError(
            f"{directory / _SHARDS}: {points.num_rows:,} points, not the {result.points:,} of "
            f"{directory / 'results'}; run the sweep again"
        )
    return Swept(result, points)


def _is_of_another_space(result: SweepResult, space: Path) -> bool:
    """Whether a directory went on to a larger space since: a sweep of compressed models may."""
    value = read_json(space) if space.is_file() else {}
    now = value.get("sha256") if isinstance(value, dict) else None
    return now is not None and now != result.identity.space_sha256


def _columns(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path).remove_metadata()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a whole table ({error})") from error
