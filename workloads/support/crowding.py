"""How much longer work takes beside what else the machine runs: from processor to wall time."""

import os


def crowding(threads: int) -> float:
    """Wall time over the processor time that a thread needs, at the load of the last minute.

    Threads that want more cores than there are share them evenly: max(1, (load + threads) / cores).

    Args:
        threads: That the work will run at once.

    Returns:
        At least 1; and 1 where the operating system tells no load.
    """
    if not hasattr(os, "getloadavg"):
        return 1.0
    load, _, _ = os.getloadavg()
    return max(1.0, (load + threads) / (os.cpu_count() or 1))
