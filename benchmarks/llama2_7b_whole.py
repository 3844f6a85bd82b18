"""All of LLaMA2-7B, compiled: 32 blocks x 7 projections with full-size masks, 2 processes.

Masks are packed random bits (half of them ones, other bits for each projection), written to a
temporary file and memory-mapped like an artifact's; writing them is not timed. Timed: starting the
processes, mask statistics, choosing tile and split, and the runs dense, S alone and whole.

python -m benchmarks.llama2_7b_whole [TOKENS]
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed

from accelerator_sim.block import simulate_block
from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import Accelerator
from workloads.masks.counts import column_counts, tile_row_counts
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm, largest_rank
from workloads.shapes.transformer import load_model

JOBS = 2
TILES: Mapping[str, Mapping[str, Any]] = {
    "64x64 tiles": {"tile.rows": 64, "tile.columns": 64, "tile.tokens": "auto"},
    "tile auto": {"tile.rows": "auto", "tile.columns": "auto", "tile.tokens": "auto"},
}
COUNTS: dict[str, Callable[[PackedMask], object]] = {
    "only reading": lambda mask: mask.bits.view(np.uint64).sum(),
    "tiles of 64 columns": lambda mask: tile_row_counts(mask, 64),
    "of 256": lambda mask: tile_row_counts(mask, 256),
    "columns": column_counts,
}


def main(tokens: int) -> None:
    shape = load_model("llama2-7b")
    gemms = shape.projections(tokens)
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / f"{block}.masks" for block in range(shape.blocks)]
        for seed, path in enumerate(paths):
            size = sum(gemm.parameters // 8 for gemm in gemms)
            np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tofile(path)
        _time_statistics(paths[0], gemms)
        for name, tile in TILES.items():
            machine = load_accelerator("array-64x64", tile)
            start = time.perf_counter()
            done = Parallel(JOBS)(delayed(simulate_file)(path, gemms, machine) for path in paths)
            seconds = time.perf_counter() - start
            print(
                f"{name}, {tokens} tokens: {seconds:.1f} s, "
                f"{sum(block.cpu_seconds for block in done):.1f} CPU seconds, "
                f"{sum(block.tiles for block in done):,} tiles, "
                f"{sum(block.cycles for block in done):,.0f} cycles; "
                f"peak memory of the processes, shared pages in each, {_peak(done):,.0f} MiB"
            )


class Done(NamedTuple):
    """One block: its cycles, its tiles in all runs, and what the process took."""

    cycles: float
    tiles: int
    cpu_seconds: float
    process: int
    peak_mib: float


def simulate_file(path: Path, gemms: Sequence[Gemm], machine: Accelerator) -> Done:
    start = time.process_time()
    block = simulate_block(_items(path, gemms), machine, models=["compiled"])["compiled"]
    runs = [(part.dense_run, part.sparse_run, part.sum_run) for part in block.projections]
    tiles = sum(run.tiles for part in runs for run in part if run)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.process_time() - start
    return Done(block.total.sum_cycles, tiles, seconds, os.getpid(), peak)


def _items(path: Path, gemms: Sequence[Gemm]) -> list[SparseLowRankGemm]:
    bits, items, start = np.memmap(path, dtype=np.uint8, mode="r"), [], 0
    for gemm in gemms:
        size = gemm.parameters // 8
        mask = PackedMask(bits[start : start + size].reshape(gemm.m, -1), gemm.n)
        items.append(SparseLowRankGemm(gemm, mask, largest_rank(gemm.m, gemm.n, 0.0625)))
        start += size
    return items


def _time_statistics(path: Path, gemms: Sequence[Gemm]) -> None:
    """Print the speed of the counts of one block, by tile width, and of reading the same bytes."""
    fastest: dict[str, float] = {}
    for _ in range(4):
        for name, count in COUNTS.items():
            masks = [item.mask for item in _items(path, gemms)]
            start = time.perf_counter()
            for mask in masks:
                count(mask)
            fastest[name] = min(fastest.get(name, 1e9), time.perf_counter() - start)
    size = sum(gemm.parameters // 8 for gemm in gemms)
    speeds = (f"{name} {size / seconds / 1e9:.1f}" for name, seconds in fastest.items())
    print("statistics of one block's masks, 10^9 bytes a second:", ", ".join(speeds))


def _peak(done: list[Done]) -> float:
    """The workers' peaks and this process's."""
    workers: dict[int, float] = {}
    for block in done:
        workers[block.process] = max(block.peak_mib, workers.get(block.process, 0.0))
    return sum(workers.values()) + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
