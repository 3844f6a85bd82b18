"""Small results of every kind that the leaf knows, for tests."""

from workloads.results.identity import Provenance, Subject
from workloads.results.kinds import (
    Metric,
    PerplexityIdentity,
    PerplexityResult,
    ProjectionRuntime,
    RuntimeIdentity,
    RuntimeResult,
    TextIdentity,
    ZeroShotIdentity,
    ZeroShotResult,
)

SUBJECT = Subject("tiny", "sslc", 0.5, "real", "ab" * 32, "F32", {"iterations": 40})
PROVENANCE = Provenance("0.1.0", "abc", "sslc evaluate tiny", "2026-01-01T00:00:00Z")
TEXT = TextIdentity("embedded", "cd" * 32, 512, 512, 16384)


def perplexity(
    subject: Subject = SUBJECT, value: float = 20.0, text: TextIdentity = TEXT
) -> PerplexityResult:
    """A perplexity."""
    identity = PerplexityIdentity(subject, text, "F32", "cpu")
    return PerplexityResult(identity, PROVENANCE, value, 100)


def zero_shot(subject: Subject = SUBJECT, task: str = "piqa") -> ZeroShotResult:
    """A task's score."""
    identity = ZeroShotIdentity(subject, task, "1.0", 0, None, "F32", "cpu", "0.4.13")
    return ZeroShotResult(identity, PROVENANCE, (Metric("acc", 0.5, 0.1),), 10, 10)


def runtime(subject: Subject = SUBJECT) -> RuntimeResult:
    """Runtimes of one projection."""
    identity = RuntimeIdentity(subject, (0,), (1,), "F32", "a CPU", 2, {"torch": "2.13"}, "CSR")
    entry = ProjectionRuntime(0, "mlp.up_proj", "FFN", 1, 1e-3, 5e-4, 1e-4)
    return RuntimeResult(identity, PROVENANCE, (entry,))
