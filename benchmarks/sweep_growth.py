"""What a point of a sweep takes, and how much memory all do, as the points grow.

python -m benchmarks.sweep_growth [POINTS ...]

Each sweep is a process of its own with one worker: one small projection at a given tile, so that
little of a point is simulation, and machines that differ behind their buffers. Prints CPU seconds
and the peak of memory, until the space is read, and until all results are, with their front.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import accelerator_sim
from accelerator_sim.design_space.space import load_space

POINTS = (1_000, 10_000, 100_000)
SPACE = """
accelerator = "array-64x64"
cycle_model = "compiled"
tokens = 1
batch_points = 1000

[workload]
mask = "mask.npy"
rank = 16

[sampling]
method = "sobol"
points = {points}

[fields]
tile.rows = 64
tile.columns = 64
lines = [32, 64]
weight_buffer.slots = [2, 3, 4, 6]
weight_buffer.capacity_bytes = {{ start = 65536, stop = 1048576, scale = "log" }}
dram.bytes_per_second = {{ start = 20e9, stop = 2e12, scale = "log" }}
dram.latency_ns = {{ start = 10, stop = 200 }}
"""


def main(points: list[int]) -> None:
    for count in points:
        subprocess.run([sys.executable, "-m", __spec__.name, "--one", str(count)], check=True)


def _one(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "space.toml")
        np.save(Path(folder, "mask.npy"), np.random.default_rng(0).random((256, 384)) < 0.5)
        file.write_text(SPACE.format(points=count))
        start = time.process_time()
        points = len(load_space(file).points)
        read, read_mib = time.process_time() - start, _peak_mib()
        start = time.process_time()
        accelerator_sim.sweep(file, Path(folder, "out"), workers=1)
        seconds = time.process_time() - start
    print(
        f"{points:,} points: read in {read:.1f} CPU seconds and {read_mib:,.0f} MiB; swept in "
        f"{seconds:.1f}, {1e3 * seconds / points:.2f} ms a point, peak {_peak_mib():,.0f} MiB"
    )


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(int(sys.argv[2]))
    else:
        main([int(argument) for argument in sys.argv[1:]] or list(POINTS))
