"""The end of the demo: the numbers that matter in one small table, and a sentence."""

from collections.abc import Iterator

from accelerator_sim.models.cycles_result import CyclesResult, in_order
from reports.page.headline import Headline, block_speedup, headline
from reports.stored.material import Material
from workloads.results.identity import DENSE, method_labels
from workloads.results.kinds import PerplexityResult
from workloads.results.table import Column, Table
from workloads.support.wording import counted

_COLUMNS = (Column("What"), Column("Value", ".2f"), Column("Number is"), Column("On"))
MOST_ROWS = 8
Row = tuple[str, float, str, str]


def summary_table(material: Material) -> Table:
    """At most ``MOST_ROWS`` rows: perplexities, then speedups of a block by every kind of number.

    Args:
        material: Of one base model.
    """
    main = headline(material)
    rows = [*_perplexities(material), *(() if main is None else _speedups(material, main))]
    title = "What it gave" if main is None else f"{main.subject.model} in numbers"
    return Table("summary", title, _COLUMNS, tuple(rows[:MOST_ROWS]))


def _perplexities(material: Material) -> Iterator[Row]:
    results = [result for result in material.results if isinstance(result, PerplexityResult)]
    labels = method_labels([result.identity.subject for result in results])
    for result, label in zip(results, labels, strict=True):
        subject = result.identity.subject
        kept = "" if subject.method == DENSE else f", {subject.kept_fraction:.0%} kept"
        on = f"{counted(result.predicted_tokens, 'token')} of {result.identity.text.source}"
        yield (f"perplexity, {label}{kept}", result.perplexity, "measured", on)


def _speedups(material: Material, main: Headline) -> Iterator[Row]:
    cycles = in_order(r for r in material.results if isinstance(r, CyclesResult))
    for result in cycles:
        speedup = block_speedup(result)
        if result.identity.subject.sha256 == main.subject.sha256 and speedup is not None:
            name = f"speedup of a block, {main.label}"
            yield (name, speedup, result.basis, result.identity.machine.label)
    if main.measured is not None:
        found = main.measured
        tokens = counted(found.tokens, "token")
        name = f"speedup of a block, {main.label}"
        yield (name, found.speedup, f"measured ({tokens})", found.result.identity.device.label)


def verdict_of(material: Material) -> str:
    """What the numbers of a report say, in a sentence; what is missing is left out.

    Args:
        material: From ``gather``.
    """
    main = headline(material)
    if main is None:
        return "Nothing was compressed."
    parts = []
    if main.perplexity is not None:
        against = main.dense_perplexity
        dense = "" if against is None else f" (dense {against.perplexity:.2f})"
        parts.append(f"has a perplexity of {main.perplexity.perplexity:.2f}{dense}")
    speedup = None if main.cycles is None else block_speedup(main.cycles)
    if speedup is not None:
        parts.append(f"{_pace(speedup)} on the simulated machine")
    if main.measured is not None:
        parts.append(f"{_pace(main.measured.speedup)} here, measured")
    kept = f"{100 * main.subject.kept_fraction:.4g}% of its projections' parameters"
    return f"Compressed by {main.label} to {kept}, {main.subject.model} {'; '.join(parts)}."


def _pace(speedup: float) -> str:
    return f"a block runs {speedup:.2f} times as fast as dense"
