"""The whole pipeline on one model: what ``make demo`` runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import accelerator_sim
import sslc
from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.by_name import DISTINCT_MODELS
from reports.measuring.operands import artifact_source
from reports.measuring.runtimes import measure_source
from reports.page.verdict import summary_table, verdict_of
from reports.paper.table4 import reproduce_table4
from reports.report import gather, tables_of, write_report
from reports.stored.files import AnyResult, save_result
from sslc.model.devices import find_device
from workloads.artifact.read import Artifact
from workloads.results.table import Table
from workloads.support.files import write_atomic
from workloads.support.progress import Progress

ACCELERATOR = "array-64x64"
METHODS: Mapping[str, Mapping[str, Any]] = {
    "wanda": {},
    "sslc": {},
    "sslc-d": {"iterations": 12},
}
"""All on the same text and without training, so that they can be compared; SSLC-D also with an
eighth of its iterations, so that the demo takes minutes."""
EVALUATED_TOKENS = 8192
SIMULATED = "sslc"
STORED = {"value_bits": 8, "factor_bits": 8}
"""How artifacts are stored: the machine that they are simulated on takes 8 bits."""
MEASURED_TOKENS = (1, 128)
LISTING = "files.txt"


@dataclass(frozen=True)
class Demo:
    """What the demo made.

    Attributes:
        summary: The numbers that matter, in one small table.
        verdict: What they say, in a sentence.
        tables: All that the page has.
        results: Behind the tables, the published table's own cycles excepted.
        page: To open.
        listing: A file that names all others.
    """

    summary: Table
    verdict: str
    tables: Sequence[Table]
    results: Sequence[AnyResult]
    page: Path
    listing: Path


def run_demo(model: str, out: Path, *, overwrite: bool, progress: Progress) -> Demo:
    """Compress, evaluate, simulate, measure and tabulate.

    Args:
        model: Any model that ``sslc.compress`` takes.
        out: Directory of everything that is written.
        overwrite: Compress again even where a finished artifact stands.
        progress: Told where it is.
    """
    save_result(out / "dense", sslc.evaluate(model, max_tokens=EVALUATED_TOKENS, progress=progress))
    artifacts = {
        method: _compress(model, method, out / method, overwrite, progress) for method in METHODS
    }
    artifact = artifacts[SIMULATED]
    for result in accelerator_sim.simulate(artifact, ACCELERATOR, progress=progress):
        save_result(artifact.path, result)
    gains = accelerator_sim.what_if(artifact, ACCELERATOR, blocks=1, progress=progress)
    save_result(artifact.path, gains)
    _measure(artifact, progress)
    table4 = reproduce_table4(load_accelerator(ACCELERATOR), DISTINCT_MODELS, progress=progress)
    for reading in table4.readings:
        save_result(out / "table4", reading.result)
    directories = [out / "dense", *(artifact.path for artifact in artifacts.values())]
    material = gather(directories)
    page, *written = write_report(material, table4.tables, out / "report", progress=progress)
    listing = _write_listing(out, [page, *written, *directories])
    tables = [*tables_of(material), *table4.tables]
    summary, verdict = summary_table(material), verdict_of(material)
    return Demo(summary, verdict, tables, material.results, page, listing)


def _write_listing(out: Path, paths: Sequence[Path]) -> Path:
    """Every file and directory, one a line, under the demo's own."""
    listing = out / LISTING
    lines = sorted(str(path.relative_to(out)) for path in paths)
    write_atomic(listing, ("\n".join(lines) + "\n").encode())
    return listing


def _compress(
    model: str, method: str, directory: Path, overwrite: bool, progress: Progress
) -> Artifact:
    artifact = sslc.compress(
        model, directory, method=method, settings={**STORED, **METHODS[method]},
        calibration="embedded", windows=16, refine="none", resume=not overwrite,
        overwrite=overwrite, progress=progress,
    )  # fmt: skip
    save_result(directory, sslc.evaluate(artifact, max_tokens=EVALUATED_TOKENS, progress=progress))
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
