"""The report's page: its sections in order, from what was gathered and the tables made of it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from accelerator_sim.models.cycles_result import SIMULATED, CyclesResult, in_order
from accelerator_sim.sensitivity.what_if_result import WhatIfResult
from accelerator_sim.simulation.binding import binding
from reports.page.charts.bits_chart import bits_chart
from reports.page.charts.block_maps import (
    BlockMap,
    artifact_maps,
    constant_maps,
    cycle_maps,
    map_charts,
)
from reports.page.charts.front_view import fronts
from reports.page.charts.gain_bars import best_gain, gain_chart
from reports.page.charts.roofline_chart import roofline_chart
from reports.page.charts.stall_bars import stall_chart
from reports.page.headline import Headline, headline, lead, numbers, subjects
from reports.page.parts import Chart, Page, Section
from reports.stored.material import Material
from reports.tables.explained import runs_of
from reports.tables.roofline_points import (
    Roof,
    RooflinePoint,
    measured_points,
    measured_roof,
    simulated_points,
    simulated_roof,
)
from reports.tables.side_by_side import pair_up
from reports.tables.stalls import stalls_table
from reports.tables.stored_bits import stored_perplexities
from workloads.artifact.read import Artifact
from workloads.results.identity import digest, provenance
from workloads.results.kinds import PerplexityResult
from workloads.results.runtime import RuntimeResult
from workloads.results.subject import subject_of
from workloads.results.table import Table
from workloads.support.wording import counted

_PLACES = {
    "speedup": ("speedup", "side-by-side", "whole-model"),
    "binds": ("explained", "what-if"),
    "quality": ("perplexity", "zero_shot"),
    "front": ("front",),
    "runtime": ("runtime",),
    "energy": ("energy",),
}
"""Sections, and how the names of their tables begin; what is nowhere here comes last."""


def report_page(
    material: Material, tables: Sequence[Table], *, comparison: Table | None = None
) -> Page:
    """The page of a report.

    Args:
        material: From ``gather``.
        tables: Made of it, and further ones.
        comparison: With another run.
    """
    main = headline(material)
    by_place = _by_place(tables)
    sections = (
        Section("speedup", "Speedup over dense", tables=by_place["speedup"]),
        _compared(comparison),
        _binds(material, by_place["binds"], main),
        _stalls(material),
        _roofline(material),
        _blocks(material),
        _quality(material, by_place["quality"]),
        Section(
            "front", "Pareto front", explorers=tuple(fronts(material.sweeps)),
            tables=by_place["front"],
        ),
        Section("runtime", "Measured runtimes", tables=by_place["runtime"]),
        Section("energy", "Energy and area", tables=by_place["energy"]),
        Section("further", "Further tables", tables=by_place["further"]),
    )  # fmt: skip
    return Page(
        title="SSLC report" if main is None else f"{main.subject.model}, {main.label}",
        lead=() if main is None else lead(main),
        numbers=() if main is None else numbers(main),
        about=_about(material),
        sections=sections,
    )


def _by_place(tables: Sequence[Table]) -> Mapping[str, tuple[Table, ...]]:
    places: dict[str, list[Table]] = {place: [] for place in (*_PLACES, "further")}
    for table in tables:
        places[_place(table.name)].append(table)
    return {place: tuple(members) for place, members in places.items()}


def _place(name: str) -> str:
    for place, beginnings in _PLACES.items():
        if name.startswith(beginnings):
            return place
    return "further"


def _about(material: Material) -> dict[str, str]:
    """When this page was made, and how; and by which commands what it shows."""
    now = provenance()
    version = now.version if now.commit is None else f"{now.version} ({now.commit})"
    origins = [result.provenance for result in material.results]
    about = {"Made": now.created, "By": now.command, "Version": version}
    if origins:
        days = sorted({origin.created for origin in origins})
        about["Results of"] = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        about["Computed by"] = "; ".join(dict.fromkeys(origin.command for origin in origins))
    return about


def _compared(table: Table | None) -> Section:
    return Section("comparison", "Two runs compared", tables=() if table is None else (table,))


def _binds(material: Material, tables: tuple[Table, ...], main: Headline | None) -> Section:
    results = [result for result in material.results if isinstance(result, WhatIfResult)]
    charts = tuple(gain_chart(f"gains-{n}", r, _called(r)) for n, r in enumerate(results))
    text = []
    if main is not None and main.cycles is not None:
        text += list(_bindings(main.cycles))
    text += [best_gain(result, _called(result)) for result in results]
    if text and not results:
        text.append(
            "What each resource would gain, doubled or ideal, is shown here after "
            "sslc simulate DIR --what-if."
        )
    return Section("binds", "What binds, and why", tuple(text), charts, tables=tables)


def _bindings(result: CyclesResult) -> Iterator[str]:
    """What each module's compressed run spends most line cycles on."""
    for module in result.mean_per_block:
        runs = runs_of(result, module, "sum_run")
        accounts = [dataclasses.asdict(each) for run in runs for each in run.stalls.values()]
        binds = binding(accounts)
        if binds is not None:
            yield (
                f"{module}, compressed, spends {binds.share:.0%} of its line cycles on "
                f"{binds.resource} ({_called(result)}, {result.basis})."
            )


def _called(result: CyclesResult | WhatIfResult) -> str:
    """Model, method, machine and tokens of a result, for titles."""
    identity = result.identity
    tokens = identity.workload.tokens
    words = counted(tokens, "token")
    if identity.workload.context:
        words += f", context {identity.workload.context:,}"
    return f"{identity.subject.model}, {identity.subject.method}, {identity.machine.label}, {words}"


def _simulated(material: Material) -> list[CyclesResult]:
    """One simulated result of each workload on each machine: both models give the same."""
    found: dict[str, CyclesResult] = {}
    for result in in_order(r for r in material.results if isinstance(r, CyclesResult)):
        if result.identity.cycle_model in SIMULATED:
            found.setdefault(_setting(result), result)
    return list(found.values())


def _setting(result: CyclesResult) -> str:
    """What results share that differ in the cycle model alone."""
    identity = result.identity
    return digest([identity.subject, identity.workload, identity.machine, identity.costs])


def _stalls(material: Material) -> Section:
    results = _simulated(material)
    charts = tuple(stall_chart(f"stalls-{n}", r, _called(r)) for n, r in enumerate(results))
    table = stalls_table(results)
    return Section(
        "stalls", "Where the cycles go", charts=charts, tables=(table,) if table.rows else ()
    )


def _roofline(material: Material) -> Section:
    runtimes = [r for r in material.results if isinstance(r, RuntimeResult)]
    charts = []
    for number, chosen in enumerate(_simulated(material)):
        groups: list[tuple[Roof, Sequence[RooflinePoint]]] = [
            (simulated_roof(chosen), simulated_points([chosen]))
        ]
        for pair in pair_up([chosen], runtimes):
            groups.append((measured_roof(pair), measured_points(pair)))
        if any(points for _, points in groups):
            charts.append(roofline_chart(f"roofline-{number}", _called(chosen), groups=groups))
    return Section("roofline", "Roofline", charts=tuple(charts))


def _blocks(material: Material) -> Section:
    simulated = {result.identity.subject.sha256: result for result in _simulated(material)}
    models: list[tuple[str, list[BlockMap]]] = []
    for artifact in material.artifacts:
        models.append(_maps_of(material, artifact, simulated))
    models += [(_called(result), cycle_maps(result)) for result in simulated.values()]
    charts: list[Chart] = []
    text: list[str] = []
    for number, (name, maps) in enumerate(models):
        text += [f"{name}: {sentence}" for sentence in constant_maps(maps)]
        charts += map_charts(f"blocks-{number}", maps, name)
    return Section("blocks", "Block by block", tuple(text), tuple(charts))


def _maps_of(
    material: Material, artifact: Artifact, simulated: dict[str, CyclesResult]
) -> tuple[str, list[BlockMap]]:
    """Maps of an artifact, with those of its simulated run, which is taken out."""
    own = subject_of(artifact)
    subject = subjects(material).get(own.sha256, own)
    maps = artifact_maps(artifact)
    result = simulated.pop(subject.sha256, None)
    if result is not None:
        maps += cycle_maps(result)
    return f"{subject.model}, {subject.method}", maps


def _quality(material: Material, tables: tuple[Table, ...]) -> Section:
    results = [result for result in material.results if isinstance(result, PerplexityResult)]
    points = stored_perplexities(results, material.artifacts)
    charts = (bits_chart("bits", points),) if points else ()
    return Section("quality", "Perplexity", charts=charts, tables=tables)
