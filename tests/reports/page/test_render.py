"""The page as a file: whole by itself, and what comes from files is text in it."""

import json
import re
from pathlib import Path

from reports.page.parts import Chart, Page, Picture, Section
from reports.page.render import write_page
from tests.reports.page.materials import HOSTILE
from workloads.results.table import Column, Table

COLUMNS = (Column(HOSTILE), Column("B", ".1f"))
TABLE = Table(HOSTILE, HOSTILE, COLUMNS, ((HOSTILE, 1.5), ("x", 2.5)), (HOSTILE,))


def written(path: Path, page: Page) -> str:
    write_page(path / "index.html", page)
    return (path / "index.html").read_text(encoding="utf-8")


def test_write_page_escapes_what_comes_from_files(tmp_path: Path) -> None:
    chart = Chart("c", HOSTILE, HOSTILE, {"data": {"values": [{"x": HOSTILE}]}})
    section = Section("s", HOSTILE, (HOSTILE,), charts=(chart,), tables=(TABLE, TABLE))
    text = written(
        tmp_path, Page(HOSTILE, (HOSTILE,), about={HOSTILE: HOSTILE}, sections=(section,))
    )
    assert "<img src=x" not in text
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert data is not None
    values = json.loads(data[1])["charts"]["c"]["spec"]["data"]["values"]
    assert values == [{"x": HOSTILE}]
    ids = re.findall(r'\sid="([^"]*)"', text)
    assert len(ids) == len(set(ids))


def test_write_page_asks_for_nothing_and_says_so(tmp_path: Path) -> None:
    text = written(tmp_path, Page("T", sections=(Section("s", "S", tables=(TABLE,)),)))
    assert "default-src 'none'" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert text.count("<script>") == 1  # no chart, no drawing library


def test_write_page_pictures_keep_their_identifiers_to_themselves(tmp_path: Path) -> None:
    picture = Picture("Figure", '<svg xmlns="x"><g id="figure_1"/></svg>')
    text = written(tmp_path, Page("T", sections=(Section("s", "S", pictures=(picture, picture)),)))
    assert "figure_1" not in text
    assert text.count('src="data:image/svg+xml;base64,') == 2


def test_write_page_numbers_that_json_lacks_become_null(tmp_path: Path) -> None:
    chart = Chart("c", "C", "", {"data": {"values": [{"x": float("nan"), "y": float("inf")}]}})
    text = written(tmp_path, Page("T", sections=(Section("s", "S", charts=(chart,)),)))
    assert '{"x": null, "y": null}' in text
