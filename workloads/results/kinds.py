"""Results by kind: what each stage found, with all that determines it. Frozen, JSON-safe.

Cycles, attention and sweeps are defined where they are computed (``accelerator_sim``); here is
what runs on a model, and the identities that both sides share.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from workloads.results.identity import (
    DENSE,
    CostIdentity,
    MachineIdentity,
    Provenance,
    Subject,
    digest,
)
from workloads.results.table import Column, Table

if TYPE_CHECKING:
    import pandas


class Result(Protocol):
    """What every result has; ``envelope`` writes and reads them."""

    KIND: ClassVar[str]
    COMMAND: ClassVar[str]

    @property
    def identity(self) -> Any:
        """All that determines the numbers: a dataclass, hashed."""

    @property
    def provenance(self) -> Provenance:
        """Where it came from."""

    @property
    def stem(self) -> str:
        """What it is about, for its file's name."""


@dataclass(frozen=True)
class WorkloadIdentity:
    """What a machine was given.

    Attributes:
        sha256: Of every shape, rank and mask, in order (``workloads.results.workload``).
        blocks: How many blocks were simulated.
        of_blocks: How many there are; None where nobody knows.
        tokens: Per product.
        context: Attention over so many tokens as part of MHA; None without.
    """

    sha256: str
    blocks: int
    of_blocks: int | None
    tokens: int
    context: int | None = None


@dataclass(frozen=True)
class CyclesIdentity:
    """All that determines simulated or analytic cycles.

    Attributes:
        subject: The model.
        workload: What of it was run.
        machine: On what.
        costs: By which energies and areas.
        cycle_model: ``published``, ``roofline``, ``event`` or ``compiled``.
    """

    subject: Subject
    workload: WorkloadIdentity
    machine: MachineIdentity
    costs: CostIdentity
    cycle_model: str


@dataclass(frozen=True)
class TextIdentity:
    """A text and how it was cut.

    Attributes:
        source: Its name or file name.
        sha256: Of its characters.
        window_tokens: Tokens per window.
        stride_tokens: Between window starts.
        max_tokens: The most that were asked for; 0 for all.
    """

    source: str
    sha256: str
    window_tokens: int
    stride_tokens: int
    max_tokens: int


@dataclass(frozen=True)
class PerplexityIdentity:
    """All that determines a perplexity.

    Attributes:
        subject: The model.
        text: Evaluation text and windows.
        dtype: Of the arithmetic.
        device: ``cpu`` or ``cuda``.
    """

    subject: Subject
    text: TextIdentity
    dtype: str
    device: str


@dataclass(frozen=True)
class PerplexityResult:
    """A perplexity on held-out text.

    Attributes:
        identity: What determines it.
        provenance: Where it came from.
        perplexity: exp of the mean negative log-likelihood.
        predicted_tokens: Over how many.
    """

    KIND: ClassVar[str] = "perplexity"
    COMMAND: ClassVar[str] = "sslc evaluate"

    identity: PerplexityIdentity
    provenance: Provenance
    perplexity: float
    predicted_tokens: int

    @property
    def stem(self) -> str:
        """Text, and dense where it is."""
        return _about(self.identity.subject, self.identity.text.source)

    def __repr__(self) -> str:
        subject, text = self.identity.subject, self.identity.text.source
        return f"PerplexityResult({self.perplexity:.4g}: {subject.model}, {subject.method}, {text})"

    def to_table(self) -> Table:
        """One row: the perplexity, over what."""
        text, columns = self.identity.text, ("Predicted", "Window", "Stride")
        cells = (self.predicted_tokens, text.window_tokens, text.stride_tokens)
        return Table(
            self.KIND,
            f"Perplexity of {_called(self.identity.subject)}",
            (Column("Perplexity", ".2f"), Column("Text"), *(Column(c, ",d") for c in columns)),
            ((self.perplexity, text.source, *cells),),
        )

    def to_frame(self) -> "pandas.DataFrame":
        """``to_table`` as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        return self.to_table().to_frame()


@dataclass(frozen=True)
class Metric:
    """One score of a task.

    Attributes:
        name: Such as ``acc`` or ``acc_norm``.
        value: The score.
        stderr: Its standard error over the questions; None where it has none.
    """

    name: str
    value: float
    stderr: float | None


@dataclass(frozen=True)
class ZeroShotIdentity:
    """All that determines a task's scores.

    Attributes:
        subject: The model.
        task: Its name.
        task_version: As the harness tells it.
        shots: Examples before a question.
        limit: Questions at most; None for all.
        dtype: Of the model.
        device: ``cpu`` or ``cuda``.
        harness: Its version.
    """

    subject: Subject
    task: str
    task_version: str
    shots: int
    limit: int | None
    dtype: str
    device: str
    harness: str


@dataclass(frozen=True)
class ZeroShotResult:
    """Scores of a task.

    Attributes:
        identity: What determines them.
        provenance: Where they came from.
        metrics: The scores.
        documents: Questions asked.
        of_documents: Questions that the task has.
    """

    KIND: ClassVar[str] = "zero_shot"
    COMMAND: ClassVar[str] = "sslc evaluate --tasks"

    identity: ZeroShotIdentity
    provenance: Provenance
    metrics: tuple[Metric, ...]
    documents: int
    of_documents: int

    @property
    def stem(self) -> str:
        """Task, and dense where it is."""
        return _about(self.identity.subject, self.identity.task)

    def __repr__(self) -> str:
        subject = self.identity.subject
        scores = ", ".join(f"{metric.name} {metric.value:.4g}" for metric in self.metrics)
        about = f"{subject.model}, {subject.method}, {self.identity.task}"
        return f"ZeroShotResult({scores}: {about})"

    def to_table(self) -> Table:
        """One row per metric."""
        return Table(
            self.KIND,
            f"{self.identity.task} of {_called(self.identity.subject)}",
            (Column("Metric"), Column("Value", ".4f"), Column("SE", ".4f"), Column("Questions")),
            tuple((m.name, m.value, m.stderr, self.documents) for m in self.metrics),
        )

    def to_frame(self) -> "pandas.DataFrame":
        """``to_table`` as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        return self.to_table().to_frame()


def _called(subject: Subject) -> str:
    return f"{subject.model} by {subject.method}"


def _about(subject: Subject, what: str) -> str:
    return f"{DENSE}-{what}" if subject.method == DENSE else what


def identity_sha256(result: Result) -> str:
    """Hex SHA-256 of all that determines a result, its kind included."""
    return digest({"kind": result.KIND, "identity": result.identity})
