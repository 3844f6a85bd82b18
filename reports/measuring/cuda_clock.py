"""Timing on a GPU: graphs of many launches over rotating operands, events, medians."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from reports.measuring.clock import WARM_UP_ROUNDS, Key, Seconds

ROTATION_BYTES = 320 * 2**20
"""Operands in rotation: several times the 50 or 60 MB of L2."""
Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: median, and the extremes of the graph replays."""

    seconds: float
    fastest_seconds: float
    slowest_seconds: float
    replays: int
    calls: int

    def row(self) -> dict[str, float]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Replay:
    """Calls that run one after the other, again and again.

    Attributes:
        run: All of them.
        calls: How many.
    """

    run: Call
    calls: int

    def seconds(self) -> float:
        """Of one call, by events around all."""
        start, end = _event(), _event()
        start.record()
        self.run()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) * 1e-3 / self.calls


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def captured(calls: Sequence[Call], *, least_calls: int = 24) -> Replay:
    """A graph that runs all calls in turn, so often that there are enough of them."""
    rounds = -(-least_calls // len(calls))
    stream: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for call in calls:
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(rounds):
            for call in calls:
                call()
    return Replay(graph.replay, rounds * len(calls))


def launched(calls: Sequence[Call]) -> Replay:
    """All calls in turn from Python, for what cannot be captured."""

    def run() -> None:
        for call in calls:
            call()

    return Replay(run, len(calls))


def time_calls(calls: Sequence[Call], *, replays: int = 7, least_calls: int = 24) -> Timing:
    """Seconds of one call, from a graph that runs all calls in turn."""
    replay = captured(calls, least_calls=least_calls)
    for _ in range(3):
        replay.run()
    seconds = [replay.seconds() for _ in range(replays)]
    return Timing(statistics.median(seconds), min(seconds), max(seconds), replays, replay.calls)


def paired_replays(replays: Mapping[Key, Replay], *, rounds: int) -> dict[Key, Seconds]:
    """Seconds of one call of each candidate in each round, after two rounds of warm-up."""
    seconds: dict[Key, list[float]] = {key: [] for key in replays}
    for _ in range(WARM_UP_ROUNDS + rounds):
        for key, replay in replays.items():
            seconds[key].append(replay.seconds())
    return {key: np.array(times[WARM_UP_ROUNDS:]) for key, times in seconds.items()}


def stream_bytes_per_second() -> dict[str, float]:
    """Bandwidth of a plain read and of a copy (bytes read and written) of 2 GiB."""
    source = torch.randn(2**30, device="cuda", dtype=torch.bfloat16)
    target = torch.empty_like(source)
    copy = time_calls([lambda: target.copy_(source)], least_calls=4)
    words = source.view(torch.float32)
    read = time_calls([lambda: words.sum()], least_calls=4)
    size = source.numel() * 2
    return {"read": size / read.seconds, "copy": 2 * size / copy.seconds}
