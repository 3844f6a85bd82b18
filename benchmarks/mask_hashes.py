"""What comparing hashes of masks adds to simulating all of LLaMA2-7B with the compiled model.

32 blocks x 7 projections with full-size random masks in safetensors files, read with and without
their hashes, in one process; writing them is not timed. The order alternates; the least CPU time of
each way counts.

python -m benchmarks.mask_hashes [ROUNDS]
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from accelerator_sim.block import simulate_block
from accelerator_sim.machine.catalog import load_accelerator
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import largest_rank
from workloads.shapes.transformer import load_model
from workloads.support.files import open_tensors, write_tensors

GEMMS = load_model("llama2-7b").projections()


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        files = {}
        for block in range(load_model("llama2-7b").blocks):
            path = Path(directory) / f"{block}.safetensors"
            files[path] = write_tensors(path, _masks(block)).tensors
        ways: dict[str, Mapping[Path, Mapping[str, str] | None]]
        ways = {"without hashes": dict.fromkeys(files, None), "with hashes": files}
        least = dict.fromkeys(ways, float("inf"))
        for _ in range(rounds):
            for name, hashed in ways.items():
                least[name] = min(least[name], _simulate(hashed))
    for name, seconds in least.items():
        print(f"{name}: {seconds:.2f} CPU seconds")
    print(f"ratio {least['with hashes'] / least['without hashes']:.3f}")


def _masks(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        gemm.name: random.integers(0, 256, (gemm.m, gemm.n // 8), dtype=np.uint8) for gemm in GEMMS
    }


def _simulate(files: Mapping[Path, Mapping[str, str] | None]) -> float:
    machine = load_accelerator("array-64x64")
    start = time.process_time()
    for path, hashes in files.items():
        stored = open_tensors(path, hashes)
        items = [
            SparseLowRankGemm(
                gemm,
                PackedMask(stored.read(gemm.name), gemm.n),
                largest_rank(gemm.m, gemm.n, 0.0625),
            )
            for gemm in GEMMS
        ]
        simulate_block(items, machine, models=["compiled"])
    return time.process_time() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
