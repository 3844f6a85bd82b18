"""Which text calibrates, and how much: the domain-transfer check beside the paper's tables."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from reports.reproduce.cells import DENSE, Measured, Recipe, measure
from reports.reproduce.comparison import limits_notes, text_name, title_of
from reports.reproduce.figures.calibration import calibration_figure
from reports.reproduce.study import Reproduced, Study
from workloads.results.table import Cell, Column, Table
from workloads.texts.windows import HALVES

_METHODS = ("wanda", "sparsegpt", "sslc")
_FACTOR = 4


def calibration(study: Study) -> Reproduced:
    """Calibration text × evaluation text by method; number and length of windows for SSLC.

    Every text of the study plays both parts. A text file is cut in halves, the first to calibrate
    and the second to evaluate, so that nothing is evaluated on what it was calibrated on.
    """
    study = replace(study, texts=tuple(in_halves(text) for text in study.texts))
    dense = measure(study, Recipe(DENSE), "calibration dense")
    methods = study.methods or _METHODS
    cells = [(method, text) for method in methods for text in study.texts]
    matrix = {
        (method, text): measure(
            study,
            Recipe(method, calibration=text),
            f"calibration {step}/{len(cells)} {method} on {text_name(text)}",
        )
        for step, (method, text) in enumerate(cells, start=1)
    }
    amounts = {
        (windows, tokens): measure(
            study,
            Recipe("sslc", windows=windows, window_tokens=tokens, calibration=study.texts[0]),
            f"calibration {windows} windows of {tokens} tokens",
        )
        for windows, tokens in _amounts(study)
    }
    results = {
        "dense": asdict(dense),
        "matrix": [
            {"method": method, "calibration": text, **asdict(found)}
            for (method, text), found in matrix.items()
        ],
        "amounts": [
            {"windows": windows, "window_tokens": tokens, **asdict(found)}
            for (windows, tokens), found in amounts.items()
        ],
    }
    tables = (_matrix_table(study, dense, matrix), _amounts_table(study, amounts))
    figure = calibration_figure(study, dense, matrix, amounts)
    return Reproduced(tables, {"calibration": figure}, results)


def in_halves(text: str) -> str:
    """A text file as one that is cut in halves; a text with a name as it is."""
    return f"{HALVES}{text}" if Path(text).is_file() else text


def _amounts(study: Study) -> Iterator[tuple[int, int]]:
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


def _matrix_table(study: Study, dense: Measured, matrix: dict[tuple[str, str], Measured]) -> Table:
    rows: list[tuple[Cell, ...]] = [("Dense", "-", *_perplexities(study, dense))]
    for (method, text), found in matrix.items():
        name = title_of(method)
        rows.append((name, text_name(text), *_perplexities(study, found)))
    columns = (Column("Method"), Column("Calibrated on"), *_headings(study))
    title = f"Calibration text and evaluation text: {study.checkpoint.name}"
    notes = (
        *limits_notes(replace(study, calibration="the text of the row")),
        "halves: the file's first half calibrates, its second is evaluated.",
    )
    return Table("calibration", title, columns, tuple(rows), notes)


def _amounts_table(study: Study, amounts: dict[tuple[int, int], Measured]) -> Table:
    rows = tuple(
        (windows, tokens, windows * tokens, *_perplexities(study, found))
        for (windows, tokens), found in amounts.items()
    )
    heads = (Column("Windows", ",d"), Column("Tokens each", ",d"), Column("Tokens", ",d"))
    title = f"Number and length of calibration windows, SSLC: {study.checkpoint.name}"
    notes = (
        *limits_notes(replace(study, calibration=study.texts[0])),
        "The calibration windows are those of the row.",
    )
    return Table("calibration-amount", title, (*heads, *_headings(study)), rows, notes)


def _headings(study: Study) -> tuple[Column, ...]:
    return tuple(Column(f"Perplexity, {text_name(text)}", ".2f") for text in study.texts)


def _perplexities(study: Study, found: Measured) -> tuple[Cell, ...]:
    return tuple(found.perplexities[text] for text in study.texts)
