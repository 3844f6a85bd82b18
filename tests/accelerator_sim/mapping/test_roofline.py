"""The bound of compute and traffic, against counts by hand."""

import dataclasses

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import TileChoice
from accelerator_sim.mapping.roofline import roofline_cycles
from accelerator_sim.planning.planner import plan_dense, plan_projection
from tests.accelerator_sim.machines import (
    projection,
    projection_by,
    random_mask,
    small_machine,
    with_rows,
)
from workloads.shapes.gemm import Gemm
from workloads.shapes.transformer import load_model


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
