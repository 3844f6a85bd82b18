"""Plans: dense ones are kept within bytes; widths of a product are not the machine's."""

import pytest

from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning import planner
from accelerator_sim.planning.planner import PLANS, plan_dense, plan_projection
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from workloads.shapes.gemm import Gemm
from workloads.support.kept import Kept


def test_plan_dense_again_is_the_same_plan() -> None:
    gemm = Gemm("p", "MHA", 24, 36, 2)
    first = plan_dense(gemm, small_machine())
    assert plan_dense(gemm, small_machine()) is first
    assert plan_dense(gemm, small_machine(handoff_cycles=0)) is not first
    assert plan_dense(gemm, small_machine(), value_bits=4) is not first


def test_plan_dense_keeps_no_more_than_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    gemms = [Gemm("p", "MHA", 24, 36, tokens) for tokens in (1, 2, 3)]
    largest = max(plan_dense(gemm, small_machine()).program.nbytes for gemm in gemms)
    kept: Kept[Plan] = Kept(2 * largest, lambda plan: plan.program.nbytes)
    monkeypatch.setattr(planner, "PLANS", kept)
    for gemm in gemms:
        plan_dense(gemm, small_machine())
    assert len(kept) < 3
    assert len(PLANS) >= 3


def test_plan_projection_value_bits_widen_values_alone() -> None:
    item = projection(random_mask(24, 36, 0.5, 1), rank=2)
    plain, wide = (plan_projection(item, small_machine(), value_bits=bits) for bits in (None, 16))
    for name in ("index_bits", "activation_bits"):
        assert (getattr(plain.program.main, name) == getattr(wide.program.main, name)).all()
    sparse = plain.program.main.kind == 0
    values = plain.program.main.value_bits
    assert (wide.program.main.value_bits[sparse] == 2 * values[sparse]).all()
    assert (wide.program.main.value_bits[~sparse] == values[~sparse]).all()
