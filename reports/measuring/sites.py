"""The device at hand: what it is called, what it can do, and how calls are timed on it."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from reports.measuring import cuda_clock, memory
from reports.measuring.clock import Call, Seconds, paired_seconds, rotating, rounds_within
from reports.measuring.operands import DTYPES, synthetic_operands
from sslc.model.devices import device_name
from sslc.runtime.backends import choose_backend
from sslc.runtime.features import NotAvailableError, host_level
from workloads.results.runtime import DeviceIdentity, Limits

GEMM_SIZE = {"cpu": 1024, "cuda": 8192}
_REPEATS = 12
_SMALL_CALLS = 200
_GPU_ROUNDS = 7


Timed = Callable[[Mapping[str, list[Call]], frozenset[str]], dict[str, Seconds]]
"""From a call for each copy of each candidate, and the names of those that no graph can hold, to
the seconds of a call in each round."""


@dataclass(frozen=True)
class Site:
    """A device that measures.

    Attributes:
        device: For torch.
        identity: What it is.
        limits: What it can do.
        timed: How.
    """

    device: torch.device
    identity: DeviceIdentity
    limits: Limits
    timed: Timed


def open_site(device: torch.device, *, threads: int, seconds: float) -> Site:
    """Look at a device and measure its limits.

    Args:
        device: Where.
        threads: On a processor.
        seconds: Measuring time of each candidate on a processor.
    """
    if device.type == "cuda":
        return _cuda_site(device)

    def timed(calls: Mapping[str, list[Call]], _: frozenset[str]) -> dict[str, Seconds]:
        turns = {name: rotating(copies) for name, copies in calls.items()}
        return paired_seconds(turns, rounds=rounds_within(turns, seconds=seconds))

    level = host_level()
    identity = DeviceIdentity(
        device_name(device), "cpu", None, level.name if level else "below AVX2", threads
    )
    limits = Limits(
        memory.stream_bytes_per_second(threads),
        smallest_call_seconds(device),
        {dtype: cpu_macs_per_second(dtype) for dtype in ("bf16", "fp32")},
        memory.CACHE_FACTOR * memory.last_level_cache_bytes(),
        os.getloadavg()[0],
    )
    return Site(device, identity, limits, timed)


def _cuda_site(device: torch.device) -> Site:
    def timed(calls: Mapping[str, list[Call]], eager: frozenset[str]) -> dict[str, Seconds]:
        replays = {
            name: (cuda_clock.launched if name in eager else cuda_clock.captured)(copies)
            for name, copies in calls.items()
        }
        return cuda_clock.paired_replays(replays, rounds=_GPU_ROUNDS)

    torch.cuda.set_device(device)
    major, minor = torch.cuda.get_device_capability(device)
    features = f"compute capability {major}.{minor}"
    identity = DeviceIdentity(device_name(device), "cuda", driver_version(), features, 1)
    limits = Limits(
        cuda_clock.stream_bytes_per_second()["read"],
        smallest_call_seconds(device),
        {"bf16": _cuda_macs_per_second()},
        cuda_clock.ROTATION_BYTES,
        os.getloadavg()[0],
    )
    return Site(device, identity, limits, timed)


def driver_version() -> str:
    """Of the first NVIDIA GPU, as its own tool says it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.splitlines()[0].strip()


def smallest_call_seconds(device: torch.device) -> float | None:
    """What the smallest product of our kernels takes; None where they cannot run."""
    try:
        backend = choose_backend("auto", device=device.type)
    except NotAvailableError:
        return None
    operands = synthetic_operands(8, 64, kept_fraction=0.5, rank_share=0.0, seed=0)
    operator = backend.prepare(operands.stored("bf16"))
    x = torch.ones(1, 64, dtype=torch.bfloat16, device=device)
    if device.type == "cuda":
        return cuda_clock.time_calls([lambda: operator(x)]).seconds
    times = paired_seconds({"call": lambda _: operator(x)}, rounds=_SMALL_CALLS)
    return float(np.median(times["call"]))


def cpu_macs_per_second(dtype: str) -> float:
    """Peak that a product reaches: the fastest of a few square ones by torch, on its threads."""
    size = GEMM_SIZE["cpu"]
    a = torch.ones(size, size, dtype=DTYPES[dtype])
    seconds = []
    for _ in range(1 + _REPEATS):
        start = time.perf_counter()
        torch.mm(a, a)
        seconds.append(time.perf_counter() - start)
    return size**3 / min(seconds)


def _cuda_macs_per_second() -> float:
    size = GEMM_SIZE["cuda"]
    a = torch.randn(size, size, dtype=torch.bfloat16, device="cuda")
    seconds = cuda_clock.time_calls([lambda: torch.mm(a, a)], least_calls=4).fastest_seconds
    return size**3 / seconds
