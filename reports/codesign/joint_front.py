"""From the rows of a joint sweep to its front, through what any sweep has.

Before ``joint_sweep``, which makes the rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from accelerator_sim.design_space.backends import Workers
from accelerator_sim.design_space.constraints import Bounds
from accelerator_sim.design_space.evaluation import column_type
from accelerator_sim.design_space.sweep_result import Sweep, SweepIdentity, front_result
from accelerator_sim.machine.catalog import accelerator_table
from accelerator_sim.machine.identity import cost_identity, machine_identity
from reports.codesign.compressed_models import PlannedModel
from reports.codesign.compression_points import METHOD, stored_width
from reports.codesign.joint_space import PERPLEXITY, JointSpace
from reports.codesign.machine_points import Row
from reports.codesign.model_quality import measured_perplexity, text_identity
from sslc.model.checkpoint import Checkpoint
from workloads.results.identity import digest, provenance
from workloads.support.files import write_atomic
from workloads.support.progress import Progress
from workloads.support.shards import table_bytes
from workloads.support.wording import counted

VERSION = 1
_POINTS = Path("shards", "000000.parquet")
"""Where reports look for the points of a sweep."""


@dataclass(frozen=True)
class JointSweep:
    """A finished sweep of compressed models and machines.

    Attributes:
        sweep: The front and all points.
        notes: What its table says beside.
        own: Settings of some methods only, by the axis that they belong to.
    """

    sweep: Sweep
    notes: tuple[str, ...]
    own: Mapping[str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class JointRun:
    """What a run works with."""

    space: JointSpace
    checkpoint: Checkpoint
    models: tuple[PlannedModel, ...]
    out: Path
    workers: Workers
    progress: Progress


def joint_front(run: JointRun, rows: list[Row]) -> JointSweep:
    """The front of all rows; the rows themselves are written where reports look for them.

    Args:
        run: What was run.
        rows: Of every point, in their order.

    Raises:
        InputError: The dense model cannot be evaluated.
    """
    space = run.space
    columns = [
        ("point", pa.int64()),
        *((key, column_type(row[key] for row in rows)) for key in space.keys),
        ("feasible", pa.bool_()),
        ("reason", pa.string()),
        *((name, pa.float64()) for name in space.measured),
    ]
    points = pa.Table.from_pylist(rows, pa.schema(columns))
    (run.out / _POINTS).parent.mkdir(exist_ok=True)
    write_atomic(run.out / _POINTS, table_bytes(points))
    identity = _identity(run, _constraints(run, rows))
    result = front_result(
        identity, points.to_pylist(), provenance=provenance(threads=run.workers.count)
    )
    own = {METHOD: space.compressions.own}
    return JointSweep(Sweep(result, points), tuple(_notes(run, rows)), own)


def _constraints(run: JointRun, rows: Sequence[Row]) -> dict[str, Bounds]:
    """As numbers: the dense model is evaluated where a bound is relative to it."""
    space, known = run.space, dict(run.space.constraints)
    bounds = known.get(PERPLEXITY)
    if bounds is None or bounds.most_times_dense is None:
        return known
    if any(row[PERPLEXITY] is not None for row in rows):
        dense = measured_perplexity(
            space.compressions.of.model,
            run.out,
            sha256=run.checkpoint.sha256(),
            common=space.compressions.of,
            progress=run.progress,
        )
        known[PERPLEXITY] = bounds.against(dense)
    return known


def _identity(run: JointRun, constraints: Mapping[str, Bounds]) -> SweepIdentity:
    space, machines = run.space, run.space.machines
    common = space.compressions.of
    return SweepIdentity(
        space_digest(run),
        machine_identity(machines.accelerator),
        cost_identity(machines.costs),
        {
            "model": run.checkpoint.name,
            "blocks": common.blocks or None,
            "masks": "real (compressed by the sweep)",
            "models": [model.name for model in run.models],
            "text": asdict(text_identity(common)) if space.evaluates else None,
        },
        machines.cycle_model,
        space.keys,
        space.objectives,
        machines.tolerance,
        constraints,
    )


def space_digest(run: JointRun) -> str:
    """Hash of all that decides the rows.

    Args:
        run: What is run.
    """
    space, machines = run.space, run.space.machines
    return digest(
        {
            "version": VERSION,
            "models": [model.name for model in run.models],
            "blocks": space.compressions.of.blocks,
            "text": text_identity(space.compressions.of) if space.evaluates else None,
            "accelerator": accelerator_table(machines.accelerator),
            "cycle_model": machines.cycle_model,
            "costs": asdict(machines.costs),
            "keys": space.keys,
            "points": machines.points,
            "measured": space.measured,
        }
    )


def _notes(run: JointRun, rows: Sequence[Row]) -> Iterator[str]:
    common = run.space.compressions.of
    yield (
        "Stored bits: mask, values, scales, U and V over the parameters of the projections. "
        "Reconstruction error: mean over projections of |(W - S - L)D| / |WD|."
    )
    if any(stored_width(model.point, "value_bits") is None for model in run.models):
        bits = run.space.machines.accelerator.bits
        yield (
            f"Where value_bits is not given, the machine is given {bits.weight}-bit weights and "
            "perplexity is that of the dtype that is stored."
        )
    if run.space.evaluates:
        tokens = f"the first {common.max_tokens:,}" if common.max_tokens else "all"
        yield f"Perplexity on {Path(common.text).name}, {tokens} tokens."
        per_model = len(run.space.machines.points)
        skipped = sum(
            any(row["feasible"] for row in part) and part[0][PERPLEXITY] is None
            for part in (rows[i : i + per_model] for i in range(0, len(rows), per_model))
        )
        if skipped:
            yield (
                f"{counted(skipped, 'model')} not evaluated: no point of theirs keeps the other "
                "constraints."
            )
