"""All of LLaMA2-7B, compiled: 32 blocks x 7 projections with full-size masks, 2 processes.

Masks are packed random bits (half of them ones, other bits for each projection), written to a
temporary file and memory-mapped like an artifact's; writing them is not timed. Timed: starting the
processes, mask statistics, choosing tile and split, and the runs dense, S alone and whole.

python benchmarks/llama2_7b_whole.py [TOKENS]
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from accelerator_sim.catalog import load_accelerator
from accelerator_sim.hardware import Accelerator
from accelerator_sim.simulate import simulate_block
from workloads.catalog import load_model
from workloads.gemm import Gemm, largest_rank
from workloads.masks import PackedMask, SparseLowRankGemm

JOBS = 2
TILES = {
    "64x64 tiles": {"tile.rows": 64, "tile.columns": 64, "tile.tokens": "auto"},
    "tile auto": {"tile.rows": "auto", "tile.columns": "auto", "tile.tokens": "auto"},
}


def main(tokens: int) -> None:
    shape = load_model("llama2-7b")
    gemms = shape.projections(tokens)
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / f"{block}.masks" for block in range(shape.blocks)]
        for seed, path in enumerate(paths):
            size = sum(gemm.parameters // 8 for gemm in gemms)
            np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tofile(path)
        for name, tile in TILES.items():
            machine = load_accelerator("array-64x64", tile)
            start = time.perf_counter()
            done = Parallel(JOBS)(delayed(simulate_file)(path, gemms, machine) for path in paths)
            seconds = time.perf_counter() - start
            print(
                f"{name}, {tokens} tokens: {seconds:.1f} s, "
                f"{sum(tiles for _, tiles, _, _ in done):,} tiles, "
                f"{sum(cycles for cycles, _, _, _ in done):,.0f} cycles; "
                f"peak memory of the processes, shared pages in each, {_peak(done):,.0f} MiB"
            )


def simulate_file(
    path: Path, gemms: list[Gemm], machine: Accelerator
) -> tuple[float, int, int, float]:
    """Cycles and tiles of a block, and this process's number and peak memory in MiB."""
    bits, items, start = np.memmap(path, dtype=np.uint8, mode="r"), [], 0
    for gemm in gemms:
        size = gemm.parameters // 8
        mask = PackedMask(bits[start : start + size].reshape(gemm.m, -1), gemm.n)
        items.append(SparseLowRankGemm(gemm, mask, largest_rank(gemm.m, gemm.n, 0.0625)))
        start += size
    block = simulate_block("compiled", items, machine)
    runs = [(part.dense_run, part.sparse_run, part.sum_run) for part in block.projections]
    tiles = sum(run.tiles for part in runs for run in part if run)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return block.total.sum_cycles, tiles, os.getpid(), peak


def _peak(done: list[tuple[float, int, int, float]]) -> float:
    """The workers' peaks and this process's."""
    workers: dict[int, float] = {}
    for _, _, process, peak in done:
        workers[process] = max(peak, workers.get(process, 0.0))
    return sum(workers.values()) + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
