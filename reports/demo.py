"""The whole pipeline on one model: what ``make demo`` runs."""

from pathlib import Path
from typing import Any

import torch

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.by_name import DISTINCT_MODELS
from reports.measured import describe_device, measure
from reports.report import report_tables, write_report
from reports.simulated import reproduce_table4, simulate_artifact
from reports.stored.files import Subject, perplexity_result, save_result, subject_of
from reports.tables.cycles import runtime_result
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.evaluation.perplexity import perplexity
from sslc.methods.registry import load_method
from sslc.model.checkpoint import Checkpoint
from sslc.model.opening import open_checkpoint
from sslc.model.weights import ArtifactWeights
from workloads.artifact.read import Artifact
from workloads.results.table import Table, to_dict
from workloads.support.progress import Progress

ACCELERATOR = "array-64x64"
MEASURED_TOKENS = (1, 128)


def run_demo(
    model: str, out: Path, overwrite: bool, progress: Progress
) -> tuple[list[Table], list[Path]]:
    """Compress, evaluate, simulate, measure and tabulate.

    Args:
        model: Any model that ``open_checkpoint`` takes.
        out: Directory of everything that is written.
        overwrite: Compress again even where a finished artifact stands.
        progress: Told where it is.

    Returns:
        The tables, and the paths of what was written.
    """
    checkpoint = open_checkpoint(model, progress)
    dense = perplexity(checkpoint, progress=progress, label="evaluate dense")
    subject = Subject(checkpoint.name, "dense", 1.0, "none")
    save_result(out / "dense", "perplexity", perplexity_result(subject, dense))
    artifacts = {
        method: _compress(checkpoint, method, out / method, overwrite, progress)
        for method in ("wanda", "sslc")
    }
    artifact = artifacts["sslc"]
    machine = load_accelerator(ACCELERATOR)
    results = simulate_artifact(artifact, DISTINCT_MODELS, machine, progress=progress)
    for cycle_model, result in zip(DISTINCT_MODELS, results, strict=True):
        save_result(artifact.path, f"cycles-{machine.name}-{cycle_model}-1", result)
    _measure(artifact, progress)
    published, results, _ = reproduce_table4(machine, DISTINCT_MODELS, progress=progress)
    save_result(out / "table4", "table4", {"table": to_dict(published[0]), "results": results})
    places = [out / "dense", *(artifact.path for artifact in artifacts.values())]
    written = write_report(places, published, out / "report")
    return [*report_tables(places), *published], [*places, *written]


def _compress(
    checkpoint: Checkpoint, method: str, directory: Path, overwrite: bool, progress: Progress
) -> Artifact:
    output = Output(directory, resume=not overwrite, overwrite=overwrite)
    loaded = load_method(method, {})
    artifact = compress_checkpoint(
        checkpoint, loaded, calibration=Calibration(), output=output, progress=progress
    )
    weights = ArtifactWeights(artifact)
    found = perplexity(weights, progress=progress, label=f"evaluate {method}")
    save_result(directory, "perplexity", perplexity_result(subject_of(artifact), found))
    return artifact


def _measure(artifact: Artifact, progress: Progress) -> dict[str, Any]:
    device = torch.device("cpu")
    last = len(artifact.blocks) - 1
    blocks = sorted({0, last // 2, last})
    runtimes = measure(artifact, MEASURED_TOKENS, blocks, device, 0.05, progress)
    result = runtime_result(subject_of(artifact), describe_device(device), runtimes)
    save_result(artifact.path, "runtime-cpu", result)
    return result
