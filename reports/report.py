"""From the results that the stages left behind to tables, figures and a page."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from accelerator_sim.attention.attention_result import AttentionResult
from accelerator_sim.design_space.sweep_result import SweepResult
from accelerator_sim.models.cycles_result import SIMULATED, CyclesResult, Simulation, in_order
from accelerator_sim.sensitivity.what_if_result import WhatIfResult
from accelerator_sim.serving.whole_model_result import WholeModelResult
from reports.page.render import write_page
from reports.page.sections import report_page
from reports.stored.files import AnyResult
from reports.stored.material import Material, Recordings, gather
from reports.tables.attention import attention_table
from reports.tables.cycles import speedup_table, whole_model_table
from reports.tables.energy import energy_table
from reports.tables.explained import explained_table
from reports.tables.naming import renamed
from reports.tables.perplexity import perplexity_table
from reports.tables.recorded import recorded_tables
from reports.tables.runtime import runtime_table
from reports.tables.side_by_side import SideBySide, pair_up, side_by_side_table
from reports.tables.zero_shot import zero_shot_table
from workloads.results.identity import SHORT, digest
from workloads.results.kinds import PerplexityResult, ZeroShotResult, identity_sha256
from workloads.results.runtime import RuntimeResult
from workloads.results.table import Table, write_tables
from workloads.support.progress import Progress, silent

__all__ = [
    "Material",
    "Recordings",
    "gather",
    "named",
    "report_tables",
    "tables_of",
    "write_report",
]

_ALONE = (SweepResult, WholeModelResult, WhatIfResult)
"""Results that have a table of their own each."""


def named(material: Material, names: Sequence[str]) -> Material:
    """The same under names that people gave.

    Args:
        material: From ``gather``.
        names: As for ``renamed``.

    Raises:
        InputError: As for ``renamed``.
    """
    results = renamed(material.results, names)
    fronts = iter([result for result in results if isinstance(result, SweepResult)])
    sweeps = tuple(replace(swept, result=next(fronts)) for swept in material.sweeps)
    return replace(material, results=results, sweeps=sweeps)


def report_tables(directories: Sequence[Path], measured: Sequence[Path] = ()) -> list[Table]:
    """Tables of the results of some directories; what differs between rows has a column.

    Args:
        directories: As for ``gather``.
        measured: Likewise.

    Raises:
        InputError: As for ``gather``.
    """
    return tables_of(gather(directories, measured))


def tables_of(material: Material) -> list[Table]:
    """Tables of what a report is made from.

    Args:
        material: From ``gather``.
    """
    results = material.results
    cycles = [result for result in results if isinstance(result, CyclesResult)]
    tables = [
        perplexity_table([result for result in results if isinstance(result, PerplexityResult)]),
        zero_shot_table([result for result in results if isinstance(result, ZeroShotResult)]),
        speedup_table(cycles),
        whole_model_table(cycles),
        explained_table(cycles),
        energy_table(cycles),
        runtime_table([result for result in results if isinstance(result, RuntimeResult)]),
        side_by_side_table(_pairs(material)),
        *_attention_tables(results),
        *(_named(result.to_table(), result) for result in results if isinstance(result, _ALONE)),
        *recorded_tables(material.recorded),
    ]
    return [table for table in tables if table.rows]


def _attention_tables(results: Sequence[AnyResult]) -> list[Table]:
    """A table for each set of masks and machine, all cycle models in it."""
    groups: dict[str, list[AttentionResult]] = defaultdict(list)
    for result in results:
        if isinstance(result, AttentionResult):
            groups[digest(replace(result.identity, cycle_model=""))].append(result)
    return [_named(attention_table(members), members[0]) for members in groups.values()]


def _named(table: Table, result: AnyResult) -> Table:
    """A table that stands alone for its result, called by the hash of its identity."""
    return replace(table, name=f"{table.name}-{identity_sha256(result)[:SHORT]}")


def _pairs(material: Material) -> list[SideBySide]:
    results = material.results
    return pair_up(
        [result for result in results if isinstance(result, CyclesResult)],
        [result for result in results if isinstance(result, RuntimeResult)],
    )


def write_report(
    material: Material,
    extra: Sequence[Table],
    out: Path,
    *,
    comparison: Table | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Write every table in every format, the figures, and one HTML page.

    Args:
        material: From ``gather``.
        extra: Further tables for the end of the page.
        out: Where to.
        comparison: With another run.
        progress: Told of what takes long.

    Returns:
        The paths, the page first.
    """
    tables = [*tables_of(material), *extra]
    written = tables if comparison is None else [*tables, comparison]
    paths = [*write_tables(written, out), *_write_figures(material, out)]
    page = out / "index.html"
    write_page(page, report_page(material, tables, comparison=comparison), progress=progress)
    return [page, *paths]


def _write_figures(material: Material, out: Path) -> list[Path]:
    """Figures of cycles, and of what was simulated and measured."""
    from reports.figures.rooflines import side_by_side_figure
    from reports.figures.style import write_figure

    cycles = [result for result in material.results if isinstance(result, CyclesResult)]
    paths = _write_cycles(cycles, out)
    for pair in _pairs(material):
        identity = pair.runtime.identity
        sha256 = digest([identity, pair.tokens, pair.dtype])
        name = f"side-by-side-{identity.subject.method}-{pair.tokens}-{pair.dtype}"
        name = f"{name.replace(' ', '-')}-{sha256[:SHORT]}"
        paths += write_figure(side_by_side_figure(pair), out, name)
    return paths


def _write_cycles(results: Sequence[CyclesResult], out: Path) -> list[Path]:
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
