"""From the results that the stages left behind to tables, figures and a page."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from accelerator_sim.models.results import SIMULATED, CyclesResult, Simulation, in_order
from reports.page import write_page
from reports.stored.files import AnyResult, load_results
from reports.tables.cycles import speedup_table, whole_model_table
from reports.tables.energy import energy_table
from reports.tables.explained import explained_table
from reports.tables.perplexity import perplexity_table
from reports.tables.runtime import runtime_table
from reports.tables.zero_shot import zero_shot_table
from workloads.results.identity import SHORT, digest
from workloads.results.kinds import PerplexityResult, RuntimeResult, ZeroShotResult
from workloads.results.table import Table, write_tables


def report_tables(directories: Sequence[Path]) -> list[Table]:
    """Tables of the results of some directories; what differs between rows has a column.

    Args:
        directories: Artifacts, or others that hold ``results``.

    Raises:
        InputError: A directory has no results, or one of them is not whole.
    """
    return _tables(_loaded(directories))


def _loaded(directories: Sequence[Path]) -> list[AnyResult]:
    return [result for directory in directories for result in load_results(directory)]


def _tables(results: Sequence[AnyResult]) -> list[Table]:
    cycles = [result for result in results if isinstance(result, CyclesResult)]
    tables = [
        perplexity_table([result for result in results if isinstance(result, PerplexityResult)]),
        zero_shot_table([result for result in results if isinstance(result, ZeroShotResult)]),
        speedup_table(cycles),
        whole_model_table(cycles),
        explained_table(cycles),
        energy_table(cycles),
        runtime_table([result for result in results if isinstance(result, RuntimeResult)]),
    ]
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
        InputError: A directory has no results, or one of them is not whole.
    """
    results = _loaded(directories)
    tables = [*_tables(results), *extra]
    cycles = [result for result in results if isinstance(result, CyclesResult)]
    paths = [*write_tables(tables, out), *_write_figures(cycles, out)]
    page = out / "index.html"
    write_page(page, "SSLC report", tables, [path for path in paths if path.suffix == ".svg"])
    return [page, *paths]


def _write_figures(results: Sequence[CyclesResult], out: Path) -> list[Path]:
    """One pair of figures for what differs in the cycle model alone.

    ``event`` and ``compiled`` have the same stalls: one figure for both.
    """
    from reports.figures.stalls import stalls_figure
    from reports.figures.style import write_figure

    groups: dict[str, list[CyclesResult]] = defaultdict(list)
    for result in in_order(results):
        identity = result.identity
        about = (identity.subject, identity.workload, identity.machine, identity.costs)
        groups[digest(list(about))].append(result)
    paths = []
    for sha256, members in groups.items():
        first = members[0].identity
        name = f"{first.subject.method}-{first.machine.name}-{first.workload.tokens}"
        name = f"{name.replace(' ', '-')}-{sha256[:SHORT]}"
        paths += write_figure(Simulation(tuple(members)).plot(), out, f"cycles-{name}")
        simulated = [r for r in members if r.identity.cycle_model in SIMULATED]
        if simulated:
            paths += write_figure(stalls_figure(simulated[0]), out, f"stalls-{name}")
    return paths
