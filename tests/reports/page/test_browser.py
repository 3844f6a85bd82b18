"""The page in a real browser: drawn, sorted, filtered, picked, printed; hostile names stay text."""

import base64
import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from accelerator_sim.machine.catalog import build_accelerator, load_accelerator, with_overrides
from reports.page.parts import Page, Section
from reports.page.sections import report_page
from reports.report import tables_of
from tests.reports.page.conftest import Open
from tests.reports.page.materials import BASE, HOSTILE, material, swept
from tests.workloads.results.results import SUBJECT
from workloads.results.table import Column, Table
from workloads.support.toml_place import Place

MANY = 10_000


def whole(sweep_points: int = 200, **changes: Any) -> Page:
    made = material(dataclasses.replace(SUBJECT, **changes), sweeps=(swept(sweep_points),))
    return report_page(made, tables_of(made))


WIDE = Page(
    "Wide",
    sections=(
        Section(
            "wide",
            "Wide",
            tables=(
                Table(
                    "wide",
                    "Sixteen columns",
                    tuple(Column(f"Column number {n}", ".2f") for n in range(16)),
                    tuple(
                        (
                            f"row {r} of {'zebras' if r in (1, 12) else 'apes'}",
                            *(r + n * 1000.5 for n in range(15)),
                        )
                        for r in (3, 1, 12, 2, 7, 9)
                    ),
                ),
            ),
        ),
    ),
)


@pytest.mark.parametrize("width", [400, 800, 1600])
def test_page_overflows_at_no_width_and_every_chart_is_drawn(open_page: Open, width: int) -> None:
    tab = open_page(whole(), width=width)
    root = "document.documentElement"
    assert tab.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
    drawn = tab.locator(".plot svg, .plot canvas").count()
    assert drawn == tab.locator(".plot").count() > 5
    tab.set_viewport_size({"width": 400, "height": 900})
    assert tab.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


def test_every_link_of_the_contents_leads_to_a_heading_and_no_id_stands_twice(
    open_page: Open,
) -> None:
    tab = open_page(whole())
    links = tab.eval_on_selector_all("nav a", "links => links.map(a => a.hash.slice(1))")
    assert links[0] == "speedup"
    for link in links:
        assert tab.locator(f"#{link} h2").count() == 1
    ids = tab.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_axe_finds_no_serious_fault_in_light_and_dark(open_page: Open) -> None:
    from axe_playwright_python.sync_playwright import Axe

    tab = open_page(whole())
    assert _grave(Axe().run(tab).response) == []
    tab.get_by_role("button", name="Dark page").click()
    contrast = {"runOnly": ["color-contrast"]}
    assert _grave(Axe().run(tab, options=contrast).response) == []


def _grave(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (one["id"], node["html"][:200])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_heading_sorts_by_number_and_filter_hides_rows(open_page: Open) -> None:
    tab = open_page(WIDE)

    def first_column() -> Any:
        rows = tab.locator("#table-wide tbody tr:visible th")
        return [text.split()[1] for text in rows.all_text_contents()]

    assert first_column() == ["3", "1", "12", "2", "7", "9"]
    tab.get_by_role("button", name="Column number 1", exact=True).click()
    assert first_column() == ["1", "2", "3", "7", "9", "12"]
    tab.get_by_role("button", name="Column number 1", exact=True).press("Enter")
    assert first_column() == ["12", "9", "7", "3", "2", "1"]
    assert tab.locator("th[aria-sort=descending]").count() == 1
    tab.get_by_label("Filter").fill("row ZEBRA")
    assert first_column() == ["12", "1"]
    assert tab.locator("#table-wide-status").text_content() == "2 of 6 rows"


def test_hostile_names_stay_text(open_page: Open) -> None:
    tab = open_page(whole(model=HOSTILE))
    assert HOSTILE in tab.locator("h1").text_content()
    assert tab.locator("img").count() == 0
    assert HOSTILE in tab.locator("figcaption").first.text_content()


def test_wide_table_holds_headings_and_first_column_and_prints_whole(
    open_page: Open, tmp_path: Path
) -> None:
    tab = open_page(WIDE, width=400)
    held = "e => e.getBoundingClientRect().left"
    cell = tab.locator("#table-wide tbody th").first
    before = cell.evaluate(held)
    tab.locator(".wide").evaluate("e => e.scrollLeft = 500")
    assert tab.locator(".wide").evaluate("e => e.scrollLeft") == 500
    assert cell.evaluate(held) == pytest.approx(before, abs=2)
    assert tab.locator("#table-wide tbody td").first.evaluate(held) < 0
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": 703, "height": 1000})  # of A4 within its margins
    right = "all => Math.max(...all.map(e => e.getBoundingClientRect().right))"
    assert tab.eval_on_selector_all("#table-wide td, #table-wide thead th", right) <= 703
    printed = tab.pdf(path=tmp_path / "page.pdf", format="A4")
    assert printed.startswith(b"%PDF")


def test_button_changes_between_light_and_dark(open_page: Open) -> None:
    tab = open_page(whole(), dark=True)
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = tab.evaluate(colour)
    tab.get_by_role("button", name="Light page").click()
    assert tab.evaluate(colour) == "rgb(255, 255, 255)" != dark
    assert tab.get_by_role("button", name="Dark page").count() == 1


def test_point_of_ten_thousand_leads_to_its_machine_as_toml(open_page: Open) -> None:
    tab = open_page(whole(MANY))
    explorer = tab.locator("figure:has([data-explorer])")
    point = explorer.get_by_label("Point of the front")
    assert point.locator("option").count() == 10
    assert explorer.locator("dd").first.text_content() == "4"  # the knee
    point.select_option(index=7)
    text = explorer.locator("[data-role=toml]").text_content()
    read = build_accelerator(tomllib.loads(text), Place("the page"))
    changes = {"lines": 23, "dram.bytes_per_second": 1e9}
    asked = with_overrides(load_accelerator(BASE), changes)
    same = dataclasses.replace(asked, name=read.name, description=read.description)
    assert read == same
    explorer.get_by_role("button", name="Copy").click()
    tab.get_by_role("button", name="Copied").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == text


def test_brush_lists_the_points_inside_it(open_page: Open) -> None:
    tab = open_page(whole())
    explorer = tab.locator("figure:has([data-explorer])")
    canvas = explorer.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 30)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 150, steps=4)
    tab.mouse.up()
    status = explorer.locator("[data-role=status]")
    status.filter(has_text="points in the brush").wait_for()
    inside = int(status.text_content().split()[0])
    assert 0 < inside < 190
    options = explorer.get_by_label("Point of the front").locator("option")
    assert options.count() == inside


def test_download_is_the_whole_table(open_page: Open) -> None:
    tab = open_page(WIDE)
    href = tab.get_by_role("link", name="Sixteen columns as CSV").get_attribute("href")
    content = base64.b64decode(href.partition("base64,")[2]).decode()
    assert len(content.splitlines()) == 7
    assert content.startswith("Column number 0,")
