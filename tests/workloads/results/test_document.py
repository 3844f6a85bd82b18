import csv
import io
import json

from tests.workloads.results.results import perplexity
from workloads.results.document import render_all
from workloads.results.table import Column, Table

FIRST = Table("one", "First", (Column("A"), Column("B", ".1f")), (("x", 1.25), ("y", None)))
SECOND = Table("two", "Second", (Column("B"), Column("C")), ((2, "z"),))


def test_render_all_csv_of_two_tables_is_one_that_a_parser_reads() -> None:
    rows = list(csv.DictReader(io.StringIO(render_all([FIRST, SECOND], "csv"))))
    assert [row["Table"] for row in rows] == ["First", "First", "Second"]
    assert rows[0] == {"Table": "First", "A": "x", "B": "1.25", "C": ""}
    assert rows[2] == {"Table": "Second", "A": "", "B": "2", "C": "z"}


def test_render_all_csv_of_one_table_has_no_title_column() -> None:
    assert render_all([FIRST], "csv").splitlines()[0] == "A,B"


def test_render_all_json_is_one_document_with_results_and_every_cell() -> None:
    value = json.loads(render_all([FIRST, SECOND], "json", [perplexity()]))
    assert [table["name"] for table in value["tables"]] == ["one", "two"]
    assert value["tables"][0]["rows"] == [{"A": "x", "B": 1.25}, {"A": "y", "B": None}]
    assert value["results"][0]["perplexity"] == 20.0
