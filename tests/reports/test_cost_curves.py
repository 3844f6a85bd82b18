from pathlib import Path

import pytest

from accelerator_sim.block import simulate_block
from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.by_name import Model
from reports.cost_curves import simulated_cost_curves
from sslc.allocation.shares import Share
from sslc.methods.registry import load_method
from sslc.model.opening import open_checkpoint
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import wanda_lognormal_mask
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError

SHARES = (Share(0.1, 0.25), Share(0.5, 0.25))


def test_costs_are_those_of_a_block_simulated_with_the_same_masks(llama: Path) -> None:
    curves = simulated_cost_curves(
        open_checkpoint(str(llama)), load_method("sslc", {"rank_share": 0.25}), shares=SHARES,
        accelerator="array-64x64", tokens=4, overrides={"dram.efficiency": 0.5},
    )  # fmt: skip
    assert [curve.pattern for curve in curves.curves] == [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    ]  # fmt: skip
    curve = curves.of("layers.2.mlp.down_proj")
    (point,) = curve.points  # factors alone exceed a tenth
    assert (point.kept_fraction, point.rank_share) == (0.5, 0.25)
    m, n, rank = 64, 96, 9  # floor(0.25 * 64 * 96 / 160)
    nonzeros = m * n // 2 - rank * (m + n)
    product = SparseLowRankGemm(
        Gemm("down_proj", "FFN", m, n, 4), wanda_lognormal_mask(m, n, nonzeros, seed=0), rank
    )
    machine = load_accelerator("array-64x64", {"dram.efficiency": 0.5})
    models: tuple[Model, ...] = ("compiled",)
    block = simulate_block([product], machine, models=models)["compiled"]
    (one,) = block.projections
    assert one.sum_run is not None
    assert one.dense_run is not None
    assert point.costs == {
        "cycles": one.sum_cycles,
        "energy_pj": pytest.approx(block.energy["FFN"]["sum"].total_pj),
        "dram_bytes": one.sum_run.traffic.total,
        "parameters": m * n // 2,
    }
    assert curve.dense["cycles"] == one.dense_cycles
    assert curve.dense["dram_bytes"] == one.dense_run.traffic.total
    assert curve.dense["parameters"] == m * n
    assert curves.about["machine"]["overrides"] == {"dram.efficiency": 0.5}


@pytest.mark.parametrize(("tokens", "accelerator"), [(0, "array-64x64"), (1, "arrays")])
def test_machine_or_tokens_that_mean_nothing_are_refused(
    llama: Path, tokens: int, accelerator: str
) -> None:
    with pytest.raises(InputError):
        simulated_cost_curves(
            open_checkpoint(str(llama)), load_method("wanda", {}), shares=(Share(0.5),),
            accelerator=accelerator, tokens=tokens,
        )  # fmt: skip
