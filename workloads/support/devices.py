"""What the processor at hand is called."""

import functools
import platform
from pathlib import Path


@functools.cache
def cpu_name() -> str:
    """The processor by the name that its vendor gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
