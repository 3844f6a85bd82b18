"""The published model and the roofline."""

import numpy as np
import pytest

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.published import published_curve, published_sparse_cycles
from tests.accelerator_sim.machines import (
    block_by,
    random_mask,
)
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm
from workloads.shapes.transformer import load_model


def empty(gemm: Gemm) -> SparseLowRankGemm:
    bits = np.zeros((gemm.m, -(-gemm.n // 8)), dtype=np.uint8)
    return SparseLowRankGemm(gemm, PackedMask(bits, gemm.n), rank=128)


@pytest.mark.parametrize(
    ("model", "module", "dense", "low_rank"),
    [
        ("llama2-7b", "MHA", 16384, 1024),
        ("llama2-7b", "FFN", 33024, 1416),
        ("qwen2.5-7b", "MHA", 7168, 704),
        ("qwen2.5-7b", "FFN", 49728, 2112),
    ],
)
def test_simulate_block_published_equals_the_printed_rows(
    model: str, module: str, dense: int, low_rank: int
) -> None:
    """Zong et al., arXiv 2510.26446v1, Table 4: dense and low-rank rows, rank 128, one token."""
    shapes = load_model(model).projections()
    block = block_by("published", map(empty, shapes), load_accelerator("array-64x64"))
    cycles = {str(name): value for name, value in block.modules.items()}[module]
    assert (cycles.dense_cycles, cycles.low_rank_cycles) == (dense, low_rank)


def test_published_sparse_cycles_splits_lines_and_takes_the_slower_engine() -> None:
    """8 rows; columns of 8, 7 and 1; t = 0.5: G = 2, 16 entries against 1, on 4 lines of 2.

    dw = round(4·16/17) = 4, clamped to 3: denser ⌈16/6⌉ = 3, sparser ⌈1/2⌉ = 1. G = 0: ⌈16/8⌉ = 2.
    """
    counts = np.array([8, 7, 1])
    half = published_sparse_cycles(counts, 8, threshold=0.5, lines=4, macs_per_line=2)
    assert (half.cycles, half.dense_columns, half.denser_lines, half.executed_zeros) == (3, 2, 3, 1)
    none = published_sparse_cycles(counts, 8, threshold=1.0, lines=4, macs_per_line=2)
    assert (none.cycles, none.dense_columns, none.denser_lines) == (2, 0, 0)


def test_published_curve_no_threshold_beats_none() -> None:
    mask = PackedMask.pack(random_mask(64, 96, 0.5, seed=1))
    curve = published_curve(mask, np.linspace(0, 1, 21), lines=8, macs_per_line=8)
    assert curve[-1].dense_columns == 0
    assert min(point.cycles for point in curve) == curve[-1].cycles
    assert curve[0].dense_columns == 96
