"""Progress lines where there is no terminal."""

import time

import pytest

from reports.console import Reporter


def test_reporter_resumed_stage_counts_time_from_where_it_went_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten seconds for one of the 19 steps that are left after 81 of 100."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Reporter() as reporter:
        reporter("train", 80, 100)
        now[0] = 10.0
        reporter("train", 81, 100)
        now[0] = 11.0
        reporter("train", 82, 100)
        now[0] = 200.0
        reporter("train", 100, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["train: 80/100", "train: 81/100, 190 s left", "train: 100/100"]
