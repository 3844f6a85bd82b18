"""The trace: the format's rules, nothing at once on one unit, the same cycles as the account."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation import trace
from accelerator_sim.simulation.conventions import WAITS
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.trace import chrome_trace, run_traced
from tests.accelerator_sim.machines import (
    machines,
    projection,
    projections,
    random_mask,
    small_machine,
    with_rows,
)
from tests.accelerator_sim.simulation.test_event import SLOW, plan_or_skip
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import InputError


def traced(plan: Plan) -> tuple[Any, dict[str, Any]]:
    result, operations = run_traced(plan)
    return result, json.loads(json.dumps(chrome_trace([("run", result, operations)])))


def spans(values: dict[str, Any], *units: str) -> list[tuple[int, int]]:
    """Start and end of the events of some threads in thousandths of a cycle, in order."""
    events = values["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    return sorted(
        (round(1000 * event["ts"]), round(1000 * (event["ts"] + event["dur"])))
        for event in events
        if event["ph"] == "X" and names[event["tid"]] in units
    )


DRAM = tuple(f"DRAM {what}" for what in ("weights", "activations", "factors", "write-back"))


def test_run_traced_one_tile_matches_hand_count() -> None:
    """The first hand count of the event model: loads 0 to 5, tile 8 to 11, out at 12."""
    item = projection(with_rows([4, 1, 2, 1], 8))
    result, values = traced(plan_projection(item, small_machine()))
    assert result.cycles == 15
    assert spans(values, "DRAM weights") == [(0, 3000)]
    assert spans(values, "DRAM activations") == [(3000, 5000)]
    assert spans(values, "sparser engine") == [(8000, 11000)]
    assert spans(values, "DRAM write-back") == [(12000, 13000)]
    assert spans(values, "denser engine", "accumulation link", "DRAM factors") == []


@given(machine=machines(), item=projections())
@SLOW
def test_chrome_trace_random_machine_keeps_the_rules(
    machine: Accelerator, item: SparseLowRankGemm
) -> None:
    plan = plan_or_skip(item, machine)
    result, values = traced(plan)
    assert result == run_event(plan)
    named = set()
    for event in values["traceEvents"]:
        assert event["ph"] in ("X", "M", "C")
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert set(event) == {"ph", "name", "pid", "tid", "args"}
            assert event["name"] in ("process_name", "thread_name", "thread_sort_index")
            assert list(event["args"]) == [
                "sort_index" if event["name"] == "thread_sort_index" else "name"
            ]
            if event["name"] == "thread_name":
                named.add((event["pid"], event["tid"]))
        elif event["ph"] == "C":
            assert set(event) == {"ph", "name", "pid", "tid", "ts", "args"}
            assert event["args"]["value"] >= 0
        else:
            assert set(event) == {"ph", "name", "cat", "pid", "tid", "ts", "dur", "args"}
            assert event["name"]
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            assert event["ts"] + event["dur"] <= result.cycles
            assert (event["pid"], event["tid"]) in named
    for units in (("denser engine",), ("sparser engine",), ("accumulation link",), DRAM):
        for (_, end), (start, _) in pairwise(spans(values, *units)):
            assert end <= start
    for thread in {event["tid"] for event in values["traceEvents"]}:
        mine = [e["ts"] for e in values["traceEvents"] if e["tid"] == thread and e["ph"] == "X"]
        assert mine == sorted(mine)


@given(machine=machines(), item=projections())
@SLOW
def test_chrome_trace_busy_time_equals_the_accounts(
    machine: Accelerator, item: SparseLowRankGemm
) -> None:
    plan = plan_or_skip(item, machine)
    result, values = traced(plan)
    lines = {
        "denser engine": (plan.program.denser_lines, result.denser),
        "sparser engine": (plan.program.sparser_lines, result.sparser),
    }
    for unit, (count, account) in lines.items():
        busy = sum(end - start for start, end in spans(values, unit)) // 1000
        worked = account.compute + account.index_decode
        assert busy * count == worked + account.gather + account.imbalance
        if spans(values, unit):
            assert spans(values, unit)[0][0] * count == 1000 * account.fill


def test_chrome_trace_overlapped_names_the_tiles_of_u() -> None:
    machine = small_machine(schedule="overlapped", denser_lines=1)
    item = projection(random_mask(8, 16, 0.5, seed=1), rank=2, tokens=2)
    _, values = traced(plan_projection(item, machine))
    names = [event["name"] for event in values["traceEvents"] if event["ph"] == "X"]
    assert any(name.startswith("U tile") for name in names)


def test_run_traced_too_many_tiles_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MAX_TILES", 3)
    item = projection(random_mask(8, 32, 0.5, seed=1))
    with pytest.raises(InputError, match="p: 8 tiles are too many to trace, at most 3: use a"):
        run_traced(plan_projection(item, small_machine()))


def test_chrome_trace_says_what_a_microsecond_is() -> None:
    item = projection(with_rows([1], 8))
    result, operations = run_traced(plan_projection(item, small_machine()))
    values = chrome_trace([("a", result, operations), ("b", result, operations)])
    assert "one cycle" in values["otherData"]["time"]
    processes = [e for e in values["traceEvents"] if e["name"] == "process_name"]
    assert [event["args"]["name"][0] for event in processes] == ["a", "b"]
    assert {event["pid"] for event in processes} == {0, 1}


@given(machine=machines(), item=projections())
@SLOW
def test_chrome_trace_waits_and_bandwidth_equal_the_accounts(
    machine: Accelerator, item: SparseLowRankGemm
) -> None:
    plan = plan_or_skip(item, machine)
    result, values = traced(plan)
    lines = {"denser": plan.program.denser_lines, "sparser": plan.program.sparser_lines}
    waits = [e for e in values["traceEvents"] if e["ph"] == "X" and "reason" in e["args"]]
    for engine, account in result.stalls.items():
        for reason in WAITS:
            cycles = sum(
                event["dur"]
                for event in waits
                if event["cat"] == engine and event["args"]["reason"] == reason.replace("_", " ")
            )
            assert cycles * lines[engine] == getattr(account, reason)
    rates = [
        event["args"]["value"]
        for event in values["traceEvents"]
        if event["ph"] == "C" and event["name"].startswith("DRAM")
    ]
    width = -(-result.cycles // trace._WINDOWS)
    events = [event for event in values["traceEvents"] if event["ph"] == "X"]
    moved = sum(event["args"]["bytes"] for event in events if event["cat"] == "dram")
    assert sum(rates) * width == pytest.approx(moved, rel=0.02, abs=1)


def test_chrome_trace_one_tile_says_rows_nonzeros_and_bytes() -> None:
    """4 rows of 8 columns with 8 nonzeros: 8 bytes of values and 4 of bitmap."""
    item = projection(with_rows([4, 1, 2, 1], 8))
    _, values = traced(plan_projection(item, small_machine()))
    events = [e for e in values["traceEvents"] if e["ph"] == "X"]
    [tile] = [e["args"] for e in events if e["cat"] == "sparser"]
    assert (tile["rows"], tile["nonzeros"], tile["weight bytes"]) == (4, 8, 12)
    assert [e["args"]["bytes"] for e in events if e["cat"] == "dram"] == [12, 8, 4]
    held = [
        (e["ts"], e["args"]["value"])
        for e in values["traceEvents"]
        if e["name"] == "weights on chip (bytes)"
    ]
    assert held == [(0, 12), (11, 0)]
