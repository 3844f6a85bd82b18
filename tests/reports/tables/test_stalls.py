"""Cycles by reason: the parts of a row add up to its cycles."""

import pytest

from reports.tables.stalls import stall_parts, stalls_table
from tests.reports.results import cycles


def test_stalls_table_parts_add_up_to_the_cycles_of_a_block() -> None:
    event = cycles("event", 0.3, 0.6)
    table = stalls_table([event, cycles("roofline", 0.3, 0.6)])
    headings = [column.name for column in table.columns]
    whole = headings.index("All")
    assert len(table.rows) == 2
    for row in table.rows:
        parts = [cell for cell in row[whole + 1 :] if isinstance(cell, float)]
        assert sum(parts) == pytest.approx(row[whole])
    [mean] = event.mean_per_block.values()
    by_run = {row[headings.index("Run")]: row[whole] for row in table.rows}
    assert by_run == {"dense": mean.dense_cycles, "compressed": mean.sum_cycles}


def test_stall_parts_are_shares_of_line_cycles() -> None:
    event = cycles("event", 0.5)
    [run] = [p.sum_run for b in event.blocks for p in b.projections]
    assert run is not None
    compressed = next(one for one in stall_parts(event) if one.run == "compressed")
    lines = (run.denser.total + run.sparser.total) / run.cycles
    busy = run.denser.compute + run.sparser.compute
    assert compressed.parts["compute"] == pytest.approx(busy / lines)
