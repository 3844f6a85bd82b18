"""CPU time of planning each projection once for all cycle models, beside once for each model.

Four blocks of SmolLM2-135M's shape with synthetic masks (28 projections, one token) on the
64x64 array, by roofline and compiled; nothing is kept from one measurement to the next.

python -m benchmarks.plan_once
"""

import time

from accelerator_sim.block import simulate_block
from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.by_name import Model
from accelerator_sim.planning.planner import PLANS
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.masks.synthetic import synthetic_block
from workloads.shapes.transformer import load_model

BLOCKS = 4
RANK = 16
KEPT_FRACTION = 0.5
MODELS: tuple[Model, ...] = ("roofline", "compiled")
REPEATS = 5

Blocks = list[list[SparseLowRankGemm]]


def main() -> None:
    shape = load_model("smollm2-135m")
    blocks = [synthetic_block(shape, KEPT_FRACTION, RANK, 1, seed) for seed in range(BLOCKS)]
    measure(blocks, [MODELS])
    once = min(measure(blocks, [MODELS]) for _ in range(REPEATS))
    apart = min(measure(blocks, [(model,) for model in MODELS]) for _ in range(REPEATS))
    count = sum(len(block) for block in blocks)
    print(
        f"{count} projections by {' and '.join(MODELS)}: {once:.2f} CPU seconds planned once, "
        f"{apart:.2f} planned for each model, ratio {once / apart:.2f}"
    )


def measure(blocks: Blocks, passes: list[tuple[Model, ...]]) -> float:
    """CPU seconds of some passes over the blocks, each by some models."""
    machine = load_accelerator("array-64x64")
    seconds = 0.0
    for models in passes:
        PLANS.clear()
        unseen = [[_unseen(item) for item in block] for block in blocks]
        start = time.process_time()
        for block in unseen:
            simulate_block(block, machine, models=models)
        seconds += time.process_time() - start
    return seconds


def _unseen(item: SparseLowRankGemm) -> SparseLowRankGemm:
    """The same projection with a mask that nothing has been counted of."""
    return SparseLowRankGemm(item.gemm, PackedMask(item.mask.bits, item.mask.columns), item.rank)


if __name__ == "__main__":
    main()
