import dataclasses

import pytest

from reports.tables.runtime import projection_runtime_table, runtime_table
from tests.workloads.results.results import projection_runtime, runtime
from workloads.results.runtime import RuntimeResult
from workloads.results.table import to_dict


def _compressed(result: RuntimeResult) -> list[dict[str, object]]:
    rows = to_dict(runtime_table([result]))["rows"]
    return [row for row in rows if row["Backend"] == "kernel cpu"]


def test_runtime_table_says_slower_as_plainly_as_faster() -> None:
    """Against the faster of two dense products: 4 us over 10 us, then 4 us over 2 us."""
    entries = (projection_runtime(1, 4e-6, 10e-6), projection_runtime(8, 4e-6, 2e-6))
    rows = _compressed(runtime(entries=entries))
    assert [row["Verdict"] for row in rows] == ["slower", "faster"]
    assert [row["Speedup"] for row in rows] == [pytest.approx(0.4), pytest.approx(2.0)]


def test_runtime_table_bytes_say_bound_and_bandwidth() -> None:
    """1250 bytes for 2000 in 0.9 x 125 us: bound 1.6; 11.1 MB/s of a stream of 10 MB/s."""
    [row] = _compressed(runtime(entries=(projection_runtime(1, 250e-6, 125e-6),)))
    assert row["Bytes bound"] == pytest.approx(1.6)
    assert row["Of bound"] == pytest.approx(2.0 / 1.6)
    assert row["GB/s"] == pytest.approx(1250 / 112.5e-6 / 1e9)
    assert row["Of stream"] == pytest.approx(1250 / 112.5e-6 / 1e7)


def test_runtime_table_blocks_are_averaged_and_projections_summed() -> None:
    entries = tuple(
        projection_runtime(1, dense, 1e-6, block=block)
        for block, dense in ((0, 1e-6), (0, 3e-6), (1, 6e-6), (1, 2e-6))
    )
    [dense, *_] = to_dict(runtime_table([runtime(entries=entries)]))["rows"]
    assert dense["Time (us)"] == pytest.approx(6.0)


def test_runtime_table_names_device_stream_and_what_is_not_available() -> None:
    notes = " ".join(runtime_table([runtime()]).notes)
    assert "a CPU, 2 threads, avx2; stream 0.0 GB/s in the same run, load 0.5" in notes
    assert "Not available: torch 2:4 (needs a CUDA device)." in notes
    assert "not faster" not in notes


def test_runtime_table_where_ours_is_slower_says_what_a_call_takes() -> None:
    """20 us of 0.9 x 40 us are the call."""
    table = runtime_table([runtime(entries=(projection_runtime(1, 30e-6, 40e-6),))])
    [note] = [note for note in table.notes if "not faster" in note]
    assert "FFN is not faster at 1 token here: a call takes 20 us" in note
    assert "56% of the time" in note


def test_runtime_table_two_devices_are_a_column() -> None:
    first = runtime()
    device = dataclasses.replace(first.identity.device, name="another")
    identity = dataclasses.replace(first.identity, device=device)
    rows = to_dict(runtime_table([first, dataclasses.replace(first, identity=identity)]))["rows"]
    assert list(dict.fromkeys(row["Device"].split(",")[0] for row in rows)) == ["a CPU", "another"]


def test_projection_runtime_table_has_a_row_for_each_projection_and_backend() -> None:
    entries = (projection_runtime(1, 1e-6, 1e-6), projection_runtime(1, 1e-6, 1e-6, module="MHA"))
    rows = to_dict(projection_runtime_table([runtime(entries=entries)]))["rows"]
    assert [row["Projection"] for row in rows] == ["mlp.up_proj"] * 3 + ["self_attn.q_proj"] * 3
    assert {(row["Shape"], row["Rank"], row["S kept"]) for row in rows} == {("10x100", 1, 0.39)}
