import os

import pytest

from workloads.support.crowding import crowding


@pytest.mark.parametrize(
    ("load", "threads", "expected"),
    [(0.0, 2, 1.0), (0.0, 1, 1.0), (1.0, 1, 1.0), (2.0, 2, 2.0), (8.0, 2, 5.0), (3.0, 1, 2.0)],
)
def test_crowding_threads_share_two_cores_evenly(
    monkeypatch: pytest.MonkeyPatch, load: float, threads: int, expected: float
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert crowding(threads) == expected


def test_crowding_no_load_known_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getloadavg")
    assert crowding(64) == 1.0
