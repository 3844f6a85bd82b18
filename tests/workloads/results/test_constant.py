"""Constant columns leave a table for its caption."""

from workloads.results.constant import without_constants
from workloads.results.table import Column, Table

COLUMNS = (Column("Model"), Column("Tokens", ",d"), Column("Speedup", ".1f"), Column("Context"))


def test_without_constants_tells_what_all_rows_share_and_drops_what_none_has() -> None:
    table = Table("t", "T", COLUMNS, (("a", 1, 1.23, None), ("a", 1, 1.87, None)))
    short, told = without_constants(table)
    assert [column.name for column in short.columns] == ["Speedup"]
    assert short.rows == ((1.23,), (1.87,))
    assert told == {"Model": "a", "Tokens": "1"}


def test_without_constants_compares_what_is_written() -> None:
    table = Table("t", "T", COLUMNS, (("a", 1, 1.21, None), ("b", 1, 1.22, "x")))
    short, told = without_constants(table)
    assert [column.name for column in short.columns] == ["Model", "Context"]
    assert told == {"Tokens": "1", "Speedup": "1.2"}


def test_without_constants_of_one_row_keeps_its_numbers() -> None:
    short, told = without_constants(Table("t", "T", COLUMNS, (("a", 1, 1.23, "x"),)))
    assert [column.name for column in short.columns] == ["Tokens", "Speedup"]
    assert told == {"Model": "a", "Context": "x"}


def test_without_constants_never_leaves_a_table_without_columns() -> None:
    short, _ = without_constants(Table("t", "T", COLUMNS[:1], (("a",), ("a",))))
    assert len(short.columns) == 1
    assert without_constants(Table("t", "T", COLUMNS, ()))[1] == {}
