"""Small results of every kind that the leaf knows, for tests."""

from workloads.results.identity import Provenance, Subject
from workloads.results.kinds import (
    Metric,
    PerplexityIdentity,
    PerplexityResult,
    TextIdentity,
    ZeroShotIdentity,
    ZeroShotResult,
)
from workloads.results.runtime import (
    BackendRuntime,
    DeviceIdentity,
    Limits,
    NotMeasured,
    Product,
    ProjectionRuntime,
    RuntimeIdentity,
    RuntimeResult,
)
from workloads.shapes.gemm import Module

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


DEVICE = DeviceIdentity("a CPU", "cpu", None, "avx2", 2)


def backend_runtime(name: str, product: Product, seconds: float, size: int) -> BackendRuntime:
    """Seconds of one backend; its quartiles are a tenth apart."""
    return BackendRuntime(name, product, size, seconds, seconds * 0.9, seconds * 1.1, 7)


def projection_runtime(
    tokens: int, dense: float, compressed: float, *, block: int = 0, module: Module = "FFN"
) -> ProjectionRuntime:
    """A projection of 1000 weights of which 500 are kept, in bf16."""
    name = {"FFN": "mlp.up_proj", "MHA": "self_attn.q_proj"}[module]
    runtimes = (
        backend_runtime("own dense", "dense", dense, 2000),
        backend_runtime("torch dense", "dense", 2 * dense, 2000),
        backend_runtime("kernel cpu", "compressed", compressed, 1250),
    )
    return ProjectionRuntime(block, name, module, 10, 100, 1, 390, tokens, "bf16", runtimes)


def runtime(
    subject: Subject = SUBJECT, entries: tuple[ProjectionRuntime, ...] = ()
) -> RuntimeResult:
    """Runtimes of one projection."""
    entries = entries or (projection_runtime(1, 1e-3, 5e-4),)
    tokens = tuple(sorted({entry.tokens for entry in entries}))
    names = ("own dense", "torch dense", "kernel cpu")
    identity = RuntimeIdentity(subject, (0,), tokens, ("bf16",), names, DEVICE, {"torch": "2.13"})
    limits = Limits(1e7, 2e-5, {"bf16": 1e11}, 100, 0.5)
    missing = (NotMeasured("torch 2:4", "needs a CUDA device"),)
    return RuntimeResult(identity, PROVENANCE, limits, entries, missing)
