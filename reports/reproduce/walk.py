"""What the figures about weights share: every block's projections measured once, and their words.

Figures 1, 4 and 5 look at the dense model's weights and inputs, not at a compressed model.
"""

import functools
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import joblib
import torch

from reports.reproduce.cache import cached
from reports.reproduce.recipes import (
    calibration_identity,
    calibration_of,
    device_kind,
    model_blocks,
    model_identity,
)
from reports.reproduce.results import BlockIdentity, RecipeIdentity
from reports.reproduce.study import Study, text_name
from sslc.calibration.statistics import InputStatistics
from sslc.calibration.windows import calibration_windows, load_calibration
from sslc.compression.inputs import DenseInputs
from sslc.compression.projections import default_workers, one_thread_each
from sslc.methods.sslc import Sslc
from sslc.model.devices import device_name, find_device
from workloads.results.identity import provenance
from workloads.results.kinds import Result
from workloads.shapes.transformer import FUSED, SEPARATE
from workloads.support.errors import InputError
from workloads.support.wording import counted
from workloads.texts.windows import EMBEDDED

_LINE = 120
"""Characters in a line of a figure's heading."""
Measure = Callable[[torch.Tensor, InputStatistics], Any]
R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Walk:
    """What is measured on the blocks of a dense model.

    Attributes:
        name: Such as ``figure4``, in progress.
        method: That is tried on the weights.
        measure: From a weight and its input statistics to plain values; runs on a thread for each
            projection, so that the number of threads changes nothing.
        readings: What else determines the results: plain values.
        projections: Which, by the last part of their names.
    """

    name: str
    method: Sslc
    measure: Measure
    readings: Mapping[str, Any] = field(default_factory=dict)
    projections: Collection[str] = SEPARATE + FUSED


def measure_blocks(
    study: Study, walk: Walk, *, blocks: Iterable[int], cls: type[R]
) -> dict[int, R]:
    """Measure projections of the dense model, each block once and for all (``cached``).

    Args:
        study: Model, calibration and cells.
        walk: What is measured.
        blocks: Which.
        cls: Of the results: identity, provenance, and ``projections`` in the order in which they
            run.

    Returns:
        By block.

    Raises:
        InputError: Bad weights, a text that is too short, or a budget that does not fit.
    """
    blocks, calibration = sorted(blocks), calibration_of(study)
    text, device = load_calibration(study.checkpoint, calibration), find_device(study.device)
    recipe = RecipeIdentity("sslc", asdict(walk.method), calibration_identity(study, calibration))
    fused = any(name.endswith("qkv_proj.weight") for name in study.checkpoint.names())
    names = tuple(name for name in (FUSED if fused else SEPARATE) if name in walk.projections)
    end = blocks[-1] + 1
    inputs = DenseInputs(
        study.checkpoint,
        lambda: calibration_windows(study.checkpoint, text, calibration=calibration),
        device,
        passed=lambda done: study.progress(walk.name, done, end),
    )
    make: Callable[..., R] = cls

    def compute(identity: BlockIdentity) -> R:
        projections = _measure_block(inputs, identity, walk.measure, device)
        return make(identity, provenance(device=device_name(device)), projections)

    results = {}
    for index in blocks:
        study.progress(walk.name, index, end)
        identity = BlockIdentity(
            model_identity(study), recipe, index, names, walk.readings, device_kind(study)
        )
        results[index] = cached(
            study.directory, cls, identity=identity, compute=functools.partial(compute, identity)
        )
    study.progress(walk.name, end, end)
    return results


def _measure_block(
    inputs: DenseInputs, identity: BlockIdentity, measure: Measure, device: torch.device
) -> dict[str, Any]:
    """What was measured on each projection, in the order of the identity."""
    found = inputs.at(identity.block)
    weights = {short(name): (name, given) for name, given in found.items()}
    if len(weights) < len(found):
        raise InputError(f"block {identity.block}: projections of experts are not told apart here")
    names = [name for name in identity.projections if name in weights]

    def job(name: str) -> Any:
        whole, given = weights[name]
        try:
            return measure(*given)
        except ValueError as error:
            raise InputError(f"block {identity.block}, {whole}: {error}") from error

    with one_thread_each():
        workers = default_workers(device)
        made = joblib.Parallel(workers, backend="threading")(joblib.delayed(job)(n) for n in names)
    return dict(zip(names, made, strict=True))


def short(name: str) -> str:
    """The last part of a projection's dotted name."""
    return name.rpartition(".")[2]


def subject(study: Study, blocks: str) -> str:
    """What a figure or table is about, in one line: model, blocks, method and calibration."""
    calibration = calibration_of(study)
    source = "embedded text" if calibration.source == EMBEDDED else text_name(calibration.source)
    return (
        f"{study.model_name}, {blocks} of {model_blocks(study)}, SSLC at kept fraction "
        f"{study.kept_fraction:g}; calibration: {source}, "
        f"{counted(calibration.windows, 'window')} of {calibration.window_tokens} tokens; measured"
    )


def heading(title: str, where: str) -> str:
    """A figure's title above what it is about."""
    lines = [line for part in where.split("; ", 1) for line in textwrap.wrap(part, _LINE)]
    return "\n".join((title, *lines))
