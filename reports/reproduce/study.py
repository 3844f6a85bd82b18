"""What every table and figure is made from: one model, limits, texts; and what is made of them.

No torch and no compressor here, so that what is simulated by shapes alone needs neither.
"""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from accelerator_sim.models.by_name import DISTINCT_MODELS
from accelerator_sim.models.by_name import Model as CycleModel
from workloads.results.kinds import Result
from workloads.results.table import Table
from workloads.support.progress import Progress, silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sslc.model.checkpoint import Checkpoint


@dataclass(frozen=True)
class Limits:
    """How much of everything is done.

    Attributes:
        blocks: Compress the first so many blocks and leave the others dense; None compresses all.
        windows: Calibration windows.
        window_tokens: Tokens in each, and in each window of evaluation.
        max_tokens: Evaluate at most so many tokens of a text; 0 takes all.
        questions: Ask at most so many questions of each task; None asks all.
        seeds: Seeds in tables over seeds.
        steps: Optimizer steps of a recovery.
        new_tokens: Generated from each prompt in table5.
    """

    blocks: int | None = None
    windows: int = 16
    window_tokens: int = 512
    max_tokens: int = 16_384
    questions: int | None = None
    seeds: int = 5
    steps: int = 100
    new_tokens: int = 1024


QUICK = Limits(
    blocks=2, windows=8, window_tokens=256, max_tokens=4096, questions=100, seeds=3, steps=20,
    new_tokens=32,
)  # fmt: skip


@dataclass(frozen=True)
class Simulation:
    """How table4 is simulated, and whether it and table5 go by shape.

    Attributes:
        accelerator: A preset or a TOML file.
        cycle_models: Such as ``roofline``.
        tokens: Per product.
        seed: Of synthetic masks and weights.
        context: Attention over so many tokens as part of MHA; None for none.
        by_shape: The paper's models by their shapes, with synthetic masks, and not the study's;
            table5: a stack of random weights.
    """

    accelerator: str = "array-64x64"
    cycle_models: tuple[CycleModel, ...] = DISTINCT_MODELS
    tokens: int = 1
    seed: int = 0
    context: int | None = None
    by_shape: bool = False


@dataclass(frozen=True)
class Study:
    """One model and how it is studied.

    Attributes:
        opened: The dense model; None where nothing is asked of it.
        directory: Of finished cells (``cells``) and of artifacts at work (``work``).
        limits: How much is done.
        texts: Evaluation texts, each a name or a file.
        tasks: Zero-shot tasks, as ``sslc.evaluation.zero_shot`` takes them; none by default.
        calibration: Calibration text, a name or a file.
        kept_fraction: Kept share of a projection's parameters.
        published: Whose published numbers stand beside ours, such as ``llama2-7b``.
        methods: Methods in place of a table's own, where it compares methods.
        data: What a recovery is trained on; the calibration text by default.
        simulation: How table4 is simulated.
        device: Where the arithmetic runs: ``cpu``, ``cuda`` or ``cuda:N``.
        progress: Told where long work is.
        name: What people call the model; empty: as it was opened.
    """

    opened: "Checkpoint | None"
    directory: Path
    limits: Limits = field(default_factory=Limits)
    texts: tuple[str, ...] = ("embedded",)
    tasks: tuple[str, ...] = ()
    calibration: str = "embedded"
    kept_fraction: float = 0.5
    published: str = "llama2-7b"
    methods: tuple[str, ...] = ()
    data: str = ""
    simulation: Simulation = field(default_factory=Simulation)
    device: str = "cpu"
    progress: Progress = silent
    name: str = ""

    @property
    def model_name(self) -> str:
        """What tables, figures and files call the model."""
        return self.name or self.checkpoint.name

    @property
    def checkpoint(self) -> "Checkpoint":
        """The dense model."""
        assert self.opened is not None, "only table4 and table5 by shape go without a model"
        return self.opened

    @functools.cached_property
    def model_sha256(self) -> str:
        """Hash of the checkpoint, which every cell depends on."""
        return self.checkpoint.sha256()


@dataclass(frozen=True)
class Reproduced:
    """A table or figure of the paper, made for a model.

    Attributes:
        tables: What people read, ours beside the published numbers.
        results: Everything that was measured for them, in the order of their rows.
        figures: By file name without suffix.
    """

    tables: tuple[Table, ...]
    results: tuple[Result, ...]
    figures: Mapping[str, "Figure"] = field(default_factory=dict)


def text_name(text: str) -> str:
    """A text or task as tables call it: a file by its last part."""
    prefix, _, file = text.rpartition(":")
    return f"{prefix}:{Path(file).name}" if prefix else Path(text).name


def text_names(texts: Iterable[str]) -> dict[str, str]:
    """``text_name`` of each; whole paths where two files have one name."""
    names = {text: text_name(text) for text in texts}
    short = list(names.values())
    return {text: text if short.count(name) > 1 else name for text, name in names.items()}
