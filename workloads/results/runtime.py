"""Runtimes measured on the device at hand: dense products beside compressed ones, paired."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from workloads.results.identity import Provenance, Subject
from workloads.shapes.gemm import Module

Product = Literal["dense", "compressed", "2:4"]
"""What a backend multiplies by: W as it is, S + U Vᵀ, or another matrix with 2 of 4 kept."""


@dataclass(frozen=True)
class BackendRuntime:
    """Seconds of one product by one backend.

    Attributes:
        backend: Its name.
        product: What it multiplies by.
        weight_bytes: That a call reads of the weights.
        median_seconds: Of a call, over the rounds.
        lower_quartile_seconds: Likewise.
        upper_quartile_seconds: Likewise.
        rounds: How many.
    """

    backend: str
    product: Product
    weight_bytes: int
    median_seconds: float
    lower_quartile_seconds: float
    upper_quartile_seconds: float
    rounds: int


@dataclass(frozen=True)
class ProjectionRuntime:
    """One projection at one number of tokens, by every backend in the same rounds.

    Attributes:
        block: Which block.
        name: Projection.
        module: MHA or FFN.
        m: Rows of W.
        n: Columns of W.
        rank: Columns of U and V.
        nonzeros: Of S.
        tokens: Columns of X.
        dtype: Of weights and activations: ``bf16``, ``fp32`` or ``int8``.
        runtimes: By backend.
    """

    block: int
    name: str
    module: Module
    m: int
    n: int
    rank: int
    nonzeros: int
    tokens: int
    dtype: str
    runtimes: tuple[BackendRuntime, ...]

    def macs(self, product: Product) -> int:
        """Multiply-accumulates of W X, or of S X and U (Vᵀ X)."""
        dense, kept = self.m * self.n, self.nonzeros + self.rank * (self.m + self.n)
        return self.tokens * {"dense": dense, "compressed": kept, "2:4": dense // 2}[product]

    def by(self, backend: str) -> BackendRuntime | None:
        """What a backend took; None where it was not measured."""
        return next((one for one in self.runtimes if one.backend == backend), None)


@dataclass(frozen=True)
class NotMeasured:
    """What could not run here.

    Attributes:
        backend: Its name.
        reason: What is missing.
    """

    backend: str
    reason: str


@dataclass(frozen=True)
class DeviceIdentity:
    """Where something was measured.

    Attributes:
        name: As its vendor calls it.
        kind: ``cpu`` or ``cuda``.
        driver: Of a GPU; None for a processor.
        features: Level of instructions, or compute capability.
        threads: Used.
    """

    DERIVED = ("label",)

    name: str
    kind: str
    driver: str | None
    features: str
    threads: int

    @property
    def label(self) -> str:
        """What tables call it."""
        if self.driver is not None:
            return f"{self.name}, driver {self.driver}"
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.name}, {threads}, {self.features}"


@dataclass(frozen=True)
class RuntimeIdentity:
    """All that determines a measured runtime, the device with it.

    Attributes:
        subject: The model.
        blocks: Which were measured.
        tokens: Columns of X.
        dtypes: Of weights and activations.
        backends: That were asked for.
        device: Where.
        libraries: Versions by name.
    """

    subject: Subject
    blocks: tuple[int, ...]
    tokens: tuple[int, ...]
    dtypes: tuple[str, ...]
    backends: tuple[str, ...]
    device: DeviceIdentity
    libraries: Mapping[str, str]


@dataclass(frozen=True)
class Limits:
    """What the device can do, measured in the same run.

    Attributes:
        stream_bytes_per_second: Memory read and summed.
        call_seconds: Of the smallest product of our own kernels; what a call takes at least.
        macs_per_second: Of a large product by torch, by dtype where it has one.
        rotation_bytes: Copies of each operand together take at least so much.
        load: Processes that ran or waited here at the start, mean of a minute.
    """

    stream_bytes_per_second: float
    call_seconds: float | None
    macs_per_second: Mapping[str, float]
    rotation_bytes: int
    load: float


@dataclass(frozen=True)
class RuntimeResult:
    """Runtimes measured on the device at hand.

    Attributes:
        identity: What determines them.
        provenance: Where they came from.
        limits: Of the device.
        projections: One entry per projection, dtype and number of tokens.
        not_measured: Backends that cannot run here, or not all of this.
    """

    KIND: ClassVar[str] = "runtime"
    COMMAND: ClassVar[str] = "sslc measure"

    identity: RuntimeIdentity
    provenance: Provenance
    limits: Limits
    projections: tuple[ProjectionRuntime, ...]
    not_measured: tuple[NotMeasured, ...]

    @property
    def stem(self) -> str:
        """The device."""
        return self.identity.device.name

    def __repr__(self) -> str:
        subject, blocks = self.identity.subject, len(self.identity.blocks)
        where = f"{subject.model}, {subject.method}, {self.identity.device.name}"
        return f"RuntimeResult({where}, {blocks} block{'s' if blocks != 1 else ''})"

    def totals(self, module: Module | None, *, tokens: int, dtype: str) -> list[BackendRuntime]:
        """Sums over the projections of a module, by each backend that ran all of them.

        Args:
            module: None for all projections.
            tokens: Columns of X.
            dtype: Of weights and activations.

        Returns:
            Seconds and bytes of one block, the mean over the measured blocks; quartiles are summed.
        """
        entries = [
            entry
            for entry in self.projections
            if (entry.tokens, entry.dtype) == (tokens, dtype) and module in (None, entry.module)
        ]
        names = dict.fromkeys(one.backend for entry in entries for one in entry.runtimes)
        blocks = len({entry.block for entry in entries})
        totals = []
        for name in names:
            parts = [one for entry in entries if (one := entry.by(name)) is not None]
            if len(parts) == len(entries):
                totals.append(_sum(parts, blocks))
        return totals


def best(runtimes: Iterable[BackendRuntime], product: Product) -> BackendRuntime | None:
    """The fastest by the lower quartile, which other work on the machine disturbs least.

    Args:
        runtimes: Of one projection or module.
        product: Only those that multiply by this.

    Returns:
        None where there is none.
    """
    of_product = [one for one in runtimes if one.product == product]
    return min(of_product, key=lambda one: one.lower_quartile_seconds, default=None)


def _sum(parts: list[BackendRuntime], blocks: int) -> BackendRuntime:
    return BackendRuntime(
        backend=parts[0].backend,
        product=parts[0].product,
        weight_bytes=sum(part.weight_bytes for part in parts) // blocks,
        median_seconds=sum(part.median_seconds for part in parts) / blocks,
        lower_quartile_seconds=sum(part.lower_quartile_seconds for part in parts) / blocks,
        upper_quartile_seconds=sum(part.upper_quartile_seconds for part in parts) / blocks,
        rounds=min(part.rounds for part in parts),
    )
