"""Tiles per second of the event engine: one LLaMA2-7B block at 64x64 tiles.

python benchmarks/event_engine.py
"""

import time

from accelerator_sim.catalog import load_accelerator
from accelerator_sim.event_engine import run_event
from accelerator_sim.planning import plan_projection
from workloads.catalog import load_model
from workloads.gemm import largest_rank
from workloads.masks import SparseLowRankGemm, row_balanced_mask

TILE = {"tile.rows": 64, "tile.columns": 64, "tile.tokens": 1}


def main() -> None:
    machine = load_accelerator("array-64x64", TILE)
    tiles = seconds = 0.0
    for gemm in load_model("llama2-7b").projections():
        mask = row_balanced_mask(gemm.m, gemm.n, gemm.parameters // 2, seed=0)
        rank = largest_rank(gemm.m, gemm.n, 0.0625)
        plan = plan_projection(SparseLowRankGemm(gemm, mask, rank), machine)
        start = time.perf_counter()
        result = run_event(plan)
        seconds += time.perf_counter() - start
        tiles += result.tiles
    print(f"{tiles:,.0f} tiles in {seconds:.2f} s: {tiles / seconds:,.0f} tiles per second")


if __name__ == "__main__":
    main()
