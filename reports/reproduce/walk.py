"""What the figures about weights share: every block's projections measured once, and their words.

Figures 1, 4 and 5 look at the dense model's weights and inputs, not at a compressed model.
"""

import functools
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import joblib
import torch

from reports.reproduce.study import Study
from sslc.calibration.statistics import InputStatistics
from sslc.calibration.windows import calibration_windows
from sslc.compression.inputs import DenseInputs
from sslc.compression.projections import default_workers, one_thread_each
from sslc.methods.sslc import Sslc
from sslc.model.config import load_config
from workloads.shapes.transformer import PROJECTION_MODULES
from workloads.support.errors import InputError
from workloads.texts.windows import EMBEDDED, load_text

_LINE = 120
"""Characters in a line of a figure's heading."""
Measure = Callable[[torch.Tensor, InputStatistics], Any]


def model_blocks(study: Study) -> int:
    """How many blocks the model has."""
    return int(load_config(study.checkpoint.directory).num_hidden_layers)


def studied_blocks(study: Study) -> int:
    """How many of them are within the limits."""
    return min(model_blocks(study), study.limits.blocks or model_blocks(study))


def measure_blocks(
    study: Study,
    kind: str,
    blocks: Iterable[int],
    about: Mapping[str, Any],
    measure: Measure,
    projections: Collection[str] = tuple(PROJECTION_MODULES),
) -> dict[int, dict[str, Any]]:
    """Measure projections of the dense model, each block once and for all (``Study.cached``).

    Args:
        study: Model, calibration and cache.
        kind: What is measured, for the cache and for progress.
        blocks: Which.
        about: What else determines the results: plain values.
        measure: From a weight and its input statistics to plain values; runs on a thread for each
            projection, so that the number of threads changes nothing.
        projections: Which, by the last part of their names.

    Returns:
        By block and by projection, in the order in which they run.

    Raises:
        InputError: Bad weights, a text that is too short, or a budget that does not fit.
    """
    blocks, calibration = sorted(blocks), study.calibrate()
    text = load_text(calibration.source, "calibration")
    about = {
        **about,
        "calibration": {**asdict(calibration), "source": text.source, "sha256": text.sha256},
        "projections": sorted(projections),
    }
    end = blocks[-1] + 1
    inputs = DenseInputs(
        study.checkpoint,
        lambda: calibration_windows(study.checkpoint, text, calibration=calibration),
        study.device,
        passed=lambda done: study.progress(kind, done, end),
    )

    results = {}
    for index in blocks:
        study.progress(kind, index, end)
        compute = functools.partial(_measure_block, study, inputs, index, measure, projections)
        made = study.cached(kind, {**about, "block": index}, compute)
        results[index] = {name: made[name] for name in PROJECTION_MODULES if name in made}
    study.progress(kind, end, end)
    return results


def _measure_block(
    study: Study,
    inputs: DenseInputs,
    index: int,
    measure: Measure,
    projections: Collection[str],
) -> dict[str, Any]:
    found = inputs.at(index)
    names = [name for name in found if short(name) in projections]

    def job(name: str) -> Any:
        try:
            return measure(*found[name])
        except ValueError as error:
            raise InputError(f"block {index}, {name}: {error}") from error

    with one_thread_each():
        workers = default_workers(study.device)
        made = joblib.Parallel(workers, backend="threading")(joblib.delayed(job)(n) for n in names)
    return dict(zip(map(short, names), made, strict=True))


def short(name: str) -> str:
    """The last part of a projection's dotted name."""
    return name.rpartition(".")[2]


def method_settings(method: Sslc) -> dict[str, Any]:
    """A method as it stands in what determines a result."""
    return {"method": {"name": "sslc", **asdict(method)}}


def subject(study: Study, blocks: str) -> str:
    """What a figure or table is about, in one line: model, blocks, method and calibration."""
    calibration = study.calibrate()
    source = "embedded text" if calibration.source == EMBEDDED else Path(calibration.source).name
    return (
        f"{study.checkpoint.name}, {blocks} of {model_blocks(study)}, SSLC at kept fraction "
        f"{study.kept_fraction:g}; calibration: {source}, "
        f"{calibration.windows} windows of {calibration.window_tokens} tokens; measured"
    )


def heading(title: str, where: str) -> str:
    """A figure's title above what it is about."""
    lines = [line for part in where.split("; ", 1) for line in textwrap.wrap(part, _LINE)]
    return "\n".join((title, *lines))
