"""The numbers of the first screen, the demo's table and verdict, and two runs compared."""

import dataclasses

import pytest

from reports.page.headline import block_speedup, headline, lead, numbers
from reports.page.two_runs import comparison_table
from reports.page.verdict import MOST_ROWS, summary_table, verdict_of
from reports.stored.material import Material
from tests.reports.page.materials import material
from tests.workloads.results.results import SUBJECT, perplexity


def test_headline_takes_the_compressed_model_that_most_is_known_of() -> None:
    other = dataclasses.replace(SUBJECT, method="wanda", sha256="12" * 32)
    made = material()
    main = headline(Material((*made.results, perplexity(other, 30.0))))
    assert main is not None
    assert main.subject == SUBJECT
    assert main.dense_perplexity is not None
    assert main.dense_perplexity.perplexity == 20.0


def test_numbers_have_value_and_provenance() -> None:
    main = headline(material())
    assert main is not None
    assert main.cycles is not None
    quality, simulated, measured = numbers(main)
    assert (quality.value, quality.basis) == ("25.00", "measured")
    assert "dense: 20.00" in quality.about
    totals = main.cycles.total.values()
    by_hand = sum(t.dense_cycles for t in totals) / sum(t.sum_cycles for t in totals)
    assert block_speedup(main.cycles) == by_hand
    assert (simulated.value, simulated.basis) == (f"{by_hand:.2f}×", "simulated (event)")
    assert (measured.value, measured.basis) == ("2.00×", "measured")
    assert "a CPU" in measured.about


def test_numbers_that_nobody_has_say_how_to_get_them() -> None:
    main = headline(Material((perplexity(),)))
    assert main is not None
    values = [number.value for number in numbers(main)]
    assert values == ["20.00", None, None]
    assert "sslc measure" in numbers(main)[2].about
    assert lead(main)[1] == "It was neither simulated nor measured yet."
    assert headline(Material(())) is None


def test_summary_is_short_and_verdict_repeats_its_numbers() -> None:
    made = material()
    table = summary_table(made)
    assert len(table.rows) <= MOST_ROWS
    by_basis = {row[2]: row[1] for row in table.rows}
    assert by_basis["measured (1 token)"] == pytest.approx(2.0)
    assert "25.00 (dense 20.00)" in verdict_of(made)
    assert f"{by_basis['simulated (event)']:.2f} times" in verdict_of(made)
    assert "2.00 times as fast as dense here, measured" in verdict_of(made)


def test_comparison_has_what_both_have_and_says_which_is_better() -> None:
    one = material()
    better = Material((perplexity(value=20.0), *one.results[2:]))
    worse = Material((perplexity(value=50.0),))
    rows = {row[0]: row for row in comparison_table(one, better, names=("a", "b")).rows}
    assert rows["perplexity"][3:] == (25.0, 20.0, 0.8, "better")
    assert rows["MHA speedup"][5:] == (1.0, "the same")
    table = comparison_table(one, worse, names=("a", "a"))
    assert [row[0] for row in table.rows] == ["perplexity"]
    assert table.rows[0][6] == "worse"
    assert any("only one of the two" in note for note in table.notes)
