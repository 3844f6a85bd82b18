"""An artifact in a few lines: what each kind of projection kept, and how many bytes that is."""

from typing import Any

from reports.results import subject_of
from reports.tables import Cell, Column, Table
from workloads.artifact import Artifact, ProjectionRecord, totals

_VALUE_BYTES = {"BF16": 2, "F16": 2, "F32": 4}


def artifact_summary(artifact: Artifact) -> dict[str, Any]:
    """Counts over the compressed projections of the whole model."""
    subject = subject_of(artifact)
    counts = totals(artifact.blocks)
    records = [record for block in artifact.blocks for record in block.projections]
    width = _VALUE_BYTES[artifact.settings.dtype]
    dense_bytes = counts["parameters"] * width
    stored_bytes = sum(_stored_bytes(record, width) for record in records)
    return {
        "path": str(artifact.path),
        "model": subject.model,
        "method": artifact.settings.method,
        "blocks": len(artifact.blocks),
        "dtype": artifact.settings.dtype,
        **counts,
        "kept_share": (counts["nonzeros"] + counts["factor_parameters"]) / counts["parameters"],
        "dense_bytes": dense_bytes,
        "stored_bytes": stored_bytes,
        "stored_share": stored_bytes / dense_bytes,
    }


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
        errors = sum(record.scaled_error for record in records) / len(records)
        share = kept / (first.m * first.n * len(records))
        sparse = sum(record.nonzeros for record in records) / (first.m * first.n * len(records))
        rows.append((name, first.module, f"{first.m}x{first.n}", first.rank, sparse, share, errors))
    columns = (
        *(Column(heading) for heading in ("Projection", "Module", "Shape", "Rank")),
        Column("In S", ".2%"),
        Column("Kept", ".2%"),
        Column("Scaled error", ".4f"),
    )
    summary = artifact_summary(artifact)
    notes = (
        f"{summary['blocks']} blocks, {summary['parameters']:,} parameters in projections, "
        f"{summary['stored_share']:.1%} of their dense bytes stored ({summary['dtype']}).",
        "Scaled error: mean over blocks of |(W - S - L)D| / |WD|, D the calibration input norms.",
    )
    title = f"{summary['model']} by {artifact.settings.method['name']}"
    return Table("artifact", title, columns, tuple(rows), notes)


def _stored_bytes(record: ProjectionRecord, width: int) -> int:
    mask = record.m * -(-record.n // 8)
    return mask + width * (record.nonzeros + record.factor_parameters)
