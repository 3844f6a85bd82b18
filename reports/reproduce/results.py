"""What is measured on a compressed model, with all that determines it: typed results.

A cell of a table is one model, compressed in one way: facts of its manifest, a perplexity for each
text, scores for each task. Its identity is what it is made from, known before anything is made.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from accelerator_sim.models.cycles_result import CyclesResult
from workloads.results.identity import (
    NOT_HASHED,
    CostIdentity,
    MachineIdentity,
    Provenance,
    Subject,
)
from workloads.results.kinds import (
    Metric,
    Result,
    TextIdentity,
    WorkloadIdentity,
    identity_sha256,
)
from workloads.shapes.gemm import Module

FORM = 1
"""Raised when a cell's meaning changes, so that cells of the old meaning are made anew."""
ACCURACY = "acc"


@dataclass(frozen=True)
class ModelIdentity:
    """A dense checkpoint.

    Attributes:
        name: What the user called it.
        sha256: Of its weights, configuration and tokenizer.
    """

    name: str = field(metadata=NOT_HASHED)
    sha256: str


@dataclass(frozen=True)
class CalibrationIdentity:
    """A calibration text and how it is cut.

    Attributes:
        source: Its name or file.
        sha256: Of its characters.
        windows: How many.
        window_tokens: Tokens in each.
        seed: Of the windows' positions.
    """

    source: str
    sha256: str
    windows: int
    window_tokens: int
    seed: int


@dataclass(frozen=True)
class RecipeIdentity:
    """How a model is compressed.

    Attributes:
        method: A registered method, or ``dense`` for the model as it is.
        settings: Of the method, all of them.
        calibration: None for the model as it is.
        choice: Patterns of compressed projections, and other settings for some of them.
        recovery: Settings of a fine-tuning after compression, and the hash of its data.
        matching: Settings of the training of each block before the next one is compressed.
    """

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    calibration: CalibrationIdentity | None = None
    choice: Mapping[str, Any] = field(default_factory=dict)
    recovery: Mapping[str, Any] | None = None
    matching: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class CellIdentity:
    """A model and how it is compressed.

    Attributes:
        model: The dense model.
        recipe: What is done to it.
        device: ``cpu`` or ``cuda``.
        form: Of the cell.
    """

    model: ModelIdentity
    recipe: RecipeIdentity
    device: str
    form: int = FORM


@dataclass(frozen=True)
class CellFacts:
    """What the manifest says of the compressed projections.

    Attributes:
        identity: The cell.
        provenance: Where it came from.
        kept_share: Of their parameters, factors included, in [0, 1].
        scaled_error: Mean of ‖(W − S − L)D‖_F / ‖WD‖_F over them; None for dense or recovered.
        trained_parameters: By a recovery; 0 without one.
    """

    KIND: ClassVar[str] = "cell_facts"
    COMMAND: ClassVar[str] = "sslc reproduce"

    identity: CellIdentity
    provenance: Provenance
    kept_share: float
    scaled_error: float | None
    trained_parameters: int

    @property
    def stem(self) -> str:
        """The method."""
        return self.identity.recipe.method


@dataclass(frozen=True)
class CellTextIdentity:
    """A cell and the text that it is evaluated on."""

    cell: CellIdentity
    text: TextIdentity


@dataclass(frozen=True)
class CellPerplexity:
    """A perplexity of a cell.

    Attributes:
        identity: Cell and text.
        provenance: Where it came from.
        negative_log_likelihood: Mean per predicted token, in nats.
        predicted_tokens: Over how many.
    """

    KIND: ClassVar[str] = "cell_perplexity"
    COMMAND: ClassVar[str] = "sslc reproduce"
    DERIVED: ClassVar = ("perplexity",)

    identity: CellTextIdentity
    provenance: Provenance
    negative_log_likelihood: float
    predicted_tokens: int

    @property
    def perplexity(self) -> float | None:
        """exp of the mean; None where a float cannot hold it."""
        try:
            return math.exp(self.negative_log_likelihood)
        except OverflowError:
            return None

    @property
    def stem(self) -> str:
        """Method and text."""
        return f"{self.identity.cell.recipe.method}-{self.identity.text.source}"


@dataclass(frozen=True)
class TaskIdentity:
    """A task, a task file, or a folder of them.

    Attributes:
        task: As it was asked for.
        sha256: Of the file; None where it is none.
        limit: Questions at most; None for all.
        harness: Version of lm-eval.
    """

    task: str
    sha256: str | None
    limit: int | None
    harness: str


@dataclass(frozen=True)
class CellTaskIdentity:
    """A cell and the task that it is asked."""

    cell: CellIdentity
    task: TaskIdentity


@dataclass(frozen=True)
class CellScores:
    """Scores of a cell.

    Attributes:
        identity: Cell and task.
        provenance: Where they came from.
        scores: By the task's name in lm-eval; a folder or a group has several.
    """

    KIND: ClassVar[str] = "cell_scores"
    COMMAND: ClassVar[str] = "sslc reproduce"

    identity: CellTaskIdentity
    provenance: Provenance
    scores: Mapping[str, tuple[Metric, ...]]

    @property
    def stem(self) -> str:
        """Method and task."""
        return f"{self.identity.cell.recipe.method}-{self.identity.task.task}"


@dataclass(frozen=True)
class CellCyclesIdentity:
    """A cell and the machine that runs it.

    Attributes:
        cell: The compressed model.
        blocks: How many of its blocks are run, from the first on; None for all.
        tokens: Per product.
        context: Attention over so many tokens as part of MHA; None without.
        machine: On what.
        costs: By which energies and areas.
        cycle_model: Such as ``roofline``.
    """

    cell: CellIdentity
    blocks: int | None
    tokens: int
    context: int | None
    machine: MachineIdentity
    costs: CostIdentity
    cycle_model: str


@dataclass(frozen=True)
class CellCycles:
    """Cycles of a cell; the result inside has the masks' hash too, which is known afterwards."""

    KIND: ClassVar[str] = "cell_cycles"
    COMMAND: ClassVar[str] = "sslc reproduce"

    identity: CellCyclesIdentity
    provenance: Provenance
    cycles: CyclesResult

    @property
    def stem(self) -> str:
        """Method and cycle model."""
        return f"{self.identity.cell.recipe.method}-{self.identity.cycle_model}"


@dataclass(frozen=True)
class CurveIdentity:
    """All that determines the published model's curve of a module.

    Attributes:
        subject: The model.
        workload: What of it was run.
        machine: On what.
        module: MHA or FFN.
    """

    subject: Subject
    workload: WorkloadIdentity
    machine: MachineIdentity
    module: Module


@dataclass(frozen=True)
class CurveResult:
    """Cycles of S by the published model over its dense-column threshold.

    Attributes:
        identity: What determines them.
        provenance: Where they came from.
        dense_cycles: Of the same products, dense.
        thresholds: Share of a column that must be kept for it to count as dense.
        sparse_cycles: At each threshold.
    """

    KIND: ClassVar[str] = "published_curve"
    COMMAND: ClassVar[str] = "sslc reproduce table4"

    identity: CurveIdentity
    provenance: Provenance
    dense_cycles: float
    thresholds: tuple[float, ...]
    sparse_cycles: tuple[int, ...]

    @property
    def stem(self) -> str:
        """Model and module."""
        return f"{self.identity.subject.model}-{self.identity.module}"


@dataclass(frozen=True)
class Measured:
    """A cell with all that a study asks of it.

    Attributes:
        facts: Of the manifest.
        texts: Perplexities, by evaluation text as the study names it.
        tasks: Scores, by task as the study names it.
    """

    facts: CellFacts
    texts: Mapping[str, CellPerplexity]
    tasks: Mapping[str, CellScores]

    @property
    def recipe(self) -> RecipeIdentity:
        """How the model was compressed."""
        return self.facts.identity.recipe

    @property
    def perplexities(self) -> dict[str, float]:
        """By text; infinite where a float cannot hold it."""
        values = {text: cell.perplexity for text, cell in self.texts.items()}
        return {text: math.inf if value is None else value for text, value in values.items()}

    @property
    def accuracies(self) -> dict[str, float | None]:
        """``acc`` in percent by the tasks' names in lm-eval; None for a task that has none."""
        return {
            task: next((100 * m.value for m in metrics if m.name == ACCURACY), None)
            for cell in self.tasks.values()
            for task, metrics in cell.scores.items()
        }

    @property
    def mean_accuracy(self) -> float | None:
        """Mean over the tasks that have ``acc``, in percent; None without any."""
        values = [value for value in self.accuracies.values() if value is not None]
        return sum(values) / len(values) if values else None

    @property
    def results(self) -> tuple[Result, ...]:
        """All that was measured."""
        return (self.facts, *self.texts.values(), *self.tasks.values())


@dataclass(frozen=True)
class BlockIdentity:
    """All that determines what is measured on a block of a dense model.

    Attributes:
        model: The dense model.
        recipe: The method that is tried on its weights, and the calibration of its inputs.
        block: Which, from 0.
        projections: Of it.
        readings: What else determines the numbers, by name.
        device: ``cpu`` or ``cuda``.
        form: Of the cell.
    """

    model: ModelIdentity
    recipe: RecipeIdentity
    block: int
    projections: tuple[str, ...]
    readings: Mapping[str, Any]
    device: str
    form: int = FORM


def results_of(measured: Iterable[Measured]) -> tuple[Result, ...]:
    """All that was measured on some cells, once each: rows of a study may share cells."""
    return unique(result for cell in measured for result in cell.results)


def unique(results: Iterable[Result]) -> tuple[Result, ...]:
    """Results in order, the first of every identity."""
    by_hash: dict[str, Result] = {}
    for result in results:
        by_hash.setdefault(identity_sha256(result), result)
    return tuple(by_hash.values())
