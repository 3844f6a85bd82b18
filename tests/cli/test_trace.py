"""``sslc simulate --trace``: the file, what it shows, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Run, by_model, results_of


def _processes(path: Path) -> list[str]:
    events = json.loads(path.read_text())["traceEvents"]
    assert {event["pid"] for event in events if event["ph"] == "X"} == {0, 1}
    return [e["args"]["name"] for e in events if e["name"] == "process_name"]


def _named(projection: dict[str, Any]) -> list[str]:
    """What the processes are called when both runs have the cycles of the printed result."""
    runs = (("dense", "dense_run"), ("compressed", "sum_run"))
    return [f"{name}: {projection[run]['cycles']} cycles" for name, run in runs]


@pytest.mark.parametrize(("name", "place"), [(None, 0), ("down_proj", 6)])
def test_simulate_trace_shows_the_projection_with_the_cycles_of_the_result(
    sslc: Run, artifact: Path, tmp_path: Path, name: str | None, place: int
) -> None:
    out = tmp_path / "new" / "trace.json"
    asked = ("--trace-projection", name) if name else ()
    run = ("simulate", artifact, "--tokens", 3, "--json", "--save", tmp_path, "--trace", out)
    done = sslc(*run, *asked)
    assert done.returncode == 0, done.stderr
    event = by_model(done)["event"]
    projection = event["blocks"][0]["projections"][place]
    assert projection["name"].endswith(name or "q_proj")
    assert _processes(out) == _named(projection)
    assert f"wrote {out}: {projection['name']} of the first block" in done.stderr


def test_simulate_trace_of_a_checkpoint_and_of_a_mask(
    sslc: Run, llama: Path, tmp_path: Path
) -> None:
    mask, out = tmp_path / "mine.npy", tmp_path / "trace.json"
    np.save(mask, np.tri(64, 64, dtype=np.uint8))
    event = ("--cycle-model", "event", "--trace", out, "--json")
    for source in (("--mask", mask), (llama, "--blocks", 1, "--trace-projection", "up_proj")):
        done = sslc("simulate", *source, *event)
        named = {p["name"]: p for p in results_of(done)[0]["blocks"][0]["projections"]}
        assert _processes(out) == _named(named["up_proj" if llama in source else "mine"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trace-projection", "upproj"], "unknown projection 'upproj': did you mean mlp.up_proj"),
        (["--cycle-model", "compiled"], "--trace needs the event model, and --cycle-model compile"),
        (["--cycle-model", "roofline"], "use event or all"),
        (
            ["--tokens", 60, *(f"--set=tile.{of}=1" for of in ("rows", "columns", "tokens"))],
            "tiles are too many to trace, at most 200000",
        ),
    ],
)
def test_simulate_trace_that_cannot_be_is_refused_and_touches_nothing(
    sslc: Run, artifact: Path, tmp_path: Path, arguments: list[object], message: str
) -> None:
    out = tmp_path / "trace.json"
    out.write_text("before")
    done = sslc("simulate", artifact, *arguments, "--save", tmp_path, "--trace", out)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]
    assert out.read_text() == "before"


def test_simulate_trace_projection_without_trace_is_refused(sslc: Run, artifact: Path) -> None:
    done = sslc("simulate", artifact, "--trace-projection", "q_proj")
    assert done.returncode == 2
    assert "--trace-projection says what --trace FILE writes" in done.stderr


def test_simulate_dram_trace_has_the_bytes_of_the_result(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    out = tmp_path / "q.trc"
    run = ("simulate", artifact, "--blocks", 1, "--cycle-model", "event", "--save", tmp_path)
    done = sslc(*run, "--set", "dram.channels=1", "--dram-trace", out, "--json")
    [result] = results_of(done)
    actions = result["blocks"][0]["projections"][0]["sum_run"]["actions"]
    lines = [line.split() for line in out.read_text().splitlines()]
    kinds = [kind for _, kind, _ in lines]
    assert kinds.count("READ") * 64 == actions["dram_read_bytes"]
    assert kinds.count("WRITE") * 64 == actions["dram_write_bytes"]
    other = (tmp_path / "q.trc.ramulator").read_text().splitlines()
    assert [line.split()[1] for line in other] == [address for address, _, _ in lines]
