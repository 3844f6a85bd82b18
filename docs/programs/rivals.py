"""All methods on one text, with and without the same distillation, on several evaluation texts.

python -m docs.programs.rivals DIR --text embedded --text FILE [--method NAME ...] [--seed N ...]
    [--kept-fraction P ...] [--training none|logits ...]
python -m docs.programs.rivals --table

One cell is a method at a kept fraction, with a seed of windows and of generated text, without or
with the whole-model distillation behind it. What a cell measured is a file in docs/measured/rivals,
which later runs read; artifacts and unfinished work are in DIR, so that a study that was stopped
goes on. Tables are made of the files that are there, and of nothing else.

Perplexities are computed with the factors of products rounded to bfloat16 where the processor has
such products: a third of the time. ``--products float32`` computes them without.
"""

import argparse
import dataclasses
import math
import os
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.programs.cells import measured_here, told
from sslc.calibration.windows import Calibration, load_calibration
from sslc.compression.block_loop import compress_checkpoint, run_settings
from sslc.compression.output import Output
from sslc.compression.plan import EVERYTHING
from sslc.evaluation.perplexity import perplexity
from sslc.methods.registry import METHODS, QUANTIZERS, load_method
from sslc.model.checkpoint import Checkpoint
from sslc.model.opening import open_checkpoint
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights
from sslc.recovery.distilled import WholeModel
from sslc.recovery.refined import train_whole
from sslc.refinement.optimisation import products_in
from sslc.refinement.stages import LogitDistillation, Refinement
from workloads.artifact.read import Artifact
from workloads.artifact.record import kept_share
from workloads.results.table import Cell, Column, Table, render
from workloads.support.files import read_json, write_json

MODEL = "smollm2-135m"
SOURCES = "embedded:16,self:16"
WINDOWS, WINDOW_TOKENS, TOKENS = 32, 512, 16_384
TRAININGS = ("none", "logits")
CELLS = Path(__file__).parents[1] / "measured" / "rivals"
PRUNERS = tuple(name for name in METHODS if name not in QUANTIZERS)


@dataclass(frozen=True)
class Setting:
    """What one cell is of.

    Attributes:
        method: A registered method, at its defaults.
        kept_fraction: Factors included.
        seed: Of windows, generated text, and the order of the distillation.
        training: ``none``, or ``logits`` at its defaults.
        sources: Of calibration and distillation.
        windows: Of the calibration.
    """

    method: str
    kept_fraction: float = 0.5
    seed: int = 0
    training: str = "none"
    sources: str = SOURCES
    windows: int = WINDOWS

    @property
    def calibration(self) -> Calibration:
        """Windows of 512 tokens."""
        return Calibration(self.sources, self.windows, WINDOW_TOKENS, self.seed)

    @property
    def artifact(self) -> str:
        """Directory of what it compresses to."""
        sources = "".join(c if c.isalnum() else "-" for c in self.sources)
        head = f"{self.method}-{self.kept_fraction:g}-{self.seed}-{self.training}"
        return f"{head}-{sources}-{self.windows}"


@dataclass(frozen=True)
class Measured:
    """What a cell measured.

    Attributes:
        setting: What it is of; None for the dense model.
        kept: Stored share of the projections' parameters.
        cpu_seconds: Of compression and training, all threads; where a cell was interrupted, of the
            run that finished it.
        perplexities: By the name of the text.
        provenance: Processor, commit and command.
        distillation: Its settings; None without.
        products: Of the evaluation.
    """

    setting: Setting | None
    kept: float
    cpu_seconds: float
    perplexities: dict[str, float]
    provenance: dict[str, Any]
    distillation: dict[str, Any] | None
    products: str

    @property
    def row(self) -> tuple[float, int, str, str, int]:
        """What the cells of one row share; rows are in its order."""
        if self.setting is None:
            return (-2.0, 0, "", "dense", 0)
        s = self.setting
        return (-s.kept_fraction, TRAININGS.index(s.training), s.sources, s.method, s.windows)


def measure(
    directory: Path, settings: Iterable[Setting], texts: Sequence[str], products: str
) -> None:
    """Make the cells that are missing, and those of the dense model."""
    checkpoint = open_checkpoint(MODEL)
    (directory / "artifacts").mkdir(parents=True, exist_ok=True)
    _complete(CELLS / "dense.json", None, texts, products, lambda: (checkpoint, 1.0, 0.0))
    for setting in settings:
        path = CELLS / f"{setting.artifact}.json"

        def make(setting: Setting = setting) -> tuple[WeightSource, float, float]:
            before = _cpu_seconds()
            artifact = _made(checkpoint, setting, directory / "artifacts")
            kept = kept_share(artifact.blocks)
            return ArtifactWeights(artifact), kept, _cpu_seconds() - before

        _complete(path, setting, texts, products, make)


def _complete(
    path: Path, setting: Setting | None, texts: Sequence[str], products: str, make: Any
) -> None:
    """Measure what a cell's file does not have yet of the texts."""
    known = _read(path) if path.is_file() else None
    perplexities = dict(known.perplexities) if known else {}
    missing = [text for text in texts if Path(text).name not in perplexities]
    if not missing:
        return
    source, kept, seconds = make()
    for text in missing:
        with products_in(products):
            found = perplexity(source, text, window_tokens=WINDOW_TOKENS, max_tokens=TOKENS)
        perplexities[Path(text).name] = found.perplexity
        print(f"{path.stem}, {text}: {found.perplexity:.3f}", file=sys.stderr, flush=True)
    trained = setting is not None and setting.training != "none"
    made = Measured(
        setting, kept, known.cpu_seconds if known else seconds, perplexities,
        dataclasses.asdict(measured_here()),
        dataclasses.asdict(_distillation(setting)) if trained and setting else None, products,
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, dataclasses.asdict(made))


def _read(path: Path) -> Measured:
    fields = read_json(path)
    setting = fields.pop("setting")
    return Measured(None if setting is None else Setting(**setting), **fields)


def _distillation(setting: Setting) -> LogitDistillation:
    return LogitDistillation(seed=setting.seed)


def _made(checkpoint: Checkpoint, setting: Setting, directory: Path) -> Artifact:
    """The layer-wise artifact, or the one distilled from it."""
    method = load_method(setting.method, {"kept_fraction": setting.kept_fraction})
    said = told(setting.artifact)
    output = Output(directory / setting.artifact, resume=True)
    if setting.training == "none":
        return compress_checkpoint(
            checkpoint, method, calibration=setting.calibration, progress=said, output=output
        )
    plain = _made(checkpoint, dataclasses.replace(setting, training="none"), directory)
    distillation = _distillation(setting)
    settings = run_settings(
        checkpoint, method, text=load_calibration(checkpoint, setting.calibration),
        calibration=setting.calibration, dtype=plain.settings.dtype, choice=EVERYTHING,
        refinement=Refinement(logits=distillation),
    )  # fmt: skip
    whole = WholeModel(checkpoint, distillation, setting.calibration, settings, None, said)
    return train_whole(whole, lambda _: plain, output=output)


def table() -> Table:
    """Rows by kept fraction, training, text and method; each text's mean and spread over seeds."""
    cells = [_read(path) for path in sorted(CELLS.glob("*.json"))]
    texts = sorted({text for cell in cells for text in cell.perplexities})
    rows: list[tuple[Cell, ...]] = []
    for row in sorted({cell.row for cell in cells}):
        members = [cell for cell in cells if cell.row == row]
        values = ([c.perplexities[t] for c in members if t in c.perplexities] for t in texts)
        setting = members[0].setting
        minutes = statistics.mean(cell.cpu_seconds for cell in members) / 60
        head: tuple[Cell, ...] = ("dense", None, None, None)
        if setting is not None:
            text = f"{setting.sources} of {setting.windows}"
            head = (setting.method, setting.training, text, len(members))
        rows.append(
            (*head, members[0].kept, *_both(values), minutes if setting is not None else None)
        )
    columns = [Column("method"), Column("training"), Column("windows"), Column("seeds", "d")]
    columns.append(Column("kept", ".1%"))
    for text in texts:
        columns += [Column(text, ".2f"), Column(f"± {text}", ".2f")]
    devices = sorted({str(cell.provenance["device"]) for cell in cells})
    title = f"What is measured, on {', '.join(devices)}"
    return Table("rivals", title, (*columns, Column("CPU minutes", ".1f")), tuple(rows))


def _both(values: Iterable[Sequence[float]]) -> tuple[float | None, ...]:
    """Geometric mean and standard deviation of each; no deviation of a single value."""
    pairs = (
        (
            math.exp(statistics.mean(map(math.log, each))) if each else None,
            statistics.stdev(each) if len(each) > 1 else None,
        )
        for each in values
    )
    return tuple(number for pair in pairs for number in pair)


def _cpu_seconds() -> float:
    """User and system time of this process and of its children so far."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--text", action="append")
    parser.add_argument("--method", action="append")
    parser.add_argument("--kept-fraction", action="append", type=float)
    parser.add_argument("--seed", action="append", type=int)
    parser.add_argument("--training", action="append", choices=TRAININGS)
    parser.add_argument("--products", default="bfloat16")
    asked = parser.parse_args()
    if not asked.table and asked.directory is None:
        parser.error("a directory for artifacts, or --table")
    return asked


if __name__ == "__main__":
    asked = _arguments()
    if not asked.table:
        chosen = [
            Setting(method, kept, seed, training)
            for seed in asked.seed or [0]
            for kept in asked.kept_fraction or [0.5]
            for training in asked.training or TRAININGS
            for method in asked.method or PRUNERS
        ]
        measure(asked.directory, chosen, asked.text or ["embedded"], asked.products)
    print(render(table(), "markdown"))
