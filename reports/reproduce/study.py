"""What every table and figure is made from: one model, limits, texts, and a cache of results.

A result is computed once: ``Study.cached`` keeps it as a JSON file whose name is a hash of all that
determines it, so an interrupted table goes on, and tables share what they have in common.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from accelerator_sim.models.by_name import DISTINCT_MODELS
from accelerator_sim.models.by_name import Model as CycleModel
from sslc.calibration.windows import Calibration
from sslc.model.checkpoint import Checkpoint
from workloads.results.table import Table
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_json
from workloads.support.progress import Progress, silent


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
    """

    blocks: int | None = None
    windows: int = 16
    window_tokens: int = 512
    max_tokens: int = 16_384
    questions: int | None = None
    seeds: int = 5
    steps: int = 100


QUICK = Limits(
    blocks=2, windows=8, window_tokens=256, max_tokens=4096, questions=100, seeds=3, steps=20
)


@dataclass(frozen=True)
class Simulation:
    """How table4 is simulated.

    Attributes:
        accelerator: A preset or a TOML file.
        cycle_models: Of ``accelerator_sim.models.by_name``.
        tokens: Per product.
        seed: Of synthetic masks.
        context: Attention over so many tokens as part of MHA; None for none.
        by_shape: The paper's models by their shapes, with synthetic masks, and not the study's.
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
        directory: Of cached results (``cells``) and of artifacts at work (``work``).
        limits: How much is done.
        texts: Evaluation texts, each a name or a file.
        tasks: Zero-shot tasks, as ``sslc.evaluation.zero_shot`` takes them; none by default.
        calibration: Calibration text, a name or a file.
        kept_fraction: Kept share of a projection's parameters.
        published: Whose published numbers stand beside ours, such as ``llama2-7b``.
        methods: Methods in place of a table's own, where it compares methods.
        data: What a recovery is trained on; the calibration text by default.
        simulation: How table4 is simulated.
        device: Where the arithmetic runs.
        progress: Told where long work is.
    """

    opened: Checkpoint | None
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
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = silent

    @property
    def checkpoint(self) -> Checkpoint:
        """The dense model."""
        assert self.opened is not None, "only table4 by shape goes without a model"
        return self.opened

    @functools.cached_property
    def model_sha256(self) -> str:
        """Hash of the checkpoint, which every cached result depends on."""
        return self.checkpoint.sha256()

    def calibrate(
        self,
        source: str | None = None,
        seed: int = 0,
        windows: int | None = None,
        window_tokens: int | None = None,
    ) -> Calibration:
        """Calibration within the limits.

        Args:
            source: Another text than the study's.
            seed: Of the windows' places.
            windows: Another number of windows.
            window_tokens: Another length.
        """
        limits = self.limits
        return Calibration(
            source or self.calibration,
            windows or limits.windows,
            window_tokens or limits.window_tokens,
            seed,
        )

    def cached(self, kind: str, about: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """A result from the cache, computed and kept if it is not there.

        Args:
            kind: What it is; the start of the file's name.
            about: All that determines it besides the model: plain values.
            compute: Gives plain values that JSON holds exactly.

        Raises:
            InputError: The file is not what this wrote.
        """
        whole = {"model": self.model_sha256, **about}
        path = self.directory / "cells" / f"{kind}-{digest(whole)}.json"
        if path.is_file():
            kept = read_json(path)
            if not isinstance(kept, dict) or kept.get("about") != whole or "result" not in kept:
                raise InputError(f"{path}: not a cached result of this version; remove it")
            return kept["result"]
        result = compute()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"about": whole, "result": result})
        return result


def digest(about: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that tell one set of plain values from another."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Reproduced:
    """A table or figure of the paper, made for a model.

    Attributes:
        tables: What people read, ours beside the published numbers.
        figures: By file name without suffix.
        results: Everything behind them, for JSON.
    """

    tables: tuple[Table, ...]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    results: Any = None
