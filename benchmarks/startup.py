"""CPU time and memory of the command line before it does anything, each in a process of its own.

python -m benchmarks.startup
"""

import os
import subprocess
import sys
from dataclasses import dataclass

REPEATS = 5
CASES = {
    "--help": 0.3,
    "simulate --help": 0.3,
    "simulate here --accelerator vitcd": 1.0,
    "attention deit-tiny --accelerator vitcd": 1.0,
    "evaluate here --format html": 1.0,
    "list accelerators": 1.0,
    "list methods": None,
}
"""CPU seconds allowed by arguments; None where torch is loaded."""


@dataclass(frozen=True)
class Use:
    """What a process used."""

    cpu_seconds: float
    peak_bytes: int


def use(arguments: str) -> Use:
    """One run, whatever its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sslc", *arguments.split()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, _, usage = os.wait4(process.pid, 0)
    return Use(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def main() -> None:
    use("--help")  # compiles what is not yet
    for arguments, allowed in CASES.items():
        runs = [use(arguments) for _ in range(REPEATS)]
        best = min(run.cpu_seconds for run in runs)
        peak = min(run.peak_bytes for run in runs) / 2**20
        limit = "" if allowed is None else f", at most {allowed:g} allowed"
        verdict = " TOO SLOW" if allowed is not None and best > allowed else ""
        print(f"sslc {arguments}: {best:.2f} CPU seconds{limit}{verdict}, {peak:.0f} MiB")


if __name__ == "__main__":
    main()
