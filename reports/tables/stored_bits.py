"""Perplexity beside what is stored: bits a parameter of the projections. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.tables.artifact import artifact_summary
from workloads.artifact.read import Artifact
from workloads.results.identity import DENSE, method_labels
from workloads.results.kinds import PerplexityResult

_BITS_PER_BYTE = 8


@dataclass(frozen=True)
class StoredPerplexity:
    """A model's perplexity and its size.

    Attributes:
        model: Base model.
        method: As rows call it.
        text: That it was evaluated on.
        bits: Stored for a parameter of the projections: mask, values and factors.
        perplexity: Measured.
    """

    model: str
    method: str
    text: str
    bits: float
    perplexity: float


def stored_perplexities(
    results: Sequence[PerplexityResult], artifacts: Sequence[Artifact]
) -> list[StoredPerplexity]:
    """Those whose size is known: artifacts, and the dense model at the width of its artifacts.

    Args:
        results: Of any models and texts.
        artifacts: That results may be about.
    """
    summaries = [artifact_summary(artifact) for artifact in artifacts]
    bits = {
        one.subject.sha256: _BITS_PER_BYTE * one.stored_bytes / one.parameters for one in summaries
    }
    models = {r.identity.subject.sha256: r.identity.subject.model for r in results}
    dense = {
        models.get(one.subject.sha256, one.subject.model): (
            _BITS_PER_BYTE * one.dense_bytes / one.parameters
        )
        for one in summaries
    }
    labels = method_labels([result.identity.subject for result in results])
    found = []
    for result, label in zip(results, labels, strict=True):
        subject, text = result.identity.subject, result.identity.text.source
        size = bits.get(subject.sha256)
        if size is None and subject.method == DENSE:
            size = dense.get(subject.model)
        if size is not None:
            found.append(StoredPerplexity(subject.model, label, text, size, result.perplexity))
    return found
