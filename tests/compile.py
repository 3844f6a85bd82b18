"""Compile the simulator's kernels into numba's cache, once for all processes of a test run.

python -m tests.compile
"""

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from tests.accelerator_sim.machines import projection, random_mask

if __name__ == "__main__":
    work = projection(random_mask(9, 12, 0.5, seed=3), rank=2, tokens=2)
    for preset in ("array-64x64", "vitcod"):
        machine = load_accelerator(preset)
        run_compiled(plan_projection(work, machine))
        run_compiled(plan_dense(work.gemm, machine))
