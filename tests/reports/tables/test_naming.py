"""Names that people give: what is shown has them, and what tells results apart stays."""

import dataclasses

import pytest

from reports.page.sections import report_page
from reports.report import named, tables_of
from reports.tables.naming import renamed
from tests.reports.page.materials import BASE, material, swept
from tests.workloads.results.results import SUBJECT, perplexity
from workloads.support.errors import InputError

OTHER = dataclasses.replace(SUBJECT, model="other", sha256="34" * 32)


def test_names_stand_in_tables_and_on_the_page() -> None:
    made = material(sweeps=(swept(20, work=True),))
    names = ("tiny=My model", f"{SUBJECT.method}=ours", f"{BASE}=My machine")
    shown = named(made, names)
    tables = tables_of(shown)
    words = {str(cell) for table in tables for row in table.rows for cell in row}
    assert {"My model", "ours", "dense"} <= words
    assert not {"tiny", SUBJECT.method} & words
    page = report_page(shown, tables)
    assert page.title == "My model, ours"
    [explorer] = next(s for s in page.sections if s.name == "front").explorers
    assert "My machine" in explorer.title
    assert made.results[0].identity != shown.results[0].identity
    assert made.sweeps[0].result.identity.machine.name == BASE


def test_name_alone_is_the_models_and_a_label_tells_two_methods_apart() -> None:
    more = dataclasses.replace(SUBJECT, sha256="56" * 32, settings={"kept_fraction": 0.25})
    results = (perplexity(), perplexity(more))
    [first, second] = renamed(results, ["A", f"{SUBJECT.method} (kept_fraction=0.25)=B"])
    assert (first.identity.subject.model, first.identity.subject.method) == ("A", SUBJECT.method)
    assert (second.identity.subject.model, second.identity.subject.method) == ("A", "B")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sslk=ours", "unknown model, method or machine 'sslk'"),
        ("mine", "several models"),
        ("dense=x", "unknown model"),
        ("sslc=", "write NEW or OLD=NEW"),
    ],
)
def test_name_that_fits_nothing_is_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        renamed((perplexity(), perplexity(OTHER)), [name])
