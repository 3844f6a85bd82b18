import numpy as np

from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.results.workload import WorkloadHash
from workloads.shapes.gemm import Gemm


def hashed(mask: np.ndarray, rank: int = 2, tokens: int = 1, block: int = 0) -> str:
    total = WorkloadHash()
    rows, columns = mask.shape
    gemm = Gemm("up_proj", "FFN", rows, columns, tokens)
    total.add(block, SparseLowRankGemm(gemm, PackedMask.pack(mask), rank))
    return total.hexdigest()


def test_workload_hash_changes_with_mask_rank_shape_and_block_not_with_tokens() -> None:
    mask = np.eye(8, dtype=np.bool_)
    moved = np.roll(mask, 1, axis=1)
    assert hashed(mask) == hashed(mask.copy(), tokens=7)
    others = {hashed(moved), hashed(mask, rank=3), hashed(mask, block=1), hashed(mask[:4])}
    assert len({hashed(mask), *others}) == 5
