"""Tiles per CPU second of both engines in one run: one LLaMA2-7B block at 64x64 tiles, and at the
tiles that the planner finds, which are few and large, so that what a run costs once shows.

python -m benchmarks.compiled_engine
"""

import time
from collections.abc import Callable
from typing import Any

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.result import EventResult
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import row_balanced_mask
from workloads.shapes.gemm import largest_rank
from workloads.shapes.transformer import load_model

TILE = {"tile.rows": 64, "tile.columns": 64, "tile.tokens": 1}
CASES: dict[str, dict[str, Any]] = {
    "S and factors in turn": {},
    "factors beside S, dense columns": {"schedule": "overlapped", "dense_threshold": 0.5},
    "64 tokens in blocks of 32": {"tile.tokens": 32},
    "tiles that are searched": dict.fromkeys(TILE, "auto"),
}
REPEATS = 5


def main() -> None:
    for name, changes in CASES.items():
        plans = _plans({**TILE, **changes}, tokens=64 if "tokens" in name else 1)
        run_compiled(plans[0])
        event, event_seconds = _time(plans, run_event, 2)
        compiled, seconds = _time(plans, run_compiled, REPEATS)
        assert compiled == event
        tiles = sum(result.tiles for result in event)
        print(
            f"{name}: {tiles:,} tiles; event {tiles / event_seconds:,.0f} tiles/s, "
            f"compiled {tiles / seconds:,.0f} tiles/s, ratio {event_seconds / seconds:,.0f}"
        )


def _plans(changes: dict[str, Any], tokens: int) -> list[Plan]:
    machine = load_accelerator("array-64x64", changes)
    plans = []
    for gemm in load_model("llama2-7b").projections(tokens):
        mask = row_balanced_mask(gemm.m, gemm.n, gemm.parameters // 2, seed=0)
        rank = largest_rank(gemm.m, gemm.n, 0.0625)
        plans.append(plan_projection(SparseLowRankGemm(gemm, mask, rank), machine))
    return plans


def _time(
    plans: list[Plan], run: Callable[[Plan], EventResult], repeats: int
) -> tuple[list[EventResult], float]:
    """Results, and the CPU seconds of the fastest of some repeats."""
    fastest = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        results = [run(plan) for plan in plans]
        fastest = min(fastest, time.process_time() - start)
    return results, fastest


if __name__ == "__main__":
    main()
