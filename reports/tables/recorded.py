"""What was measured on other devices, as tables: products by sparsity, and generation."""

from collections.abc import Sequence

from reports.stored.measured_files import Recorded, RecordedProduct
from workloads.results.table import Cell, Column, Table

_US_PER_SECOND, _MS_PER_SECOND = 1e6, 1e3
_HEAD = ("Device", "Part", "Runs", "Dtype", "Tokens", "Threads", "Backend")


def recorded_tables(recorded: Sequence[Recorded]) -> list[Table]:
    """Products by sparsity, then generation, of those files that have them.

    Args:
        recorded: One per file.
    """
    tables = (_products(recorded), _generations(recorded))
    return [table for table in tables if table.rows]


def _products(recorded: Sequence[Recorded]) -> Table:
    sparsities = sorted({one.sparsity for run in recorded for one in run.products})
    rows: dict[tuple[Cell, ...], dict[float, RecordedProduct]] = {}
    for run in recorded:
        for one in run.products:
            key = (run.label, one.part, one.operands, one.dtype, one.tokens, one.threads)
            rows.setdefault((*key, one.backend), {})[one.sparsity] = one
    heading = [Column(name) for name in _HEAD]
    for sparsity in sparsities:
        heading += [Column(f"{sparsity:.0%} (us)", ",.1f"), Column(f"{sparsity:.0%}", ".2f")]
    cells = tuple((*key, *_by_sparsity(found, sparsities)) for key, found in rows.items())
    notes = (
        *_about(recorded),
        "For each share of parameters left out: the time of a call, and the speedup over the "
        "fastest dense product of the same run; below 1 is a slowdown.",
    )
    return Table("recorded", "Measured on the devices named", tuple(heading), cells, notes)


def _by_sparsity(found: dict[float, RecordedProduct], sparsities: Sequence[float]) -> list[Cell]:
    cells: list[Cell] = []
    for sparsity in sparsities:
        one = found.get(sparsity)
        cells += (None, None) if one is None else (one.seconds * _US_PER_SECOND, one.speedup)
    return cells


def _generations(recorded: Sequence[Recorded]) -> Table:
    rows = tuple(
        (
            run.label,
            one.blocks,
            one.weights,
            one.seconds_per_token * _MS_PER_SECOND,
            one.speedup,
            one.seconds_per_token_with_head * _MS_PER_SECOND,
            one.speedup_with_head,
        )
        for run in recorded
        for one in run.generations
    )
    columns = (
        *(Column(name) for name in ("Device", "Blocks", "Weights")),
        Column("ms a token", ",.3f"),
        Column("Speedup", ".2f"),
        Column("With head (ms)", ",.3f"),
        Column("Speedup with head", ".2f"),
    )
    notes = (*_about(recorded), "Random weights; the speedup is over the fastest dense stack.")
    title = "Generation measured on the devices named"
    return Table("recorded-generation", title, columns, rows, notes)


def _about(recorded: Sequence[Recorded]) -> list[str]:
    notes = []
    for run in recorded:
        streams = ", ".join(
            f"{name} {rate / 1e9:,.1f} GB/s" for name, rate in run.stream_bytes_per_second.items()
        )
        versions = "".join(f", {name} {version}" for name, version in run.software.items())
        load = "" if run.load is None else f", load {run.load:.1f} at the start"
        notes.append(f"{run.file}: {run.label}{versions}; stream {streams}{load}.")
    return notes
