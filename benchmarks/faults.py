"""Thousands of damaged files of every format: what is refused, what changes nothing, what is read.

The table and the kinds of damage are those of ``tests/faults``; here with other seeds, more files,
and a limit on memory. A traceback, or another value where hashes should have seen it, ends the run
with the seed that gives it.

python -m benchmarks.faults [SEED] [FILES of each format]
"""

import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random

from tests.faults.damage import damaged
from tests.faults.formats import FORMATS
from tests.faults.test_damage import outcome

LARGEST_MEMORY = 4 << 30
OUTCOMES = ("refused", "same", "other")


def main(seed: int, files: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_MEMORY, LARGEST_MEMORY))
    warnings.simplefilter("ignore")
    print(f"{'format':12}{'files':>8}{'refused':>9}{'same':>7}{'other':>7}{'slowest':>10}")
    for name, form in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            file = form.make(Path(folder))
            whole, found, slowest = file.read_bytes(), Counter[str](), 0.0
            for number in range(files):
                damage = damaged(whole, Random(f"{seed}/{name}/{number}"))
                began = time.process_time()
                try:
                    found[outcome(file, form, whole, damage)] += 1
                except BaseException:
                    print(f"{name}: file {number} of seed {seed}")
                    raise
                slowest = max(slowest, time.process_time() - began)
        counts = "".join(
            f"{found[word]:>{width}}" for word, width in zip(OUTCOMES, (9, 7, 7), strict=True)
        )
        print(f"{name:12}{files:>8}{counts}{slowest:>8.2f} s", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MiB")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [1, 400][len(arguments) :]))
