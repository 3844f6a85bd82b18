"""How cost grows with tiles: planning and the compiled run of a projection of more and more rows.

python -m benchmarks.tile_growth
"""

import math
import time

import numpy as np

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.results.table import Column, Table, render
from workloads.shapes.gemm import Gemm

TIMES = tuple(2**step for step in range(7))
ROWS, COLUMNS, RANK = 4096, 4096, 128
REPEATS = 5


def item(times: int, seed: int) -> SparseLowRankGemm:
    """Half of the weights kept, anywhere; a mask of its own, since counts of masks are kept."""
    rows = ROWS * times
    bits = np.random.default_rng(seed).integers(0, 256, (rows, COLUMNS // 8), dtype=np.uint8)
    return SparseLowRankGemm(Gemm("p", "FFN", rows, COLUMNS), PackedMask(bits, COLUMNS), RANK)


def cost(times: int, machine: Accelerator) -> tuple[int, float, float]:
    """Tiles, and CPU seconds of planning (mask statistics included) and of the run: the fastest."""
    planning = running = math.inf
    for seed in range(REPEATS):
        projection = item(times, seed)
        start = time.process_time()
        plan = plan_projection(projection, machine)
        planned = time.process_time()
        result = run_compiled(plan)
        planning = min(planning, planned - start)
        running = min(running, time.process_time() - planned)
    return result.tiles, planning, running


def slope(tiles: list[int], seconds: list[float]) -> float:
    """Of log seconds over log tiles: 1 is linear."""
    return float(np.polyfit(np.log(tiles), np.log(seconds), 1)[0])


def main() -> None:
    machine = load_accelerator("array-64x64", {"tile.rows": 64, "tile.columns": 64})
    run_compiled(plan_projection(item(1, REPEATS), machine))
    found = [cost(times, machine) for times in TIMES]
    tiles = [count for count, _, _ in found]
    rows = tuple(
        (count, planning, running, planning + running, (planning + running) / count * 1e9)
        for count, planning, running in found
    )
    slopes = [slope(tiles, [row[place] for row in rows]) for place in (1, 2, 3)]
    columns = (
        Column("Tiles", ",d"),
        *(Column(f"{name} (s)", ".4f") for name in ("Plan", "Run", "Both")),
        Column("Both (ns a tile)", ",.0f"),
    )
    text = "Slope of log seconds over log tiles: plan {:.2f}, run {:.2f}, both {:.2f}."
    notes = (text.format(*slopes),)
    title = f"CPU seconds of one projection of {COLUMNS} columns at 64x64 tiles, by its rows"
    print(render(Table("tile-growth", title, columns, rows, notes), "markdown"), end="")


if __name__ == "__main__":
    main()
