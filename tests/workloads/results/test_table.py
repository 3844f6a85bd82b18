import csv
import io
import json
from pathlib import Path

import pytest

from workloads.results.document import render_all
from workloads.results.table import Cell, Column, Table, csv_cell, render, write_tables
from workloads.support.errors import InputError

TABLE = Table(
    "demo",
    "Cycles & <b>more</b>",
    (Column("Name"), Column("Cycles", ",.1f"), Column("Share", ".0%")),
    (("a_b", 1234.56, 0.5), ("<script>", 7, None)),
    ("50% kept",),
)


def test_render_text_writes_numbers_for_people() -> None:
    lines = render(TABLE, "text").splitlines()
    assert lines[0] == "Cycles & <b>more</b>"
    assert lines[4].split() == ["a_b", "1,234.6", "50%"]
    assert lines[5].split() == ["<script>", "7.0", "-"]
    assert lines[-1] == "  50% kept"


def test_render_csv_and_json_keep_all_digits() -> None:
    rows = list(csv.DictReader(io.StringIO(render(TABLE, "csv"))))
    assert rows[0] == {"Name": "a_b", "Cycles": "1234.56", "Share": "0.5"}
    parsed = json.loads(render(TABLE, "json"))
    assert parsed["rows"][1] == {"Name": "<script>", "Cycles": 7, "Share": None}
    assert parsed["notes"] == ["50% kept"]


def test_render_markdown_bars_inside_cells_are_escaped() -> None:
    table = Table("t", "T", (Column("|a|"), Column("b")), (("|x|", 1),))
    lines = render(table, "markdown").splitlines()
    assert lines[2].split() == ["|", r"\|a\|", "|", "b", "|"]
    assert lines[4].split() == ["|", r"\|x\|", "|", "1", "|"]


def test_render_unknown_style_lists_formats() -> None:
    with pytest.raises(InputError, match="did you mean markdown"):
        render(TABLE, "markdwn")


def test_table_ragged_row_raises() -> None:
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table("x", "x", (Column("a"), Column("b")), (("only",),))


def test_write_tables_one_file_per_format(tmp_path: Path) -> None:
    paths = write_tables([TABLE], tmp_path / "new")
    assert sorted(path.name for path in paths) == [
        f"demo.{suffix}" for suffix in ("csv", "json", "md", "tex", "txt")
    ]
    assert sorted(tmp_path.joinpath("new").iterdir()) == sorted(paths)


def test_table_two_columns_of_one_name_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="two columns are called 'B'"):
        Table("t", "T", (Column("A"), Column("B"), Column("B")), ())


def test_to_frame_keeps_names_and_numbers() -> None:
    frame = Table("t", "T", (Column("A"), Column("B", ".1f")), (("x", 1.25),)).to_frame()
    assert list(frame.columns) == ["A", "B"]
    assert frame["B"][0] == 1.25


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+2", "'=1+2"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"), ("-1.5", "-1.5"), ("+3e4", "+3e4"), ("-", "-"), (-2.5, -2.5),
        (None, None), ("a=b", "a=b"), ("\x1b[31mred", r"\x1b[31mred"),
    ],
)  # fmt: skip
def test_csv_cell_is_no_formula_and_numbers_stay(cell: Cell, written: Cell) -> None:
    assert csv_cell(cell) == written


@pytest.mark.parametrize("style", ["text", "markdown", "csv", "latex"])
def test_render_foreign_names_without_control_characters(style: str) -> None:
    name = "a\x1b[2J\u202eb\nc"
    table = Table("t", name, (Column(name),), ((name,), (1.5,)), (name,))
    for written in (render(table, style), render_all([table, table], style)):
        assert all(line.isprintable() for line in written.split("\n"))
