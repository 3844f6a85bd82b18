"""The simulator's kernels compiled into numba's cache before anyone waits for them."""

import numpy as np

from accelerator_sim.machine.catalog import accelerator_names, load_accelerator
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm


def compile_kernels() -> None:
    """Plan and run a small projection on every preset; together they need every kernel.

    Its mask is 2:4, which all index formats can store. Takes a minute or two of processor time
    where the cache is empty, and some seconds where it is not.
    """
    mask = np.zeros((150, 128), dtype=bool)
    mask[:, ::4] = mask[:, 1::4] = True
    gemm = Gemm("q_proj", "MHA", *mask.shape, tokens=5)
    item = SparseLowRankGemm(gemm, PackedMask.pack(mask), rank=3)
    for name in accelerator_names():
        machine = load_accelerator(name)
        run_compiled(plan_projection(item, machine))
        run_compiled(plan_dense(gemm, machine))
