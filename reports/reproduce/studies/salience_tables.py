"""The tables of figures 1 and 4."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from reports.paper.published import TITLE
from sslc.evaluation.salience import SALIENCE_KEPT, Needed
from workloads.results.table import Cell, Column, Table

PUBLISHED_MODEL = "LLaMA2-7B"


@dataclass(frozen=True)
class PublishedNeeded:
    """Figure 4 as printed for LLaMA2-7B: shares of the parameters.

    Attributes:
        pruning: Pruning only.
        sparse: Sparse part beside a low-rank part.
        low_rank: Low-rank part.
        synergistic: Both, as printed, which is rounded.
    """

    pruning: float
    sparse: float
    low_rank: float
    synergistic: float


def spread_table(spreads: Mapping[str, Mapping[str, Mapping[str, float]]], where: str) -> Table:
    """Salience before and after, and how it is spread.

    Args:
        spreads: By projection and by ``before`` and ``after``: the fields of ``Spread``.
        where: Model and settings.
    """
    rows: list[tuple[Cell, ...]] = []
    for name, sides in spreads.items():
        whole = sides["before"]["total"]
        for side, each in sides.items():
            left = each["total"] / whole if whole else None
            rows.append(
                (name, side, each["total"], left, each["top_share"], each["column_variation"])
            )
    columns = (
        Column("Projection"),
        Column("Low-rank part"),
        Column("Salience", ".4g"),
        Column("Left", ".1%"),
        Column("Top 1% hold", ".1%"),
        Column("Column variation", ".3f"),
    )
    notes = (
        where + ".",
        "Before: |W̃| = |W| diag(d), d the norms of the inputs; after: |W̃ − L̃|, L̃ the low-rank "
        "part, which the sparse part chooses from. Salience: the sum over all entries; left: its "
        "share of that before.",
        "Top 1% hold: share of the salience in the largest 1% of the entries. Column variation: "
        "standard deviation over mean of the columns' salience. The paper prints no numbers.",
        "Maps: a cell is the mean of its entries; the colours of each pair of maps end at the "
        "99.5th percentile of the cells before.",
    )
    title = "Salience before and after the low-rank part is taken out (as Figure 1)"
    return Table("figure1", title, columns, tuple(rows), notes)


def needed_table(
    readings: Mapping[str, Mapping[str, Sequence[Needed]]], published: PublishedNeeded, where: str
) -> Table:
    """Means and ranges over matrices, by projection and of all, and the published numbers.

    Args:
        readings: By what is summed (the first is what the figure shows) and by projection.
        published: Set under the first reading.
        where: Model and settings.
    """
    rows: list[tuple[Cell, ...]] = []
    for reading, shares in readings.items():
        groups = {**shares, "all": everything(shares)}
        rows += [(reading, name, len(group), *_summary(group)) for name, group in groups.items()]
        if reading == next(iter(readings)):
            name = f"{PUBLISHED_MODEL}, published"
            rows.append((reading, name, None, *_published_cells(published)))
    columns = (
        *(Column(name) for name in ("Salience", "Projection", "Matrices")),
        *(Column(name, ".1%") for name in ("Pruning", "min", "max", "Sparse")),
        Column("Low-rank", ".2%"),
        *(Column(name, ".1%") for name in ("Together", "least", "most", "Saved")),
    )
    title = f"Parameters needed to keep {SALIENCE_KEPT:.0%} of the salience (as Figure 4)"
    return Table("figure4", title, columns, tuple(rows), _needed_notes(readings, where))


def everything(shares: Mapping[str, Sequence[Needed]]) -> list[Needed]:
    """Of all projections."""
    return [each for group in shares.values() for each in group]


def _summary(group: Sequence[Needed]) -> tuple[float, ...]:
    pruning = [each.pruning for each in group]
    together = [each.synergistic for each in group]
    return (
        *(mean(pruning), min(pruning), max(pruning)),
        mean(each.sparse for each in group),
        mean(each.low_rank for each in group),
        *(mean(together), min(together), max(together)),
        mean(pruning) - mean(together),
    )


def _published_cells(published: PublishedNeeded) -> tuple[Cell, ...]:
    return (
        *(published.pruning, None, None),
        *(published.sparse, published.low_rank),
        *(published.synergistic, None, None),
        published.pruning - published.synergistic,
    )


def _needed_notes(
    readings: Mapping[str, Mapping[str, Sequence[Needed]]], where: str
) -> tuple[str, ...]:
    less = [
        f"{sum(each.synergistic < each.pruning for each in group)} of {len(group)} by {reading}"
        for reading, group in ((name, everything(shares)) for name, shares in readings.items())
    ]
    return (
        where + ".",
        f"Published: {TITLE}, Figure 4, {PUBLISHED_MODEL}. The paper defines neither number; the "
        "definitions here are ours.",
        "Pruning: the smallest share of the entries whose salience |W̃| = |W| diag(d) sums to at "
        f"least {SALIENCE_KEPT:.0%} of all. Together: low-rank share plus the smallest share of "
        "entries of S̃, the largest |W̃ − L̃| of the matrix, with which Σ|W̃ − L̃ − S̃| is at most "
        f"{1 - SALIENCE_KEPT:.0%} of Σ|W̃|. The second reading sums squares instead.",
        "Means, and least and most, over matrices, each counting the same. Saved: pruning less "
        "together, of the parameters. A low-rank part needs fewer parameters in "
        f"{', '.join(less)}.",
    )
