"""What a block costs: all models from the same plans, sums by module, plain data."""

from collections.abc import Iterator
from typing import Any

import pytest

from accelerator_sim import projection
from accelerator_sim.block import simulate_block
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.models.by_name import MODELS
from accelerator_sim.planning.planner import plan_projection
from tests.accelerator_sim.machines import (
    block_by,
)
from tests.accelerator_sim.test_projection import busy_machine, busy_projection
from workloads.masks.packed import SparseLowRankGemm
from workloads.results.codec import to_json
from workloads.support.errors import InputError


@pytest.mark.parametrize("model", MODELS)
def test_simulate_block_result_is_json(model: Any) -> None:
    items = [busy_projection(), busy_projection()]
    block = block_by(model, items, busy_machine())
    values = to_json(block)
    total = values["total"]
    assert total["low_rank_cycles"] == total["sum_cycles"] - total["sparse_cycles"]
    assert values["modules"]["MHA"] == total
    assert total["dense_cycles"] == 2 * values["projections"][0]["dense_cycles"]
    assert (values["projections"][0].get("sum_run") is not None) == (model in ("event", "compiled"))


def test_simulate_block_several_models_are_each_alone_and_planned_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item, planned = busy_projection(), []

    def plan(*arguments: Any, **options: Any) -> Plan:
        planned.append(arguments)
        return plan_projection(*arguments, **options)

    alone = {model: block_by(model, [item, item], busy_machine()) for model in MODELS}
    monkeypatch.setattr(projection, "plan_projection", plan)
    together = simulate_block([item, item], busy_machine(), models=MODELS)
    assert together == alone
    assert list(together) == list(MODELS)
    assert len(planned) == 2


def test_simulate_block_unknown_model_is_refused_before_anything_is_read() -> None:
    def projections() -> Iterator[SparseLowRankGemm]:
        raise AssertionError
        yield

    with pytest.raises(InputError, match="did you mean event"):
        simulate_block(projections(), busy_machine(), models=["evnt"])  # type: ignore[list-item]
