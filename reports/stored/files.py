"""What the stages leave behind: ``DIR/results/*.json``, read back by ``sslc report``.

A file's name ends in the hash of all that determines the result: different settings never meet in
one file, and the same settings replace it.
"""

from pathlib import Path

from accelerator_sim.attention.attention_result import AttentionResult
from accelerator_sim.design_space.sweep_result import SweepResult
from accelerator_sim.models.cycles_result import CyclesResult
from accelerator_sim.sensitivity.what_if_result import WhatIfResult
from accelerator_sim.serving.whole_model_result import WholeModelResult
from workloads.results.envelope import file_name, result_from_json, result_to_json
from workloads.results.kinds import PerplexityResult, ZeroShotResult
from workloads.results.runtime import RuntimeResult
from workloads.support.errors import InputError
from workloads.support.files import read_json, write_json

AnyResult = (
    PerplexityResult
    | ZeroShotResult
    | CyclesResult
    | RuntimeResult
    | AttentionResult
    | SweepResult
    | WholeModelResult
    | WhatIfResult
)
KINDS: tuple[type[AnyResult], ...] = (
    PerplexityResult,
    ZeroShotResult,
    CyclesResult,
    RuntimeResult,
    AttentionResult,
    SweepResult,
    WholeModelResult,
    WhatIfResult,
)
"""Every kind of result that a file may hold."""
FOLDER = "results"


def save_result(directory: Path, result: AnyResult) -> Path:
    """Write a result under a directory's ``results``; returns the path.

    Args:
        directory: An artifact, or any other.
        result: Replaces the file of the same identity, if there is one.
    """
    folder = directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(result)
    write_json(path, result_to_json(result))
    return path


def load_results(directory: Path) -> list[AnyResult]:
    """Every result under a directory, in the order of file names.

    Raises:
        InputError: There is none, or a file is not a result, of an older form, or damaged.
    """
    paths = sorted((directory / FOLDER).glob("*.json"))
    if not paths:
        raise InputError(
            f"{directory}: no results yet; run sslc evaluate, simulate or measure on it first"
        )
    return [result_from_json(read_json(path), KINDS, str(path)) for path in paths]
