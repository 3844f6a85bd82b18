"""``sslc trace`` on an artifact: the file, the table, and bad input."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_trace_writes_both_runs_with_the_cycles_that_it_prints(
    sslc: Run, artifact: Path, tmp_path: Path
) -> None:
    out = tmp_path / "trace.json"
    done = sslc("trace", artifact, "--projection", "up_proj", "--block", 1, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    events = json.loads(out.read_text())["traceEvents"]
    names = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    runs = json.loads(done.stdout)
    assert names == [f"{run['run']}: {run['cycles']} cycles" for run in runs]
    assert {event["pid"] for event in events if event["ph"] == "X"} == {0, 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--projection", "upproj"], "unknown projection 'upproj': did you mean mlp.up_proj"),
        (["--block", 99], "--block must be less than"),
    ],
)
def test_trace_what_is_not_there_is_bad_input(
    sslc: Run, artifact: Path, tmp_path: Path, arguments: list[object], message: str
) -> None:
    done = sslc("trace", artifact, *arguments, "--out", tmp_path / "trace.json")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "trace.json").exists()
