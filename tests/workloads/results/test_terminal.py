"""Tables on narrow terminals: every line fits, nothing is lost, numbers stay whole."""

import re

import pytest

from workloads.results.table import Column, Table, render
from workloads.results.terminal import fitted

WIDE = Table(
    "t",
    "Cycles of one block by module, mean over the simulated blocks",
    (
        Column("Model"), Column("Module"), Column("Cycles are"), Column("Dense", ",.1f"),
        Column("Sum", ",.1f"), Column("Speedup", ".2f"), Column("Dense (us)", ".2f"),
        Column("Sum (us)", ".2f"), Column("Largest loss"),
    ),
    (
        ("SmolLM2-135M", "MHA", "analytic (published)", 216.0, 109.5, 1.97, 0.43, 0.22, "compute"),
        ("SmolLM2-135M", "FFN", "simulated (event)", 18381.0, 11593.8, 1.59, 36.76, 23.19,
         "waiting for weights from the DRAM most of the time"),
    ),
    ("us: cycles over the machine's clock, at the frequency in the file of the machine",),
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 52, 60, 80, 100, 120, 200])
def test_fitted_lines_fit_and_numbers_and_words_are_whole(width: int) -> None:
    text = fitted(WIDE, width)
    assert max(map(len, text.splitlines())) <= width
    words = {word for row in WIDE.rows for cell in row[1:3] for word in str(cell).split()}
    numbers = {"216.0", "18,381.0", "11,593.8", "1.97", "36.76", "0.22"}
    headings = {word for column in WIDE.columns for word in column.name.split()}
    assert words | numbers | headings | {"SmolLM2-135M", "DRAM", "frequency"} <= set(
        re.split(r"[\s:;]+", text)
    )


def test_fitted_where_it_fits_is_what_files_have() -> None:
    assert fitted(WIDE, 400) == render(WIDE, "text")


def test_fitted_says_once_what_all_rows_share() -> None:
    text = fitted(WIDE, 100)
    assert "\nModel: SmolLM2-135M\n" in text
    assert text.count("SmolLM2-135M") == 1


def test_fitted_columns_below_stand_beside_the_same_labels() -> None:
    text = fitted(WIDE, 60)
    assert text.count("Module") == text.count("MHA") > 1
    assert "Model: SmolLM2-135M" in text


def test_fitted_one_row_keeps_its_columns() -> None:
    one = Table("t", "One", WIDE.columns, WIDE.rows[:1])
    assert "Model: " not in fitted(one, 60)
    assert re.search(r"^Model +Module", fitted(one, 60), re.MULTILINE)


def test_fitted_without_rows_has_the_headings() -> None:
    none = Table("t", "None", WIDE.columns, ())
    assert max(map(len, fitted(none, 40).splitlines())) <= 40
    assert "Speedup" in fitted(none, 40)
