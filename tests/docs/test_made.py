"""Tables that programs wrote into pages were made with the machines, costs and engines of today."""

import importlib.util

import pytest

from docs.programs.made import Part, compact, fingerprint, parts_of
from docs.programs.pages import PAGES
from workloads.results.table import Column, Table

PARTS = [(page.name, part) for page in PAGES for part in parts_of(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "part"), PARTS, ids=[f"{p}-{part.name}" for p, part in PARTS])
def test_made_part_is_of_the_machines_costs_and_engines_of_today(page: str, part: Part) -> None:
    assert importlib.util.find_spec(part.program)
    assert fingerprint(part.machines) == part.fingerprint, (
        f"{page}: python -m {part.program} makes {part.name} anew; read the sentences beside it"
    )


def test_pages_have_made_parts() -> None:
    assert {page for page, _ in PARTS} >= {"event_model.md", "effects.md", "energy.md"}


def test_compact_is_a_table_without_padding() -> None:
    table = Table("t", "title", (Column("a"), Column("b", ".1f")), (("x", 1.25), ("z", None)))
    assert compact(table) == "| a | b |\n| --- | ---: |\n| x | 1.2 |\n| z | - |\n"


def test_parts_end_where_they_say() -> None:
    text = "<!-- made: n by p on m, 12ab -->\n| a |\n<!-- end -->\nmore\n<!-- end -->\n"
    assert list(parts_of(text)) == [Part("n", "p", "m", "12ab")]
