"""Two runs side by side: what both have, and by how much the other differs."""

from collections.abc import Iterator
from typing import NamedTuple

from accelerator_sim.models.cycles_result import CyclesResult, in_order
from reports.page.headline import measured_speedup
from reports.stored.material import Material
from reports.tables.artifact import artifact_summary
from workloads.results.identity import DENSE
from workloads.results.kinds import PerplexityResult
from workloads.results.runtime import RuntimeResult
from workloads.results.table import Column, Table
from workloads.support.wording import counted

_PJ_PER_UJ = 1e6
_US = 1e6


class _Key(NamedTuple):
    """What makes two numbers comparable."""

    what: str
    where: str
    basis: str
    better: str


def comparison_table(one: Material, other: Material, *, names: tuple[str, str]) -> Table:
    """Every quantity that both have, in the same words: its two values and their quotient.

    Args:
        one: A run; of several compressed models in it the last counts.
        other: What it is compared with.
        names: Of both, for headings.
    """
    first, second = dict(_quantities(one)), dict(_quantities(other))
    left, right = names if names[0] != names[1] else (names[0], f"{names[1]} (2)")
    rows = []
    for key, value in first.items():
        if key not in second:
            continue
        ratio = second[key] / value if value else None
        rows.append(
            (key.what, key.where, key.basis, value, second[key], ratio, _verdict(key, ratio))
        )
    alone = len(first.keys() ^ second.keys())
    notes = [
        "Other / this: the second value over the first. Only what was measured over the same text, "
        "or simulated on the same machine by the same cycle model and of as many tokens, is here; "
        "two runtimes compare only if nothing else ran beside either."
    ]
    if alone:
        notes.append(f"{alone} quantities of only one of the two are left out.")
    columns = (
        Column("Quantity"),
        Column("On"),
        Column("Numbers are"),
        Column(left, ",.4g"),
        Column(right, ",.4g"),
        Column("Other / this", ".3f"),
        Column("Other is"),
    )
    return Table("comparison", f"{left} beside {right}", columns, tuple(rows), tuple(notes))


def _verdict(key: _Key, ratio: float | None) -> str:
    if ratio is None or not key.better:
        return ""
    if ratio == 1:
        return "the same"
    return "better" if (ratio > 1) == (key.better == "more") else "worse"


def _quantities(material: Material) -> Iterator[tuple[_Key, float]]:
    for artifact in material.artifacts:
        summary = artifact_summary(artifact)
        yield _Key("kept share", "", "counted", ""), summary.kept_share
        bits = 8 * summary.stored_bytes / summary.parameters
        yield _Key("stored bits a parameter", "", "counted", "less"), bits
    for result in material.results:
        if isinstance(result, PerplexityResult) and result.identity.subject.method != DENSE:
            text = result.identity.text
            where = f"{text.source}, {counted(result.predicted_tokens, 'token')}"
            yield _Key("perplexity", where, "measured", "less"), result.perplexity
    for cycles in in_order(r for r in material.results if isinstance(r, CyclesResult)):
        yield from _cycles(cycles)
    yield from _runtimes(material)


def _cycles(result: CyclesResult) -> Iterator[tuple[_Key, float]]:
    work = result.identity.workload
    where = f"{result.identity.machine.label}, {counted(work.tokens, 'token')}"
    if work.context:
        where += f", context {work.context}"
    for module, mean in result.mean_per_block.items():
        if mean.speedup is not None:
            yield _Key(f"{module} speedup", where, result.basis, "more"), mean.speedup
        yield _Key(f"{module} cycles", where, result.basis, "less"), mean.sum_cycles
    energies = [part["sum"].total_pj for b in result.blocks for part in b.energy.values()]
    if energies:
        mean_uj = sum(energies) / len(result.blocks) / _PJ_PER_UJ
        yield _Key("energy of a block (uJ)", where, result.basis, "less"), mean_uj


def _runtimes(material: Material) -> Iterator[tuple[_Key, float]]:
    for result in material.results:
        if not isinstance(result, RuntimeResult):
            continue
        found = measured_speedup(material, result.identity.subject)
        if found is not None:
            where = (
                f"{result.identity.device.label}, {counted(found.tokens, 'token')}, {found.dtype}"
            )
            yield _Key("block speedup", where, "measured", "more"), found.speedup
            us = found.compressed.lower_quartile_seconds * _US
            yield _Key("block (us)", where, "measured", "less"), us
