"""All methods on one text, with and without the same distillation, on several evaluation texts.

python -m docs.programs.rivals DIR --text embedded --text FILE [--final] [--method NAME ...]

One cell is a method at a kept fraction, with a seed of windows and of generated text: its
layer-wise artifact is evaluated, then distilled and evaluated again. Cells are files in DIR, so a
study that was stopped goes on. The first round has every method once at 0.5; with --final the best
five of it, Wanda and SSLC-D follow with three seeds at 0.5 and 0.4.
"""

import argparse
import dataclasses
import math
import os
import shutil
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sslc.calibration.windows import Calibration, load_calibration
from sslc.compression.block_loop import compress_checkpoint, run_settings
from sslc.compression.output import Output
from sslc.compression.plan import EVERYTHING
from sslc.evaluation.perplexity import perplexity
from sslc.methods.registry import METHODS, load_method
from sslc.model.checkpoint import Checkpoint
from sslc.model.opening import open_checkpoint
from sslc.model.source import WeightSource
from sslc.model.weights import ArtifactWeights
from sslc.recovery.distilled import WholeModel
from sslc.recovery.refined import train_whole
from sslc.refinement.stages import LogitDistillation, Refinement
from workloads.artifact.read import Artifact
from workloads.artifact.record import kept_share
from workloads.results.table import Cell, Column, Table, render
from workloads.support.files import read_json, write_json
from workloads.support.progress import Progress

MODEL = "smollm2-135m"
OURS, BASELINE = "sslc-d", "wanda"
SOURCES = "embedded:8,self:8"
WINDOW_TOKENS, TOKENS = 512, 16_384
TRAININGS = ("none", "logits")
BEST = 5
SEEDS, FRACTIONS = (0, 1, 2), (0.5, 0.4)


@dataclass(frozen=True)
class Setting:
    """What one cell compresses.

    Attributes:
        method: A registered method, at its defaults.
        kept_fraction: Factors included.
        seed: Of windows, generated text, and the order of the distillation.
        sources: Of calibration and distillation.
    """

    method: str
    kept_fraction: float
    seed: int
    sources: str = SOURCES

    @property
    def name(self) -> str:
        """Of the cell's file."""
        sources = "".join(c if c.isalnum() else "-" for c in self.sources)
        return f"{self.method}-{self.kept_fraction:g}-{self.seed}-{sources}"

    @property
    def calibration(self) -> Calibration:
        """16 windows of 512 tokens."""
        return Calibration(self.sources, 16, WINDOW_TOKENS, self.seed)


@dataclass(frozen=True)
class Found:
    """What a cell measured with one training.

    Attributes:
        kept: Stored share of the projections' parameters.
        cpu_seconds: Of compression and training, all threads; where a cell was interrupted, of the
            run that finished it.
        perplexities: By text.
    """

    kept: float
    cpu_seconds: float
    perplexities: Mapping[str, float]


def main(directory: Path, texts: Sequence[str], methods: Sequence[str], *, final: bool) -> None:
    """Make the cells that are missing, and print the tables."""
    checkpoint = open_checkpoint(MODEL)
    directory.mkdir(parents=True, exist_ok=True)
    dense = _dense(checkpoint, directory, texts)
    settings = [Setting(method, 0.5, 0) for method in methods]
    found = {each: _cell(checkpoint, directory, each, texts) for each in settings}
    print(render(_table("Every method, one seed", dense, found, texts), "markdown"))
    if final:
        chosen = best(found, texts)
        rounds = [Setting(m, kept, s) for kept in FRACTIONS for m in chosen for s in SEEDS]
        found = {each: _cell(checkpoint, directory, each, texts) for each in rounds}
        print(render(_table("Three seeds", dense, found, texts), "markdown"))


def best(
    found: Mapping[Setting, Mapping[str, Found]], texts: Sequence[str], count: int = BEST
) -> list[str]:
    """The methods of least mean log perplexity over texts and trainings, Wanda and ours besides."""
    means = {
        setting.method: statistics.mean(
            math.log(each.perplexities[text]) for each in cell.values() for text in texts
        )
        for setting, cell in found.items()
    }
    rivals = sorted((m for m in means if m not in (OURS, BASELINE)), key=lambda m: means[m])
    return [*rivals[:count], *(m for m in (BASELINE, OURS) if m in means)]


def _cell(
    checkpoint: Checkpoint, directory: Path, setting: Setting, texts: Sequence[str]
) -> dict[str, Found]:
    """A cell by training, from its file or made now."""
    path = directory / f"{setting.name}.json"
    kept = read_json(path) if path.is_file() else {}
    found = {training: Found(**kept[training]) for training in kept}
    if all(set(texts) <= set(found[t].perplexities) for t in TRAININGS if t in found) and len(
        found
    ) == len(TRAININGS):
        return found
    work = directory / "work" / setting.name
    work.parent.mkdir(exist_ok=True)
    for training in TRAININGS:
        before = _cpu_seconds()
        artifact = _made(checkpoint, setting, work, training)
        spent = _cpu_seconds() - before
        values = _perplexities(ArtifactWeights(artifact), texts, f"{setting.name} {training}")
        found[training] = Found(kept_share(artifact.blocks), spent, values)
        write_json(path, {name: dataclasses.asdict(each) for name, each in found.items()})
    for training in TRAININGS:
        shutil.rmtree(work.with_name(f"{setting.name}.{training}"), ignore_errors=True)
    return found


def _made(checkpoint: Checkpoint, setting: Setting, work: Path, training: str) -> Artifact:
    """The layer-wise artifact, or the one distilled from it."""
    method = load_method(setting.method, {"kept_fraction": setting.kept_fraction})
    said = _told(setting.name)
    plain = compress_checkpoint(
        checkpoint, method, calibration=setting.calibration, progress=said,
        output=Output(work.with_name(f"{setting.name}.none"), resume=True),
    )  # fmt: skip
    if training == "none":
        return plain
    distillation = LogitDistillation(seed=setting.seed)
    settings = run_settings(
        checkpoint, method, text=load_calibration(checkpoint, setting.calibration),
        calibration=setting.calibration, dtype=plain.settings.dtype, choice=EVERYTHING,
        refinement=Refinement(logits=distillation),
    )  # fmt: skip
    whole = WholeModel(checkpoint, distillation, setting.calibration, settings, None, said)
    output = Output(work.with_name(f"{setting.name}.{training}"), resume=True)
    return train_whole(whole, lambda _: plain, output=output)


def _perplexities(source: WeightSource, texts: Iterable[str], label: str) -> dict[str, float]:
    values = {}
    for text in texts:
        values[text] = perplexity(
            source, text, window_tokens=WINDOW_TOKENS, max_tokens=TOKENS
        ).perplexity
        print(f"{label}, {text}: {values[text]:.2f}", file=sys.stderr, flush=True)
    return values


def _dense(checkpoint: Checkpoint, directory: Path, texts: Sequence[str]) -> Mapping[str, float]:
    path = directory / "dense.json"
    known: dict[str, float] = read_json(path) if path.is_file() else {}
    missing = [text for text in texts if text not in known]
    if missing:
        known |= _perplexities(checkpoint, missing, "dense")
        write_json(path, known)
    return known


def _table(
    title: str,
    dense: Mapping[str, float],
    found: Mapping[Setting, Mapping[str, Found]],
    texts: Sequence[str],
) -> Table:
    """Rows by kept fraction, training and method; each text's mean and spread over seeds."""
    rows: list[tuple[Cell, ...]] = [
        ("dense", None, None, *_both([dense[text]] for text in texts), None)
    ]
    groups = dict.fromkeys((s.kept_fraction, s.method) for s in found)
    for training in TRAININGS:
        for kept, method in groups:
            cells = [
                cell[training]
                for setting, cell in found.items()
                if (setting.kept_fraction, setting.method) == (kept, method)
            ]
            values = ([cell.perplexities[text] for cell in cells] for text in texts)
            hours = sum(cell.cpu_seconds for cell in cells) / 3600
            rows.append((method, training, cells[0].kept, *_both(values), hours))
    columns = [Column("method"), Column("training"), Column("kept", ".1%")]
    for text in texts:
        columns += [Column(Path(text).name, ".2f"), Column("±", ".2f")]
    return Table("rivals", title, (*columns, Column("CPU hours", ".2f")), tuple(rows))


def _both(values: Iterable[Sequence[float]]) -> tuple[float | None, ...]:
    """Mean and standard deviation of each; no deviation of a single value."""
    pairs = (
        (statistics.mean(each), statistics.stdev(each) if len(each) > 1 else None)
        for each in values
    )
    return tuple(number for pair in pairs for number in pair)


def _cpu_seconds() -> float:
    """User and system time of this process and of its children so far."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _told(label: str) -> Progress:
    def progress(stage: str, done: int, total: int) -> None:
        print(f"{label}: {stage} {done}/{total}", file=sys.stderr, flush=True)

    return progress


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--text", action="append", default=None)
    parser.add_argument("--method", action="append", default=None)
    parser.add_argument("--final", action="store_true")
    asked = parser.parse_args()
    main(
        asked.directory, asked.text or ["embedded"], asked.method or list(METHODS),
        final=asked.final,
    )  # fmt: skip
