"""The whole pipeline on one model: what ``make demo`` runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import accelerator_sim
import sslc
from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.by_name import DISTINCT_MODELS
from reports.measuring.operands import artifact_source
from reports.measuring.runtimes import measure_source
from reports.paper.table4 import reproduce_table4
from reports.report import gather, tables_of, write_report
from reports.stored.files import AnyResult, save_result
from sslc.model.devices import find_device
from workloads.artifact.read import Artifact
from workloads.results.table import Table
from workloads.support.progress import Progress

ACCELERATOR = "array-64x64"
METHODS = ("wanda", "sslc")
MEASURED_TOKENS = (1, 128)


@dataclass(frozen=True)
class Demo:
    """What the demo made.

    Attributes:
        tables: What people read.
        results: Behind the tables, the published table's own cycles excepted.
        paths: Of what was written.
    """

    tables: Sequence[Table]
    results: Sequence[AnyResult]
    paths: Sequence[Path]


def run_demo(model: str, out: Path, *, overwrite: bool, progress: Progress) -> Demo:
    """Compress, evaluate, simulate, measure and tabulate.

    Args:
        model: Any model that ``sslc.compress`` takes.
        out: Directory of everything that is written.
        overwrite: Compress again even where a finished artifact stands.
        progress: Told where it is.
    """
    save_result(out / "dense", sslc.evaluate(model, progress=progress))
    artifacts = {
        method: _compress(model, method, out / method, overwrite, progress) for method in METHODS
    }
    artifact = artifacts["sslc"]
    for result in accelerator_sim.simulate(artifact, ACCELERATOR, progress=progress):
        save_result(artifact.path, result)
    _measure(artifact, progress)
    table4 = reproduce_table4(load_accelerator(ACCELERATOR), DISTINCT_MODELS, progress=progress)
    for reading in table4.readings:
        save_result(out / "table4", reading.result)
    directories = [out / "dense", *(artifact.path for artifact in artifacts.values())]
    material = gather(directories)
    written = write_report(material, table4.tables, out / "report")
    return Demo(
        [*tables_of(material), *table4.tables],
        material.results,
        [*directories, *written],
    )


def _compress(
    model: str, method: str, directory: Path, overwrite: bool, progress: Progress
) -> Artifact:
    artifact = sslc.compress(
        model, directory, method=method, resume=not overwrite, overwrite=overwrite,
        progress=progress,
    )  # fmt: skip
    save_result(directory, sslc.evaluate(artifact, progress=progress))
    return artifact


def _measure(artifact: Artifact, progress: Progress) -> None:
    last = len(artifact.blocks) - 1
    result = measure_source(
        artifact_source(artifact, (0, last // 2, last)),
        tokens=MEASURED_TOKENS,
        device=find_device("cpu"),
        threads=1,
        seconds=0.05,
        progress=progress,
    )
    save_result(artifact.path, result)
