"""Which text calibrates, and how much: the domain-transfer check beside the paper's tables."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from reports.reproduce.cells import measure
from reports.reproduce.comparison import (
    limits_notes,
    perplexity_cells,
    perplexity_columns,
    title_of,
)
from reports.reproduce.figures.calibration import Amounts, Matrix, calibration_figure
from reports.reproduce.recipes import Recipe
from reports.reproduce.results import Measured, results_of
from reports.reproduce.study import Reproduced, Study, text_names
from workloads.results.identity import DENSE
from workloads.results.kinds import Result
from workloads.results.table import Cell, Column, Table
from workloads.support.wording import counted
from workloads.texts.windows import HALVES

_METHODS = ("wanda", "sparsegpt", "sslc")
_FACTOR = 4


def calibration(study: Study) -> Reproduced:
    """Calibration text × evaluation text by method; number and length of windows for SSLC.

    Every text of the study plays both parts. A text file is cut in halves, the first to calibrate
    and the second to evaluate, so that nothing is evaluated on what it was calibrated on.
    """
    study = replace(study, texts=tuple(in_halves(text) for text in study.texts))
    dense = measure(study, Recipe(DENSE), label="calibration dense")
    matrix, amounts = _matrix(study), _amounts(study)
    results = results_of((dense, *matrix.values(), *amounts.values()))
    tables = (
        _matrix_table(study, dense, matrix=matrix, results=results),
        _amounts_table(study, amounts, results=results),
    )
    figure = calibration_figure(study, dense, matrix=matrix, amounts=amounts)
    return Reproduced(tables, results, {"calibration": figure})


def _matrix(study: Study) -> Matrix:
    methods, names = study.methods or _METHODS, text_names(study.texts)
    cells = [(method, text) for method in methods for text in study.texts]
    return {
        (method, text): measure(
            study,
            Recipe(method, calibration=text),
            label=f"calibration {step}/{len(cells)} {method} on {names[text]}",
        )
        for step, (method, text) in enumerate(cells, start=1)
    }


def _amounts(study: Study) -> Amounts:
    return {
        (windows, tokens): measure(
            study,
            Recipe("sslc", windows=windows, window_tokens=tokens, calibration=study.texts[0]),
            label=f"calibration {counted(windows, 'window')} of {counted(tokens, 'token')}",
        )
        for windows, tokens in _sizes(study)
    }


def in_halves(text: str) -> str:
    """A text file as one that is cut in halves; a text with a name as it is."""
    return f"{HALVES}{text}" if Path(text).is_file() else text


def _sizes(study: Study) -> Iterator[tuple[int, int]]:
    """Windows and their tokens: fewer and more windows, then shorter and longer ones.

    Shorter windows come in greater number and longer ones in smaller, so that the tokens in all
    stay the same.
    """
    windows, tokens = study.limits.windows, study.limits.window_tokens
    yield max(1, windows // _FACTOR), tokens
    yield windows, tokens
    yield windows * _FACTOR, tokens
    yield windows * _FACTOR, max(2, tokens // _FACTOR)
    yield max(1, windows // _FACTOR), tokens * _FACTOR


def _matrix_table(
    study: Study, dense: Measured, *, matrix: Matrix, results: Sequence[Result]
) -> Table:
    names = text_names(study.texts)
    rows: list[tuple[Cell, ...]] = [("Dense", "-", *perplexity_cells(study, dense))]
    for (method, text), cell in matrix.items():
        rows.append((title_of(method), names[text], *perplexity_cells(study, cell)))
    columns = (Column("Method"), Column("Calibrated on"), *perplexity_columns(study))
    title = f"Calibration text and evaluation text: {study.model_name}"
    notes = (
        *limits_notes(replace(study, calibration="the text of the row"), results),
        "halves: the file's first half calibrates, its second is evaluated.",
    )
    return Table("calibration", title, columns, tuple(rows), notes)


def _amounts_table(study: Study, amounts: Amounts, *, results: Sequence[Result]) -> Table:
    rows = tuple(
        (windows, tokens, windows * tokens, *perplexity_cells(study, cell))
        for (windows, tokens), cell in amounts.items()
    )
    heads = (Column("Windows", ",d"), Column("Tokens each", ",d"), Column("Tokens", ",d"))
    title = f"Number and length of calibration windows, SSLC: {study.model_name}"
    notes = (
        *limits_notes(replace(study, calibration=study.texts[0]), results),
        "The calibration windows are those of the row.",
    )
    columns = (*heads, *perplexity_columns(study))
    return Table("calibration-amount", title, columns, rows, notes)
