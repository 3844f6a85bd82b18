"""Run every point of a space, in batches over workers, each batch one Parquet shard.

After ``space``. Points are independent and idempotent: a batch's shard has the same bytes whoever
evaluates it and when. A shard is there whole or not at all, so a killed sweep loses no finished
batch and a restart repeats none.
"""

import functools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from accelerator_sim.block import simulate_block
from accelerator_sim.design_space.backends import Workers
from accelerator_sim.design_space.objectives import OBJECTIVES, Evaluated
from accelerator_sim.design_space.sampling import Point
from accelerator_sim.design_space.space import FORMAT, VERSION, Space
from accelerator_sim.design_space.variation import BATCH, CONTEXT, TOKENS, WORK_AXES, machine_at
from accelerator_sim.design_space.workload import Workload, load_heads, load_workload
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.kept_programs import KeptPrograms
from accelerator_sim.models.by_name import Model
from accelerator_sim.models.cycles import Run
from workloads.masks.packed import SparseLowRankGemm
from workloads.shapes.attention import ContextAttention
from workloads.support.crowding import crowding
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_atomic, write_json
from workloads.support.progress import Progress, silent
from workloads.support.shards import read_table, table_bytes
from workloads.support.working import locked

_IDENTITY = "space.json"
_TIMED_POINTS = 3


@dataclass(frozen=True)
class Share:
    """One of several runs that divide the batches of a space among them.

    Attributes:
        number: Which, from 1.
        of_shares: How many there are.
    """

    number: int
    of_shares: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of_shares:
            raise InputError(
                "a share is i/N with i from 1 to N, such as 1/4; "
                f"got {self.number}/{self.of_shares}"
            )

    @property
    def lock(self) -> str:
        """A file of the directory that a run of this share holds."""
        return ".lock" if self == WHOLE else f".lock-{self.number}-of-{self.of_shares}"

    def of(self, batches: int) -> range:
        """Its batches: every Nth, so that slow ends of a space are shared too."""
        return range(self.number - 1, batches, self.of_shares)


WHOLE = Share(1, 1)


@dataclass(frozen=True)
class Estimate:
    """How long a sweep will take, from timing a few of its points.

    Attributes:
        points: All points of the space.
        finished: Points whose batch is in the directory already.
        setup_seconds: Making or opening the workload and a first point, once per worker.
        point_seconds: Mean of the timed points.
        timed_points: How many were timed.
        workers: That will share the work.
        crowding: Wall over processor time beside what else the machine runs now.
    """

    DERIVED: ClassVar = ("seconds",)

    points: int
    finished: int
    setup_seconds: float
    point_seconds: float
    timed_points: int
    workers: int
    crowding: float = 1.0

    @property
    def seconds(self) -> float:
        """Until the end, if the other points are like the timed ones."""
        left = self.points - self.finished
        alone = self.setup_seconds + left * self.point_seconds / self.workers
        return alone * self.crowding if left else 0.0


def run_sweep(
    space: Space, out: Path, *, workers: Workers, progress: Progress = silent
) -> pa.Table:
    """Evaluate what a directory still lacks of a space.

    Args:
        space: From ``space.load_space``.
        out: Its directory; made if missing, continued if it holds this space's batches.
        workers: Who evaluates; the results do not depend on it.
        progress: Told the finished points after every batch.

    Returns:
        All results, one row per point: see ``schema``.

    Raises:
        InputError: The directory holds something else, cannot be written to, another sweep is
            writing there, or a worker was lost.
    """
    run_share(space, out, share=WHOLE, workers=workers, progress=progress)
    return read_results(space, out)


def run_share(
    space: Space, out: Path, *, share: Share, workers: Workers, progress: Progress = silent
) -> int:
    """Evaluate what a directory still lacks of a share of a space's batches.

    Runs of other shares may write there at the same time, from other machines too.

    Args:
        space: As ``run_sweep``, and so are the others.
        out: Directory.
        share: Which batches.
        workers: Who evaluates.
        progress: Told the finished points of the share after every batch.

    Returns:
        Points of the whole space that are still missing.

    Raises:
        InputError: As for ``run_sweep``.
    """
    check_directory(space, out)
    with locked(out / share.lock, out):
        write_json(out / _IDENTITY, _identity(space))
        (out / "shards").mkdir(exist_ok=True)
        own = share.of(_batches(space))
        batches = [batch for batch in own if not _shard(out, batch).is_file()]
        total = _points_of(space, own)
        finished = total - _points_of(space, batches)
        progress("sweep", finished, total)
        made = _evaluated(space, batches, workers) if batches else ()
        for batch, data in made:
            write_atomic(_shard(out, batch), data)
            finished += len(_batch_points(space, batch))
            progress("sweep", finished, total)
    return len(space.points) - _finished_points(space, out)


def estimate(space: Space, out: Path, *, workers: int) -> Estimate:
    """Time the workload and a few points spread over the space, by processor time; writes nothing.

    Raises:
        InputError: As for ``run_sweep``.
    """
    check_directory(space, out)
    began = time.process_time()
    count = min(_TIMED_POINTS, len(space.points))
    numbers = [index * len(space.points) // count for index in range(count)]
    points = [(number, space.points[number]) for number in numbers]
    columns = schema(space)
    _evaluate(_task(space, points[:1], columns))
    ready = time.process_time()
    _evaluate(_task(space, points, columns))
    point_seconds = (time.process_time() - ready) / count
    finished = _finished_points(space, out)
    return Estimate(
        points=len(space.points),
        finished=finished,
        setup_seconds=ready - began,
        point_seconds=point_seconds,
        timed_points=count,
        workers=workers,
        crowding=crowding(workers),
    )


def check_directory(space: Space, out: Path) -> None:
    """Refuse a directory that holds something else than batches of this space.

    Raises:
        InputError: It does.
    """
    if not out.exists():
        return
    if not (out / _IDENTITY).is_file():
        if not out.is_dir() or any(path.name[0] != "." for path in out.iterdir()):
            raise InputError(f"{out}: is not a sweep's directory and not empty; give another --out")
        return
    written = read_json(out / _IDENTITY)
    if not isinstance(written, dict) or written.get("format") != FORMAT:
        raise InputError(f"{out / _IDENTITY}: not a sweep's (no format {FORMAT!r})")
    if written.get("sha256") != space.digest:
        raise InputError(
            f"{out}: holds the sweep of another space ({written.get('source')}, or an earlier "
            f"state of {space.source}); give another --out, or delete it"
        )


def read_results(space: Space, out: Path) -> pa.Table:
    """All shards as one table, in the order of the points.

    Raises:
        InputError: A shard cannot be read, or has other rows than its batch.
    """
    tables = []
    columns = schema(space)
    for batch in range(_batches(space)):
        path = _shard(out, batch)
        try:
            table = read_table(path, columns)
        except InputError as error:
            raise InputError(f"{error}; delete it and run the sweep again") from error
        if table.column("point").to_pylist() != [n for n, _ in _batch_points(space, batch)]:
            raise InputError(f"{path}: holds other points; delete it and run the sweep again")
        tables.append(table)
    return pa.concat_tables(tables)


def schema(space: Space) -> pa.Schema:
    """Columns: number of the point, a column per axis, what came of it, and every objective.

    ``reason`` says why a point is infeasible and is null where it is not; objectives are null
    where the point is infeasible.
    """
    axes = [
        (axis.key, column_type([point[index] for point in space.points]))
        for index, axis in enumerate(space.axes)
    ]
    outcome = [("feasible", pa.bool_()), ("reason", pa.string())]
    objectives = [(name, pa.float64()) for name in space.measured]
    return pa.schema([("point", pa.int64()), *axes, *outcome, *objectives])


@dataclass(frozen=True)
class _Task:
    """A batch as it travels to a worker."""

    accelerator: Accelerator
    cycle_model: Model
    costs: CostTable
    workload: Workload
    keys: tuple[str, ...]
    measured: tuple[str, ...]
    points: tuple[tuple[int, Point], ...]
    columns: pa.Schema


def _task(space: Space, points: list[tuple[int, Point]], columns: pa.Schema) -> _Task:
    keys = tuple(axis.key for axis in space.axes)
    return _Task(
        accelerator=space.accelerator,
        cycle_model=space.cycle_model,
        costs=space.costs,
        workload=space.workload,
        keys=keys,
        measured=space.measured,
        points=tuple(points),
        columns=columns,
    )


def _evaluated(space: Space, batches: list[int], workers: Workers) -> Iterator[tuple[int, bytes]]:
    """Finished batches as they come; this process writes them, so no orphan ever does."""
    columns = schema(space)
    jobs = ((batch, _task(space, _batch_points(space, batch), columns)) for batch in batches)
    return workers.run(_numbered, jobs)


def _numbered(batch: int, task: _Task) -> tuple[int, bytes]:
    return batch, _evaluate(task)


def _evaluate(task: _Task) -> bytes:
    """The shard of a batch, as the bytes of a Parquet file."""
    load_workload(task.workload)  # what is wrong with it is wrong with no point
    programs = _programs(task.workload)
    rows = [_row(task, programs, number, point) for number, point in task.points]
    return table_bytes(pa.Table.from_pylist(rows, task.columns))


@functools.lru_cache(maxsize=1)
def _programs(workload: Workload) -> KeptPrograms:
    """What a process keeps from batch to batch of one sweep."""
    del workload
    return KeptPrograms()


def _row(task: _Task, programs: KeptPrograms, number: int, point: Point) -> dict[str, Any]:
    row: dict[str, Any] = {"point": number}
    for key, value in zip(task.keys, point, strict=True):
        words = pa.types.is_string(task.columns.field(key).type)
        row[key] = str(value) if words else value
    try:
        machine = machine_at(task.accelerator, task.keys, point=point)
        tokens, attention = _work(task, point)
        runs: tuple[Run, ...] = ("dense", "sum") if "speedup" in task.measured else ("sum",)
        model = task.cycle_model
        cycles = simulate_block(
            _block(task.workload, tokens),
            machine,
            models=(model,),
            costs=task.costs,
            runs=runs,
            attention=attention,
            programs=programs,
        )[model]
        evaluated = Evaluated(cycles, machine, tokens)
        values = {name: OBJECTIVES[name].measure(evaluated) for name in task.measured}
    except InputError as error:
        return {**row, "feasible": False, "reason": str(error)}
    return {**row, "feasible": True, **values}


def _work(task: _Task, point: Point) -> tuple[int, ContextAttention | None]:
    """Tokens of all sequences together, and attention where a context is given."""
    work = {
        key: int(value) for key, value in zip(task.keys, point, strict=True) if key in WORK_AXES
    }
    tokens, sequences = work[TOKENS], work.get(BATCH, 1)
    if CONTEXT not in work:
        return tokens * sequences, None
    heads = load_heads(task.workload)
    return tokens * sequences, ContextAttention(heads, tokens, work[CONTEXT], sequences)


@functools.lru_cache(maxsize=4)
def _block(workload: Workload, tokens: int) -> tuple[SparseLowRankGemm, ...]:
    """The projections at a number of tokens."""
    items = load_workload(workload)
    return tuple(replace(item, gemm=replace(item.gemm, tokens=tokens)) for item in items)


def column_type(values: Iterable[Any]) -> pa.DataType:
    """Of a column that holds some values, None left out; words where kinds are mixed."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds <= {int, float} else pa.string()


def _batches(space: Space) -> int:
    return -(-len(space.points) // space.batch_points)


def _batch_points(space: Space, batch: int) -> list[tuple[int, Point]]:
    start = batch * space.batch_points
    return list(enumerate(space.points[start : start + space.batch_points], start))


def _finished_points(space: Space, out: Path) -> int:
    return _points_of(space, (b for b in range(_batches(space)) if _shard(out, b).is_file()))


def _points_of(space: Space, batches: Iterable[int]) -> int:
    return sum(len(_batch_points(space, batch)) for batch in batches)


def _shard(out: Path, batch: int) -> Path:
    return out / "shards" / f"{batch:06d}.parquet"


def _identity(space: Space) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "sha256": space.digest,
        "source": Path(space.source).name,
        "points": len(space.points),
        "batch_points": space.batch_points,
    }
