import dataclasses

import pytest

from reports.tables.runtime import runtime_table
from tests.workloads.results.results import PROVENANCE, runtime
from workloads.results.kinds import ProjectionRuntime, RuntimeResult
from workloads.results.table import to_dict


def _entry(tokens: int, dense: float, sparse: float) -> ProjectionRuntime:
    return ProjectionRuntime(0, "q_proj", "MHA", tokens, dense, sparse, 1e-6)


def test_runtime_table_says_slower_as_plainly_as_faster() -> None:
    entries = (_entry(1, 4e-6, 9e-6), _entry(8, 4e-6, 1e-6))
    table = runtime_table([RuntimeResult(runtime().identity, PROVENANCE, entries)])
    rows = to_dict(table)["rows"]
    assert [row["Verdict"] for row in rows] == ["slower", "faster"]
    assert [row["Speedup"] for row in rows] == [pytest.approx(0.4), pytest.approx(2.0)]
    assert any("Measured on: a CPU, 2 threads" in note for note in table.notes)


def test_runtime_table_two_devices_are_a_column() -> None:
    first = runtime()
    other = dataclasses.replace(
        first, identity=dataclasses.replace(first.identity, device="another")
    )
    rows = to_dict(runtime_table([first, other]))["rows"]
    assert [row["Device"].split(",")[0] for row in rows] == ["a CPU", "another"]
