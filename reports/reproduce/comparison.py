"""Ours beside the published numbers: the table that most of the paper's tables are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reports.paper.published import NOTES, TITLE
from reports.reproduce.cells import Measured
from reports.reproduce.study import Reproduced, Study
from sslc.compression.plan import DENSE
from sslc.methods.registry import method_class
from sslc.model.config import load_config
from sslc.model.devices import device_name
from workloads.results.table import Cell, Column, Table


def title_of(method: str) -> str:
    """A method as its paper calls it, by its registered name or ``dense``."""
    title: str = DENSE.title if method == DENSE.name else method_class(method).title
    return title


@dataclass(frozen=True)
class Line:
    """One row: what it is about, what was measured, and what was published."""

    label: tuple[Cell, ...]
    measured: Measured
    published: tuple[float | None, ...] = ()


def compare(
    study: Study,
    name: str,
    title: str,
    headings: Sequence[str],
    lines: Sequence[Line],
    published: tuple[str, Sequence[str]],
    notes: Sequence[str] = (),
) -> Reproduced:
    """A table of measured cells beside published ones.

    Args:
        study: What was measured under.
        name: Such as ``table1``; its errata become footnotes.
        title: Of the table.
        headings: Of the lines' labels.
        lines: The rows.
        published: Whose published numbers they are, and their columns.
        notes: Footnotes of the table's own.
    """
    whose, fields = published
    tasks = ("Zero-shot mean",) if study.tasks else ()
    columns = (
        *(Column(heading, "g") for heading in headings),
        Column("Kept", ".1%"),
        Column("Scaled error", ".4f"),
        *(Column(f"Perplexity, {text_name(text)}", ".2f") for text in study.texts),
        *(Column(task, ".2f") for task in tasks),
        *(Column(f"{field}, published", ".2f") for field in fields),
    )
    rows = tuple((*line.label, *_measured(study, line.measured), *line.published) for line in lines)
    printed = f"Published: {TITLE}, {name}, {whose}; another model than ours unless named alike."
    footnotes = (*limits_notes(study), *notes, printed, *NOTES.get(name, ()))
    results = [
        {"label": list(line.label), "measured": asdict(line.measured)}
        | {"published": dict(zip(fields, line.published, strict=True))}
        for line in lines
    ]
    table = Table(name, f"{title}: {study.checkpoint.name}", columns, rows, footnotes)
    return Reproduced((table,), results=results)


def _measured(study: Study, found: Measured) -> tuple[Cell, ...]:
    accuracy = (found.mean_accuracy,) if study.tasks else ()
    perplexities = (found.perplexities[text] for text in study.texts)
    return (found.kept_share, found.scaled_error, *perplexities, *accuracy)


def limits_notes(study: Study) -> tuple[str, ...]:
    """What was measured on what, and how much of it, in sentences."""
    limits, whole = study.limits, load_config(study.checkpoint.directory).num_hidden_layers
    some = limits.blocks is not None and limits.blocks < whole
    blocks = (
        f"ONLY THE FIRST {limits.blocks} OF {whole} BLOCKS are compressed, the others are dense: "
        "compare rows with each other, not with whole models"
        if some
        else f"all {whole} blocks are compressed"
    )
    tokens = f"at most {limits.max_tokens:,} tokens" if limits.max_tokens else "all tokens"
    notes = (
        f"Measured on {device_name(study.device)}, float32: {blocks}. "
        f"Calibration: {limits.windows} windows of "
        f"{limits.window_tokens} tokens of {text_name(study.calibration)}. Perplexity: {tokens} of "
        f"each text in windows of {limits.window_tokens}.",
        "Kept and scaled error are of the compressed projections: |(W - S - L)D| / |WD|, D the "
        "input norms; a lower error does not imply a lower perplexity.",
    )
    if not study.tasks:
        return notes
    asked = f"at most {limits.questions} questions of each" if limits.questions else "all questions"
    return (*notes, f"Tasks: {', '.join(map(text_name, study.tasks))}; {asked}; acc in percent.")


def figure_title(study: Study) -> str:
    """What a figure's numbers are measured on, in a line."""
    blocks = study.limits.blocks
    which = "" if blocks is None else f", first {blocks} blocks compressed"
    return f"{study.checkpoint.name}, measured{which}"


def text_name(text: str) -> str:
    """A text or task as tables call it: a file by its last part."""
    prefix, _, file = text.rpartition(":")
    return f"{prefix}:{Path(file).name}" if prefix else Path(text).name


def number(row: dict[str, Any], field: str) -> float | None:
    """A published number; None where the table has none."""
    return float(row[field]) if row.get(field) else None
