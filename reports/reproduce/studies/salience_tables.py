"""The tables of figures 1 and 4, and the published numbers of figure 4."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from statistics import mean

from reports.paper.published import TITLE
from reports.reproduce.block_results import BlockSpreads
from sslc.evaluation.salience import SALIENCE_KEPT
from workloads.results.salience import Needed
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


def published() -> PublishedNeeded:
    """The published numbers of Figure 4, as shares."""
    path = resources.files("reports.paper") / "data" / "figure4.csv"
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    share = {row["quantity"]: float(row["percent"]) / 100 for row in rows}
    return PublishedNeeded(
        share["pruning_only_parameters"],
        share["synergistic_sparse_parameters"],
        share["synergistic_low_rank_parameters"],
        share["synergistic_total_parameters"],
    )


def spread_table(spreads: BlockSpreads, where: str, *, notes: Sequence[str] = ()) -> Table:
    """Salience before and after, and how it is spread.

    Args:
        spreads: Of a block.
        where: Model and settings.
        notes: More footnotes.
    """
    rows: list[tuple[Cell, ...]] = []
    for name, sides in spreads.projections.items():
        whole = sides["before"].total
        for side, spread in sides.items():
            left = spread.total / whole if whole else None
            rows.append((name, side, spread.total, left, spread.top_share, spread.column_variation))
    columns = (
        Column("Projection"),
        Column("Low-rank part"),
        Column("Salience", ".4g"),
        Column("Left", ".1%"),
        Column("Top 1% hold", ".1%"),
        Column("Column variation", ".3f"),
    )
    footnotes = (
        where + ".",
        "Before: |W̃| = |W| diag(d), d the norms of the inputs; after: |W̃ − L̃|, L̃ the low-rank "
        "part, which the sparse part chooses from. Salience: the sum over all entries; left: its "
        "share of that before.",
        "Top 1% hold: share of the salience in the largest 1% of the entries. Column variation: "
        "standard deviation over mean of the columns' salience. The paper prints no numbers.",
        "Maps: a cell is the mean of its entries; the colours of each pair of maps end at the "
        "99.5th percentile of the cells before.",
        *notes,
    )
    title = "Salience before and after the low-rank part is taken out (as Figure 1)"
    return Table("figure1", title, columns, tuple(rows), footnotes)


def needed_table(
    readings: Mapping[str, Mapping[str, Sequence[Needed]]],
    published: PublishedNeeded,
    *,
    where: str,
    notes: Sequence[str] = (),
) -> Table:
    """Means and ranges over matrices, by projection and of all, and the published numbers.

    Args:
        readings: By what is summed (the first is what the figure shows) and by projection.
        published: Set under the first reading.
        where: Model and settings.
        notes: More footnotes.
    """
    rows: list[tuple[Cell, ...]] = []
    for reading, shares in readings.items():
        groups = {**shares, "all": all_matrices(shares)}
        rows += [(reading, name, len(group), *_summary(group)) for name, group in groups.items()]
        if reading == next(iter(readings)):
            name = f"{PUBLISHED_MODEL}, published"
            rows.append((reading, name, None, *_published_cells(published)))
    columns = (
        *(Column(name) for name in ("Salience", "Projection", "Matrices")),
        *(Column(name, ".1%") for name in ("Pruning", "Pruning, min", "Pruning, max", "Sparse")),
        Column("Low-rank", ".2%"),
        *(Column(name, ".1%") for name in ("Together", "Together, min", "Together, max", "Saved")),
    )
    title = f"Parameters needed to keep {SALIENCE_KEPT:.0%} of the salience (as Figure 4)"
    footnotes = (*_needed_notes(readings, where), *notes)
    return Table("figure4", title, columns, tuple(rows), footnotes)


def all_matrices(shares: Mapping[str, Sequence[Needed]]) -> list[Needed]:
    """Of all projections."""
    return [needed for group in shares.values() for needed in group]


def _summary(group: Sequence[Needed]) -> tuple[float, ...]:
    pruning = [needed.pruning for needed in group]
    together = [needed.synergistic for needed in group]
    return (
        *(mean(pruning), min(pruning), max(pruning)),
        mean(needed.sparse for needed in group),
        mean(needed.low_rank for needed in group),
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
    fewer = []
    for reading, shares in readings.items():
        group = all_matrices(shares)
        count = sum(needed.synergistic < needed.pruning for needed in group)
        fewer.append(f"{count} of {len(group)} by {reading}")
    return (
        where + ".",
        f"Published: {TITLE}, Figure 4, {PUBLISHED_MODEL}. The paper defines neither number; the "
        "definitions here are ours.",
        "Pruning: the smallest share of the entries whose salience |W̃| = |W| diag(d) sums to at "
        f"least {SALIENCE_KEPT:.0%} of all. Together: low-rank share plus the smallest share of "
        "entries of S̃, the largest |W̃ − L̃| of the matrix, with which Σ|W̃ − L̃ − S̃| is at most "
        f"{1 - SALIENCE_KEPT:.0%} of Σ|W̃|. The second reading sums squares instead.",
        "Means, smallest and largest over matrices, each counting the same. Saved: pruning less "
        "together, of the parameters. A low-rank part needs fewer parameters in "
        f"{', '.join(fewer)}.",
    )
