"""Running beside other programs: wait without spinning, and how much longer work takes."""

import hashlib
import os
import threading
import time
from dataclasses import dataclass

_WATCHED_SECONDS = 1.0
_PIECE = bytes(2**20)


@dataclass(frozen=True)
class Share:
    """What one thread got of the machine while it was watched.

    Attributes:
        pieces: Equal pieces of work that it finished.
        least_seconds: Processor time of its fastest piece.
    """

    pieces: int
    least_seconds: float


def wait_asleep() -> None:
    """Let OpenMP threads sleep while they wait for each other, before torch is first imported.

    They spin otherwise, which on cores that others use as well took 1.7 times the processor time
    of a compression. A policy that the user's environment sets stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def crowding(threads: int) -> float:
    """Wall time over the processor time that work needs by itself, measured now.

    For a second as many threads as the work will have do equal pieces of work. What other programs
    take of the cores makes pieces wait; what they take of caches and of arithmetic units that two
    cores share makes them need more processor time than the fastest piece.

    Args:
        threads: That the work will run at once.

    Returns:
        At least 1; threads / cores or more where there are more threads than cores.
    """
    shares: list[Share] = []
    began = time.monotonic()
    watched = [
        threading.Thread(target=lambda: shares.append(_work_until(began + _WATCHED_SECONDS)))
        for _ in range(threads)
    ]
    for thread in watched:
        thread.start()
    for thread in watched:
        thread.join()
    return stretch(shares, wall_seconds=time.monotonic() - began)


def stretch(shares: list[Share], *, wall_seconds: float) -> float:
    """Wall time over what all pieces need at the pace of the fastest; at least 1."""
    needed = sum(share.pieces for share in shares) * min(share.least_seconds for share in shares)
    return max(1.0, len(shares) * wall_seconds / needed)


def _work_until(end: float) -> Share:
    """Pieces of work, one at least; hashing holds no lock of the interpreter."""
    pieces, least = 0, float("inf")
    while pieces == 0 or time.monotonic() < end:
        started = time.thread_time()
        hashlib.sha256(_PIECE)
        least = min(least, time.thread_time() - started)
        pieces += 1
    return Share(pieces, least)
