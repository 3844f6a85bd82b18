"""From the results that the stages left behind to tables, figures and a page."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.figures.cycles import cycles_figure, stalls_figure, write_figure
from reports.page import write_page
from reports.stored.files import load_results
from reports.tables.cycles import (
    PROVENANCE,
    SIMULATED,
    perplexity_table,
    runtime_table,
    speedup_table,
)
from reports.tables.energy import energy_table
from reports.tables.explained import explained_table
from reports.tables.zero_shot import zero_shot_table
from workloads.results.table import Table, write_tables
from workloads.support.errors import InputError

_BUILDERS = (
    ("perplexity", perplexity_table),
    ("zero_shot", zero_shot_table),
    ("cycles", speedup_table),
    ("cycles", explained_table),
    ("cycles", energy_table),
    ("runtime", runtime_table),
)


def report_tables(directories: Sequence[Path]) -> list[Table]:
    """Tables of the results found, in the order of ``_BUILDERS``.

    Args:
        directories: Artifacts, or directories that hold ``results``.

    Raises:
        InputError: A directory has no results, or one of them is not whole.
    """
    results = [result for directory in directories for result in load_results(directory)]
    tables = []
    for kind, builder in _BUILDERS:
        chosen = [result for result in results if result["kind"] == kind]
        if chosen:
            tables.append(_build(builder, chosen, directories))
    return [table for table in tables if table.rows]


def write_report(directories: Sequence[Path], extra: Sequence[Table], out: Path) -> list[Path]:
    """Write every table in every format, the figures, and one HTML page.

    Args:
        directories: Where the results are.
        extra: Further tables for the end of the page.
        out: Where to.

    Returns:
        The paths, the page first.

    Raises:
        InputError: As ``report_tables``.
    """
    tables = [*report_tables(directories), *extra]
    paths = write_tables(tables, out)
    for directory in directories:
        paths += _write_figures(directory, out)
    page = out / "index.html"
    write_page(page, "SSLC report", tables, [path for path in paths if path.suffix == ".svg"])
    return [page, *paths]


def _write_figures(directory: Path, out: Path) -> list[Path]:
    """Figures of one directory's cycles, one pair per accelerator, tokens and context.

    ``event`` and ``compiled`` have the same stalls: one figure for both.
    """
    groups: dict[tuple[str, int, int], list[dict[str, Any]]] = defaultdict(list)
    for result in load_results(directory):
        if result["kind"] == "cycles":
            key = (result["accelerator"], result["tokens"], result.get("context", 0))
            groups[key].append(result)
    paths = []
    for (accelerator, tokens, context), results in groups.items():
        results.sort(key=lambda result: list(PROVENANCE).index(result["cycle_model"]))
        name = f"{directory.resolve().name}-{accelerator}-{tokens}"
        name += f"-context-{context}" if context else ""
        paths += write_figure(cycles_figure(results), out, f"cycles-{name}")
        simulated = [result for result in results if result["cycle_model"] in SIMULATED]
        if simulated:
            paths += write_figure(stalls_figure(simulated[0]), out, f"stalls-{name}")
    return paths


def _build(builder: Any, results: list[dict[str, Any]], directories: Sequence[Path]) -> Table:
    try:
        table: Table = builder(results)
    except (KeyError, TypeError, AttributeError) as error:
        places = ", ".join(str(directory / "results") for directory in directories)
        raise InputError(
            f"{places}: a {results[0]['kind']} result lacks or garbles {error}; run its stage again"
        ) from error
    return table
