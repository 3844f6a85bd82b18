"""Timing on a GPU: graphs of many launches over rotating operands, events, medians.

A part of benchmarks.gpu, which runs it.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

L2_MULTIPLE_BYTES = 320 * 2**20  # operands in rotation: several times the 50 or 60 MB of L2
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


def copies_needed(operand_bytes: int) -> int:
    """Copies of an operand that L2 cannot hold together, 3 at least."""
    return max(3, -(-L2_MULTIPLE_BYTES // max(1, operand_bytes)))


def time_calls(calls: Sequence[Call], *, replays: int = 7, least_calls: int = 24) -> Timing:
    """Seconds of one call, from a graph that runs all calls in turn."""
    rounds = -(-least_calls // len(calls))
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
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
    for _ in range(3):
        graph.replay()
    seconds = []
    for _ in range(replays):
        start, end = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        seconds.append(start.elapsed_time(end) * 1e-3 / (rounds * len(calls)))
    return Timing(
        statistics.median(seconds), min(seconds), max(seconds), replays, rounds * len(calls)
    )


def stream_bytes_per_second() -> dict[str, float]:
    """Bandwidth of a plain read and of a copy (bytes read and written) of 2 GiB."""
    source = torch.randn(2**30, device="cuda", dtype=torch.bfloat16)
    target = torch.empty_like(source)
    copy = time_calls([lambda: target.copy_(source)], least_calls=4)
    words = source.view(torch.float32)
    read = time_calls([lambda: words.sum()], least_calls=4)
    size = source.numel() * 2
    return {"read": size / read.seconds, "copy": 2 * size / copy.seconds}


def random_row_mask(rows: int, columns: int, kept: int, generator: torch.Generator) -> Tensor:
    """A mask on the device that keeps the same number of random places in every row."""
    scores = torch.rand(rows, columns, device="cuda", generator=generator)
    mask = torch.zeros(rows, columns, dtype=torch.bool, device="cuda")
    return mask.scatter_(1, scores.topk(kept, 1, sorted=False).indices, True)


def pack_mask(mask: Tensor) -> Tensor:
    """Bits of a mask, little-endian, rows padded to bytes."""
    padded = torch.nn.functional.pad(mask, (0, -mask.shape[1] % 8))
    weights = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=mask.device)
    bits = padded.view(mask.shape[0], -1, 8).to(torch.uint8)
    return (bits * weights).sum(2, dtype=torch.uint8)
