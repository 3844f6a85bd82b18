import os

import pytest

from workloads.support.crowding import Share, crowding, stretch, wait_asleep


@pytest.mark.parametrize(
    ("shares", "wall_seconds", "expected"),
    [
        ([Share(100, 0.01)], 1.0, 1.0),  # a core of its own
        ([Share(100, 0.01), Share(100, 0.01)], 1.0, 1.0),
        ([Share(25, 0.01)], 1.0, 4.0),  # three others on its core
        ([Share(50, 0.01), Share(30, 0.02)], 1.0, 2.5),  # one also slowed by a neighbour
        ([Share(101, 0.01)], 1.0, 1.0),  # rounding of clocks
    ],
)
def test_stretch_cases_by_hand(shares: list[Share], wall_seconds: float, expected: float) -> None:
    assert stretch(shares, wall_seconds=wall_seconds) == pytest.approx(expected)


def test_crowding_more_threads_than_cores_is_at_least_their_ratio() -> None:
    # whatever else runs: all threads together never get more than all cores
    assert crowding(3 * (os.cpu_count() or 1)) >= 2.9


def test_wait_asleep_keeps_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    wait_asleep()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    wait_asleep()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
