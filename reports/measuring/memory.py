"""What the memory of this machine does: its last-level cache, its stream, its latency."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from sslc.runtime.memory import huge_zeros
from workloads.support.compiled import compiled

CACHE_FACTOR = 3
"""Copies of an operand together are so many times the last-level cache."""
MOST_COPIES = 256
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNKNOWN_BYTES = {1: 32 << 10, 2: 1 << 20, 3: 32 << 20}
_PARTS = 16


def cache_bytes(level: int) -> int:
    """Size of the data cache of a level, 1 to 3, of the first core; a common one where unknown."""
    for index in sorted(_CACHES.glob("index*")):
        kind = (index / "type").read_text().strip()
        if int((index / "level").read_text()) == level and kind in ("Data", "Unified"):
            return int((index / "size").read_text().strip().removesuffix("K")) << 10
    return _UNKNOWN_BYTES[level]


def last_level_cache_bytes() -> int:
    """Size of the largest cache."""
    return cache_bytes(3)


def copies_needed(operand_bytes: int, rotation_bytes: int, *, least: int = 3) -> int:
    """Copies of an operand that take so many bytes together, up to 256 of a small one.

    Args:
        operand_bytes: Of one copy.
        rotation_bytes: Of all.
        least: Copies of a large one.
    """
    return min(MOST_COPIES, max(least, -(-rotation_bytes // max(1, operand_bytes))))


_in_vectors: Any = numba.njit(fastmath=True, nogil=True, cache=True)


@_in_vectors  # type: ignore[untyped-decorator]
def _total(numbers: NDArray[np.float32]) -> np.float32:
    total = np.float32(0)
    for position in range(len(numbers)):
        total += numbers[position]
    return total


def stream_bytes_per_second(threads: int) -> float:
    """Bandwidth of memory that no cache holds, read and summed: upper quartile over its parts."""
    size = 4 * last_level_cache_bytes()
    memory = huge_zeros(size // 4, np.float32)
    memory[:] = 1
    parts = memory[: len(memory) // (_PARTS * threads) * _PARTS * threads]
    parts = parts.reshape(_PARTS, threads, -1)
    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(_total, parts[0]))
        for part in [*parts, *parts]:
            start = time.perf_counter()
            list(pool.map(_total, part))
            seconds.append(time.perf_counter() - start)
    return float(parts[0].nbytes / np.quantile(seconds, 0.25))


@compiled
def _walk(following: NDArray[np.int64], steps: int) -> int:
    place = 0
    for _ in range(steps):
        place = following[place]
    return place


def latency_seconds(steps: int = 200_000) -> float:
    """From one load to the next that needs it, in memory that no cache holds: a random cycle."""
    lines = 4 * last_level_cache_bytes() // 64
    order = np.random.default_rng(0).permutation(lines) * 8
    following = huge_zeros(8 * lines, np.int64)
    following[order] = np.roll(order, -1)
    _walk(following, 8)
    start = time.perf_counter()
    _walk(following, steps)
    return (time.perf_counter() - start) / steps
