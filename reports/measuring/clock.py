"""Timing on the processor: in every round each candidate runs once, on its next copy."""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key", bound=Hashable)
Call = Callable[[], object]
Seconds = NDArray[np.float64]

WARM_UP_ROUNDS = 2
_ROUNDS = (5, 1000)
"""Least and most rounds."""


def paired_seconds(
    calls: Mapping[Key, Callable[[int], Any]],
    *,
    rounds: int,
    before: Callable[[Key], None] = lambda _: None,
) -> dict[Key, Seconds]:
    """Seconds of each call in each round, after two rounds of warm-up.

    Args:
        calls: Take the number of the round.
        rounds: How many.
        before: Called in front of each call; its time does not count.
    """
    seconds: dict[Key, list[float]] = {key: [] for key in calls}
    for turn in range(WARM_UP_ROUNDS + rounds):
        for key, call in calls.items():
            before(key)
            start = time.perf_counter()
            call(turn)
            seconds[key].append(time.perf_counter() - start)
    return {key: np.array(times[WARM_UP_ROUNDS:]) for key, times in seconds.items()}


def rounds_within(calls: Mapping[Key, Callable[[int], Any]], *, seconds: float) -> int:
    """Rounds that take about so many seconds for each call, from one round's time; 5 at least.

    Args:
        calls: Take the number of the round.
        seconds: For each call.
    """
    for call in calls.values():
        call(0)  # compiles, where something is compiled
    once = float("inf")
    for turn in (1, 2):
        start = time.perf_counter()
        for call in calls.values():
            call(turn)
        once = min(once, (time.perf_counter() - start) / len(calls))
    least, most = _ROUNDS
    return int(np.clip(seconds / once, least, most))


def rotating(copies: list[Call]) -> Callable[[int], object]:
    """A call that runs the next copy in every round."""
    return lambda turn: copies[turn % len(copies)]()
