"""An artifact in a few lines: what each kind of projection kept, and how many bytes that is."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from workloads.artifact.read import Artifact
from workloads.artifact.record import kept_share, stored_formats, totals
from workloads.artifact.storage import FLOAT_BYTES
from workloads.results.identity import Subject
from workloads.results.subject import subject_of
from workloads.results.table import Cell, Column, Table
from workloads.support.wording import counted

if TYPE_CHECKING:
    from sslc.compression.dry_run import RunEstimate
    from sslc.compression.estimate import ProjectionEstimate

ESTIMATED_FROM = (
    "memory from shapes; time from samples on random matrices, here, at the load of now"
)


@dataclass(frozen=True)
class ArtifactSummary:
    """Counts over the compressed projections of a whole model.

    Attributes:
        path: Of the artifact.
        subject: What it is.
        blocks: How many.
        parameters: Of the projections.
        nonzeros: In S.
        factor_parameters: In U and V.
        kept_share: Of the parameters, in S, U and V, in [0, 1].
        dense_bytes: Of the projections at the stored dtype.
        stored_bytes: Of mask bits, values, scales and factors.
        whole_bytes: Of all of the artifact's files but its manifest: embeddings, tokenizer, ....
    """

    DERIVED: ClassVar = ("stored_share", "weight_bits")

    path: str
    subject: Subject
    blocks: int
    parameters: int
    nonzeros: int
    factor_parameters: int
    kept_share: float
    dense_bytes: int
    stored_bytes: int
    whole_bytes: int

    @property
    def stored_share(self) -> float:
        """Stored over dense bytes."""
        return self.stored_bytes / self.dense_bytes

    @property
    def weight_bits(self) -> float:
        """Stored bits a parameter of the projections."""
        return 8 * self.stored_bytes / self.parameters


def artifact_summary(artifact: Artifact) -> ArtifactSummary:
    """Counts over the compressed projections of the whole model."""
    counts = totals(artifact.blocks)
    records = [record for block in artifact.blocks for record in block.projections]
    width = FLOAT_BYTES[artifact.settings.dtype]
    return ArtifactSummary(
        path=str(artifact.path),
        subject=subject_of(artifact),
        blocks=len(artifact.blocks),
        **counts,
        kept_share=kept_share(artifact.blocks),
        dense_bytes=counts["parameters"] * width,
        stored_bytes=sum(record.stored_bytes for record in records),
        whole_bytes=sum((artifact.path / file).stat().st_size for file in artifact.sha256),
    )


def artifact_table(artifact: Artifact) -> Table:
    """One row per kind of projection: shape, rank, kept share and mean error over the blocks."""
    names = [record.name for record in artifact.blocks[0].projections]
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        records = [
            record
            for block in artifact.blocks
            for record in block.projections
            if record.name == name
        ]
        first = records[0]
        kept = sum(record.nonzeros + record.factor_parameters for record in records)
        known = [record.scaled_error for record in records if record.scaled_error is not None]
        errors = sum(known) / len(known) if len(known) == len(records) else None
        share = kept / (first.m * first.n * len(records))
        sparse = sum(record.nonzeros for record in records) / (first.m * first.n * len(records))
        ranks = sorted({record.rank for record in records})
        rank = ranks[0] if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}"
        rows.append((name, first.module, f"{first.m}x{first.n}", rank, sparse, share, errors))
    columns = (
        *(Column(heading) for heading in ("Projection", "Module", "Shape", "Rank")),
        Column("In S", ".2%"),
        Column("Kept", ".2%"),
        Column("Scaled error", ".4f"),
    )
    summary = artifact_summary(artifact)
    notes = (
        f"{counted(summary.blocks, 'block')}, {summary.parameters:,} parameters in projections, "
        f"{summary.stored_share:.1%} of their dense bytes stored "
        f"({stored_formats(artifact.blocks)}), "
        f"{summary.weight_bits:.2f} bits a weight; the whole directory is "
        f"{summary.whole_bytes / 1e6:,.1f} MB.",
        "Scaled error: unknown where the whole model was trained."
        if artifact.settings.recovery or "logits" in artifact.settings.refinement
        else "Scaled error: mean over blocks of |(W - S - L)D| / |WD|, D the calibration input "
        "norms.",
    )
    title = f"{summary.subject.model} by {artifact.settings.method_name}"
    return Table("artifact", title, columns, tuple(rows), notes)


@dataclass(frozen=True)
class EstimatedProjection:
    """One projection of a run that was not made.

    Attributes:
        block: Which.
        name: Projection.
        method: That would compress it.
        rank: Of U and V.
        nonzeros: In S.
        kept_fraction: Asked for.
        parameters: In S, U and V.
        stored_bytes: Of mask bits, values and factors.
    """

    block: int
    name: str
    method: str
    rank: int
    nonzeros: int
    kept_fraction: float
    parameters: int
    stored_bytes: int


@dataclass(frozen=True)
class EstimateSummary:
    """What a run would give and take.

    Attributes:
        dtype: Stored.
        workers: Projections at once.
        estimated_peak_bytes: Highest resident memory.
        estimated_seconds: Of the run.
        estimated_from: What both are estimated from.
        parameters: Of the projections.
        kept_parameters: In S, U and V.
        dense_bytes: Of the projections at the stored dtype.
        stored_bytes: Of mask bits, values and factors.
        projections: Block by block.
    """

    DERIVED: ClassVar = ("kept_share", "stored_share")

    dtype: str
    workers: int
    estimated_peak_bytes: int
    estimated_seconds: float
    estimated_from: str
    parameters: int
    kept_parameters: int
    dense_bytes: int
    stored_bytes: int
    projections: tuple[EstimatedProjection, ...]

    @property
    def kept_share(self) -> float:
        """Of the parameters, in [0, 1]."""
        return self.kept_parameters / self.parameters

    @property
    def stored_share(self) -> float:
        """Stored over dense bytes."""
        return self.stored_bytes / self.dense_bytes


def estimate_summary(estimate: "RunEstimate") -> EstimateSummary:
    """What a dry run found: every projection, totals, memory and time."""
    entries = estimate.projections
    return EstimateSummary(
        dtype=estimate.dtype,
        workers=estimate.workers,
        estimated_peak_bytes=estimate.peak_bytes,
        estimated_seconds=estimate.seconds,
        estimated_from=ESTIMATED_FROM,
        parameters=sum(entry.m * entry.n for entry in entries),
        kept_parameters=sum(entry.parameters for entry in entries),
        dense_bytes=sum(entry.dense_bytes for entry in entries),
        stored_bytes=sum(entry.stored_bytes for entry in entries),
        projections=tuple(_estimated(entry) for entry in entries),
    )


def _estimated(entry: "ProjectionEstimate") -> EstimatedProjection:
    return EstimatedProjection(
        entry.block, entry.name, entry.method, entry.rank, entry.nonzeros, entry.kept_fraction,
        entry.parameters, entry.stored_bytes,
    )  # fmt: skip


def estimate_tables(estimate: "RunEstimate") -> list[Table]:
    """One row per kind of projection, more where blocks differ, and the sum."""
    alike: dict[ProjectionEstimate, list[ProjectionEstimate]] = {}
    for entry in estimate.projections:
        alike.setdefault(replace(entry, block=0), []).append(entry)
    rows: list[tuple[Cell, ...]] = [
        (
            kind.name, _ranges([entry.block for entry in group]), f"{kind.m}x{kind.n}",
            kind.method, kind.rank, kind.kept_fraction, kind.nonzeros, kind.parameters,
            kind.stored_bytes, kind.stored_bytes / kind.dense_bytes,
        )
        for kind, group in alike.items()
    ]  # fmt: skip
    whole = estimate_summary(estimate)
    rows.append(
        ("all", _ranges(sorted({entry.block for entry in estimate.projections})), "", "", "",
         whole.kept_share, sum(entry.nonzeros for entry in estimate.projections),
         whole.kept_parameters, whole.stored_bytes, whole.stored_share)
    )  # fmt: skip
    columns = (
        *(Column(heading) for heading in ("Projection", "Blocks", "Shape", "Method", "Rank")),
        Column("Kept", ".2%"),
        *(Column(heading, ",") for heading in ("In S", "Parameters", "Bytes")),
        Column("Of dense", ".1%"),
    )
    notes = (
        f"One projection of each kind; all: the whole model. Bytes: {estimate.dtype} values, mask "
        "bits and factors.",
        f"Estimated peak memory: {estimate.peak_bytes / 2**30:.2f} GiB with {estimate.workers} "
        "workers, from shapes (an upper bound).",
        f"Estimated time: {_duration(estimate.seconds)}, from samples on random matrices taken "
        "here, at the load of now.",
    )
    return [Table("estimate", "What a run would give and take", columns, tuple(rows), notes)]


def _ranges(blocks: list[int]) -> str:
    """Ascending block numbers in short: 0-3, 7."""
    parts: list[list[int]] = []
    for block in blocks:
        if parts and parts[-1][-1] == block - 1:
            parts[-1] = [parts[-1][0], block]
        else:
            parts.append([block])
    return ", ".join("-".join(map(str, part)) for part in parts)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
