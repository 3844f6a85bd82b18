"""Ours beside the published numbers: the table that most of the paper's tables are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.paper.published import NOTES, TITLE
from reports.reproduce.recipes import model_blocks
from reports.reproduce.results import CellPerplexity, Measured, results_of
from reports.reproduce.study import Reproduced, Study, text_name, text_names
from reports.tables.perplexity import protocol_notes
from sslc.compression.plan import DENSE
from sslc.methods.registry import method_class
from sslc.model.devices import device_name, find_device
from workloads.results.kinds import Result
from workloads.results.table import Cell, Column, Table
from workloads.support.wording import counted

INFINITE = "inf"


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


@dataclass(frozen=True)
class Published:
    """The published side of a comparison.

    Attributes:
        table: Such as ``table1``; its errata become footnotes.
        model: Whose numbers they are.
        columns: Their names.
    """

    table: str
    model: str
    columns: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Where the numbers are from, and what is known wrong in them."""
        source = f"Published: {TITLE}, {self.table}, {self.model}"
        return (
            f"{source}; another model than ours unless named alike.",
            *NOTES.get(self.table, ()),
        )


def compare(
    study: Study,
    title: str,
    *,
    headings: Sequence[str],
    lines: Sequence[Line],
    published: Published,
    notes: Sequence[str] = (),
) -> Reproduced:
    """A table of measured cells beside published ones.

    Args:
        study: What was measured under.
        title: Of the table.
        headings: Of the lines' labels.
        lines: The rows.
        published: Whose numbers stand beside ours.
        notes: Footnotes of the table's own.
    """
    columns = (
        *(Column(heading, "g") for heading in headings),
        Column("Kept", ".1%"),
        Column("Scaled error", ".4f"),
        *perplexity_columns(study),
        *((Column("Zero-shot mean", ".2f"),) if study.tasks else ()),
        *(Column(f"{name}, published", ".2f") for name in published.columns),
    )
    rows = tuple((*line.label, *_measured(study, line.measured), *line.published) for line in lines)
    results = results_of(line.measured for line in lines)
    footnotes = (*limits_notes(study, results), *notes, *published.notes)
    whole = f"{title}: {study.model_name}"
    return Reproduced((Table(published.table, whole, columns, rows, footnotes),), results)


def _measured(study: Study, measured: Measured) -> tuple[Cell, ...]:
    facts, accuracy = measured.facts, (measured.mean_accuracy,) if study.tasks else ()
    return (facts.kept_share, facts.scaled_error, *perplexity_cells(study, measured), *accuracy)


def perplexity_columns(study: Study) -> tuple[Column, ...]:
    """One for each text."""
    names = text_names(study.texts).values()
    return tuple(Column(f"Perplexity, {name}", ".2f") for name in names)


def perplexity_cells(study: Study, measured: Measured) -> tuple[Cell, ...]:
    """For ``perplexity_columns``; the word ``inf`` where a float cannot hold it."""
    return tuple(finite(measured.perplexities[text]) for text in study.texts)


def finite(value: float) -> Cell:
    """A cell that JSON can hold."""
    return value if math.isfinite(value) else INFINITE


def limits_notes(study: Study, results: Sequence[Result]) -> tuple[str, ...]:
    """What was measured on what, and how much of it, in sentences.

    Args:
        study: Model, limits, texts and tasks.
        results: What was measured.
    """
    limits, whole = study.limits, model_blocks(study)
    some = limits.blocks is not None and limits.blocks < whole
    blocks = (
        f"ONLY THE FIRST {limits.blocks} OF {whole} BLOCKS are compressed, the others are dense: "
        "compare rows with each other, not with whole models"
        if some
        else f"all {whole} blocks are compressed"
    )
    tokens = f"at most {limits.max_tokens:,} tokens" if limits.max_tokens else "all tokens"
    notes = (
        f"Measured on {device_name(find_device(study.device))}, float32: {blocks}. Calibration: "
        f"{counted(limits.windows, 'window')} of {limits.window_tokens} tokens of "
        f"{text_name(study.calibration)}. Perplexity: {tokens} of each text in windows of "
        f"{limits.window_tokens}.",
        "Kept and scaled error are of the compressed projections: |(W - S - L)D| / |WD|, D the "
        "input norms; a lower error does not imply a lower perplexity.",
        *_protocols(results),
        *version_notes(results),
    )
    if not study.tasks:
        return notes
    asked = f"at most {limits.questions} questions of each" if limits.questions else "all questions"
    return (*notes, f"Tasks: {', '.join(map(text_name, study.tasks))}; {asked}; acc in percent.")


def _protocols(results: Sequence[Result]) -> list[str]:
    """Which texts are evaluated as published programs evaluate."""
    cuts = [result.identity.text for result in results if isinstance(result, CellPerplexity)]
    return protocol_notes([text_name(cut.source) for cut in cuts], cuts)


def version_notes(results: Sequence[Result]) -> tuple[str, ...]:
    """A warning where cells were computed by different versions of this project."""
    made = [result.provenance for result in results]
    versions = dict.fromkeys(f"{p.version} ({p.commit})" if p.commit else p.version for p in made)
    if len(versions) < 2:
        return ()
    named = ", ".join(versions)
    return (f"CELLS OF DIFFERENT VERSIONS: {named}; remove the directory cells to make all anew.",)


def figure_title(study: Study) -> str:
    """What a figure's numbers are measured on, in a line."""
    blocks = study.limits.blocks
    which = "" if blocks is None else f", first {counted(blocks, 'block')} compressed"
    return f"{study.model_name}, measured{which}"


def number(row: Mapping[str, str], field: str) -> float | None:
    """A published number; None where the table has none."""
    return float(row[field]) if row.get(field) else None
