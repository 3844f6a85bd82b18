"""One model compressed within one budget, divided between its projections in several ways.

python -m docs.programs.budgets DIR --text embedded --text FILE [--division NAME ...]
    [--kept-fraction P ...] [--seed N ...] [--recount MACHINE]
python -m docs.programs.budgets --curves [--seed N ...]
python -m docs.programs.budgets --table

The method is Wanda; only how its budget is divided differs. A cell is a division at a kept fraction
and a seed of calibration windows. Budgets are what the uniform division at that fraction costs:
parameters, or simulated cycles of one token. What was measured is a file in docs/measured/budgets,
which later runs read: loss curves, cost curves, and cells; artifacts are in DIR. Tables are made of
the files that are there. ``--recount`` simulates the finished artifacts, real masks and all.
"""

import argparse
import dataclasses
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from accelerator_sim.operations import simulate
from docs.programs.budget_cells import (
    DIVISIONS,
    FOLDER,
    FRACTIONS,
    MACHINES,
    WINDOW_TOKENS,
    Losses,
    Measured,
    Setting,
    costs_file,
    divided,
    given,
    losses_file,
    predicted,
    read_cell,
    sensitivity,
    table,
)
from docs.programs.cells import measured_here, told
from reports.cost_curves import simulated_cost_curves
from sslc.allocation.loss_curves import loss_curves
from sslc.allocation.owl import Owl, owl_overrides
from sslc.allocation.shares import Share, with_share
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.compression.plan import EVERYTHING, Choice, Override
from sslc.compression.preparation import prepare
from sslc.evaluation.perplexity import perplexity
from sslc.methods.registry import load_method
from sslc.model.checkpoint import Checkpoint
from sslc.model.names import pattern_name
from sslc.model.opening import open_checkpoint
from sslc.model.weights import ArtifactWeights
from sslc.refinement.optimisation import products_in
from workloads.artifact.read import Artifact, open_artifact
from workloads.artifact.record import kept_share
from workloads.results.codec import to_json
from workloads.results.cost_curves import CostCurves, read_cost_curves, write_cost_curves
from workloads.results.table import render
from workloads.support.files import write_json

MODEL = "smollm2-135m"
TOKENS = 4_096


def measure(directory: Path, settings: Sequence[Setting], texts: Sequence[str]) -> None:
    """Make what is missing of the cells."""
    checkpoint = open_checkpoint(MODEL)
    (directory / "artifacts").mkdir(parents=True, exist_ok=True)
    for setting in settings:
        path = FOLDER / f"{setting.stem}.json"
        known = read_cell(path) if path.is_file() else None
        if known is not None and not _missing(known, texts):
            continue
        measure_curves(checkpoint, setting.seed)
        artifact = _artifact(checkpoint, setting, directory / "artifacts")
        fractions = {
            pattern_name(index, record.name): record.kept_fraction
            for index, block in enumerate(artifact.blocks)
            for record in block.projections
        }
        cycles = {m: _interpolated(read_cost_curves(costs_file(m)), fractions) for m in MACHINES}
        kept = kept_share(artifact.blocks)
        made = known or Measured(setting, kept, cycles, {}, fractions, {}, measured_here())
        _complete(path, made, ArtifactWeights(artifact), texts)
    _complete(
        FOLDER / "dense.json",
        Measured(None, 1.0, {}, {}, {}, {}, measured_here()),
        checkpoint,
        texts,
    )


def measure_curves(checkpoint: Checkpoint, seed: int) -> None:
    """Make what is missing of the loss and cost curves, and no cell."""
    if not losses_file(seed).is_file():
        _measure_losses(checkpoint, seed)
    for machine in MACHINES:
        if not costs_file(machine).is_file():
            _simulate_costs(checkpoint, machine)


def recount(directory: Path, settings: Sequence[Setting], machine: str) -> None:
    """Simulate finished artifacts on a machine, with their own masks."""
    for setting in settings:
        path = FOLDER / f"{setting.stem}.json"
        known = read_cell(path)
        if machine in known.recounted:
            continue
        artifact = open_artifact(directory / "artifacts" / setting.stem)
        found = simulate(artifact, machine, models="compiled", progress=told(setting.stem))
        cycles = sum(block.total.sum_cycles for block in found.results[0].blocks)
        made = dataclasses.replace(known, recounted={**known.recounted, machine: cycles})
        write_json(path, to_json(made))


def _missing(known: Measured, texts: Sequence[str]) -> list[str]:
    return [text for text in texts if Path(text).name not in known.perplexities]


def _complete(path: Path, made: Measured, source: Any, texts: Sequence[str]) -> None:
    """Measure the texts that a cell's file does not have yet."""
    if path.is_file():
        made = read_cell(path)
    for text in _missing(made, texts):
        with products_in("bfloat16"):
            found = perplexity(source, text, window_tokens=WINDOW_TOKENS, max_tokens=TOKENS)
        print(f"{path.stem}, {text}: {found.perplexity:.3f}", file=sys.stderr, flush=True)
        known = {**made.perplexities, Path(text).name: found.perplexity}
        made = dataclasses.replace(made, perplexities=known, provenance=measured_here())
        FOLDER.mkdir(parents=True, exist_ok=True)
        write_json(path, to_json(made))


def _artifact(checkpoint: Checkpoint, setting: Setting, directory: Path) -> Artifact:
    overrides = _overrides(checkpoint, setting)
    return compress_checkpoint(
        checkpoint, setting.method, calibration=setting.calibration,
        output=Output(directory / setting.stem, resume=True), progress=told(setting.stem),
        choice=Choice(overrides=overrides),
    )  # fmt: skip


def _overrides(checkpoint: Checkpoint, setting: Setting) -> tuple[Override, ...]:
    way = DIVISIONS[setting.division]
    if way is None:
        return ()
    if isinstance(way, Owl):
        return owl_overrides(
            checkpoint, setting.method, owl=way, calibration=setting.calibration,
            choice=EVERYTHING, progress=told(setting.stem),
        )  # fmt: skip
    return divided(setting, way).overrides


def _measure_losses(checkpoint: Checkpoint, seed: int) -> None:
    """Measured once for a seed; of no kept fraction."""
    setting = Setting("uniform", seed=seed)
    prepared = prepare(checkpoint, setting.method, dtype="auto", device=None, choice=EVERYTHING)
    names: dict[int, list[str]] = defaultdict(list)
    for index, name, _ in prepared.plan:
        names[index].append(name)
    curves = loss_curves(
        checkpoint, prepared, [with_share(setting.method, Share(f)) for f in FRACTIONS],
        names=names, calibration=setting.calibration, progress=told("losses"),
    )  # fmt: skip
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_json(losses_file(seed), to_json(Losses(curves, measured_here())))


def _simulate_costs(checkpoint: Checkpoint, machine: str) -> None:
    made = simulated_cost_curves(
        checkpoint, load_method("wanda", {}), shares=[Share(f) for f in FRACTIONS],
        accelerator=machine, progress=told(machine),
    )  # fmt: skip
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_cost_curves(costs_file(machine), made)


def _interpolated(costs: CostCurves, fractions: Mapping[str, float]) -> float:
    """Cycles of all projections; between two points of a curve linear."""
    total = 0.0
    for name, fraction in fractions.items():
        points = costs.of(name).points
        cycles = [point.costs["cycles"] for point in points]
        total += float(np.interp(fraction, [point.kept_fraction for point in points], cycles))
    return total


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--text", action="append")
    parser.add_argument("--division", action="append", choices=tuple(DIVISIONS))
    parser.add_argument("--kept-fraction", action="append", type=float)
    parser.add_argument("--seed", action="append", type=int)
    parser.add_argument("--curves", action="store_true", help="loss and cost curves, no cells")
    parser.add_argument("--recount", choices=MACHINES)
    asked = parser.parse_args()
    if not (asked.table or asked.curves) and asked.directory is None:
        parser.error("a directory for artifacts, or --table")
    return asked


def _chosen(asked: argparse.Namespace) -> Iterator[Setting]:
    for seed in asked.seed or [0]:
        for kept in asked.kept_fraction or [0.5]:
            for division in asked.division or DIVISIONS:
                yield Setting(division, kept, seed)


if __name__ == "__main__":
    asked = _arguments()
    if asked.curves:
        for seed in asked.seed or [0]:
            measure_curves(open_checkpoint(MODEL), seed)
    elif not asked.table:
        settings = list(_chosen(asked))
        measure(asked.directory, settings, asked.text or ["embedded"])
        if asked.recount:
            recount(asked.directory, settings, asked.recount)
    for made in (table(), given(), predicted(), sensitivity()):
        print(render(made, "markdown"))
