"""What a recovery trained, and how large the model was before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.tables.artifact import ArtifactSummary, artifact_summary
from workloads.artifact.read import Artifact
from workloads.artifact.record import kept_share
from workloads.results.table import Column, Table


@dataclass(frozen=True)
class RecoverySummary:
    """What was trained.

    Attributes:
        artifact: The recovered one.
        recovery: Settings, data and counts, as in its manifest.
        training_loss: First and last, in nats per predicted token.
        kept_share_before: Of the parameters before the recovery, in [0, 1].
    """

    artifact: ArtifactSummary
    recovery: Mapping[str, Any]
    training_loss: Mapping[str, float]
    kept_share_before: float


def recovery_summary(before: Artifact, after: Artifact) -> RecoverySummary:
    """The recovered artifact's counts with those before, its training and its loss.

    Args:
        before: What was recovered.
        after: What came of it.
    """
    return RecoverySummary(
        artifact_summary(after),
        after.settings.recovery,
        after.training_loss,
        kept_share(before.blocks),
    )


def recovery_table(before: Artifact, after: Artifact) -> Table:
    """One row: parameters trained, shares kept, training loss."""
    recovery, loss = after.settings.recovery, after.training_loss
    columns = (
        *(Column(name) for name in ("Model", "Method", "Trained on")),
        *(Column(name, ",") for name in ("Steps", "Trained parameters")),
        *(Column(name, ".2%") for name in ("Kept before", "Kept after")),
        *(Column(name, ".4f") for name in ("First loss", "Last loss")),
    )
    row = (
        after.settings.base_model["name"],
        after.settings.method_name,
        recovery["source"],
        recovery["steps"],
        recovery["trained_parameters"],
        kept_share(before.blocks),
        kept_share(after.blocks),
        loss["first"],
        loss["last"],
    )
    notes: tuple[str, ...] = (
        "Kept: values of S, U and V over the projections' parameters. S is as it was, bit by bit.",
        "Loss: mean training loss, in nats per predicted token, of the first and last ten steps.",
    )
    if "teacher" in recovery:
        notes += (f"The loss is KL({recovery['teacher']} || model) of the next token.",)
    return Table("recovery", "Recovery", columns, (row,), notes)
