"""What the site is made of: every page has its place, and the references say all."""

import re
from pathlib import Path

import pytest

from accelerator_sim.design_space import space
from accelerator_sim.design_space.variation import hardware_keys
from docs.programs.references.command_line import command_reference
from docs.programs.references.machine import machine_reference
from docs.programs.references.markdown import prose, table
from docs.programs.references.results import results_reference
from workloads.support.docstrings import attribute_docs

DOCS = Path(__file__).parents[2] / "docs"
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_every_page_stands_once_in_the_order_of_the_site() -> None:
    listed: list[str] = []
    for tree in TOCTREE.findall((DOCS / "index.md").read_text(encoding="utf-8")):
        listed += [line for line in tree.splitlines() if line and not line.startswith(":")]
    pages = [str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")]
    assert sorted(["index", *listed]) == sorted(pages)


@pytest.fixture(scope="module")
def machine_page() -> str:
    return machine_reference()


def test_machine_reference_has_every_key_that_a_space_may_vary(machine_page: str) -> None:
    tables = re.split(r"^## ", machine_page, flags=re.MULTILINE)[1:]
    keys = set()
    for part in tables:
        name = re.match(r"`\[(\w+)\]`", part)
        rows = re.findall(r"^\| `(\w+)` \|", part, flags=re.MULTILINE)
        keys |= {f"{name[1]}.{row}" if name else row for row in rows}
    assert keys - {"name"} == set(hardware_keys())


@pytest.mark.parametrize(
    ("key", "values", "read_by"),
    [
        ("clock_hz", "whole number from 1 to 10^12 (Hz)", "plan"),
        ("handoff_cycles", "whole number from 0 to 1 (cycles)", "event, plan"),
        ("efficiency", "number in (0, 1] (share)", "plan"),
        (
            "denser_lines",
            'whole number from 0 to `lines` (lines) or `"auto"`, `"proportional"`',
            "plan",
        ),
        ("pipeline_cycles", "whole number from 0 to 1024 (cycles)", "event, plan"),
        ("technology", "text", "energy"),
        ("dense_threshold", "number in [0, 1] (share of rows)", "event, plan, published"),
    ],
)
def test_machine_reference_tells_range_and_readers(
    key: str, values: str, read_by: str, machine_page: str
) -> None:
    rows = [line for line in machine_page.splitlines() if line.startswith(f"| `{key}` |")]
    assert len(rows) == 1
    assert rows[0].split(" | ")[1] == values
    assert set(read_by.split(", ")) <= set(rows[0].removesuffix(" |").split(" | ")[-1].split(", "))


def test_space_page_has_every_key_at_the_top() -> None:
    text = (DOCS / "reference" / "space.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `\[?(\w+)\]?` \|", text, flags=re.MULTILINE)) == set(space._KEYS)


def test_command_reference_has_options_with_their_defaults() -> None:
    text = command_reference()
    assert "## `sslc simulate`" in text
    assert re.search(
        r"^\| `--tokens <int range>` \| Tokens per product\. \| `1; x>=1` \|$", text, re.M
    )
    assert re.search(r"^\| `--out <path>` \|.*\| required \|$", text, re.M)


def test_results_reference_explains_fields_and_links_what_is_inside() -> None:
    text = results_reference()
    assert "### `cycles`" in text
    assert "| `blocks` | list of [BlockCycles](#blockcycles) |" in text
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= {
        heading.lower() for heading in re.findall(r"^### (\w+)$", text, flags=re.M)
    }


def test_attribute_docs_joins_lines_and_ends_with_the_section() -> None:
    class Example:
        """Something.

        Attributes:
            first: One
                and more.
            second: Two.

        Source: nobody.
        """

    assert attribute_docs(Example) == {"first": "One and more.", "second": "Two."}


def test_table_cells_cannot_break_a_table() -> None:
    assert table(["a", "b"], [["x|y", "1\n2"]]).splitlines()[2] == "| x\\|y | 1 2 |"
    assert prose("a*b ``c*d`` <e>") == "a\\*b `c*d` \\<e>"
