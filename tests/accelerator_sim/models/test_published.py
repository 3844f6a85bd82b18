"""The published model and the roofline."""

import dataclasses

import numpy as np
import pytest

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import TileChoice
from accelerator_sim.mapping.candidates import plan_dense, plan_projection
from accelerator_sim.mapping.roofline import roofline_cycles
from accelerator_sim.mapping.split import proportional_lines
from accelerator_sim.models.published import published_curve, published_sparse_cycles
from tests.accelerator_sim.machines import (
    block_by,
    projection,
    projection_by,
    random_mask,
    small_machine,
    with_rows,
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


@pytest.mark.parametrize(
    ("denser", "sparser", "lines"), [(1, 1, 32), (0, 5, 0), (5, 0, 64), (1, 9999, 1), (9999, 1, 63)]
)
def test_proportional_lines_rounds_half_up_and_keeps_one_each(
    denser: int, sparser: int, lines: int
) -> None:
    assert proportional_lines(denser, sparser, lines=64) == lines
    assert proportional_lines(5, 59 * 2 - 5 + 10, lines=64) == round(64 * 5 / 123 + 1e-9)


def test_roofline_cycles_counts_each_operand_once_at_peak_bandwidth() -> None:
    """3 rows keeping 5, 2 and 1 of 5 columns, rank 2, 3 tokens, in 2x2x2 tiles; 4 bytes a cycle.

    8 values; bitmaps of the tiles with nonzeros: 4 + 4 + 2 bits above, 2 below; 2·(3 + 5) factors;
    15 inputs and 9 outputs: 49.5 bytes, 12.375 cycles. MACs: (8 + 16)·3 / 4 = 18 cycles.
    """
    machine = small_machine(tile=TileChoice(2, 2, 2))
    item = projection(with_rows([5, 2, 1], 5), rank=2, tokens=3)
    fast = dataclasses.replace(machine, lines=8)
    assert roofline_cycles(plan_projection(item, machine).program) == 18
    assert roofline_cycles(plan_projection(item, fast).program) == 13
    dense = plan_dense(Gemm("p", "MHA", 3, 5, 3), machine)
    assert roofline_cycles(dense.program) == 12  # 45 MACs / 4; bytes: 15 + 15 + 9


def test_roofline_cycles_llama2_block_equals_bytes_over_bandwidth() -> None:
    """202,375,168 weights, with inputs and outputs, at 153.6 bytes a cycle: 1,318,055 cycles."""
    machine = load_accelerator("array-64x64", {"tile.rows": 64, "tile.columns": 64})
    shapes = load_model("llama2-7b").projections()
    total = sum(roofline_cycles(plan_dense(gemm, machine).program) for gemm in shapes)
    weights = sum(gemm.parameters for gemm in shapes)
    assert weights == 202_375_168
    assert total == sum(-int(-(g.parameters + g.m + g.n) * 10 // 1536) for g in shapes)
    assert total == 1_318_055


def test_simulate_projection_roofline_never_exceeds_event() -> None:
    item = projection(random_mask(24, 40, 0.5, seed=2), rank=3, tokens=2)
    machine = small_machine(tile=TileChoice(8, 16, 2), dense_threshold=0.5)
    bound, event = (projection_by(m, item, machine) for m in ("roofline", "event"))
    for run in ("dense_cycles", "sparse_cycles", "sum_cycles"):
        assert getattr(bound, run) <= getattr(event, run)
