"""One table of models: a product is planned once for all of them, and run once by each engine."""

from typing import Any

import pytest

from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.models.by_name import CYCLE_MODELS, MODELS, Product, check_models, cost
from accelerator_sim.planning.planner import plan_projection
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from workloads.support.errors import InputError

ITEM = projection(random_mask(24, 36, 0.5, seed=1), rank=2, tokens=2)


class Planned:
    """A product that counts how often it is planned."""

    def __init__(self, **options: Any):
        self.times = 0
        machine = small_machine()
        self.product = Product(ITEM.gemm, machine, self._plan, ITEM.mask, ITEM.rank, **options)

    def _plan(self) -> Plan:
        self.times += 1
        return plan_projection(ITEM, small_machine())


def test_cost_of_all_models_plans_once() -> None:
    planned = Planned()
    for model in MODELS:
        cost(model, planned.product)
    assert planned.times == 1


def test_cost_published_plans_nothing() -> None:
    planned = Planned()
    assert cost("published", planned.product).cycles > 0
    assert planned.times == 0


@pytest.mark.parametrize("model", ["event", "compiled"])
def test_cost_simulated_again_is_the_same_run(model: Any) -> None:
    planned = Planned()
    first, second = cost(model, planned.product), cost(model, planned.product)
    assert first.run is second.run is not None


@pytest.mark.parametrize("model", MODELS)
def test_cost_of_repeats_is_so_many_times_one(model: Any) -> None:
    once, thrice = (cost(model, Planned(repeats=count).product) for count in (1, 3))
    assert thrice.cycles == pytest.approx(3 * once.cycles, rel=1e-12)
    assert (once.run is not None) == CYCLE_MODELS[model].simulated
    if once.run is not None:
        assert thrice.run == once.run.times(3)


def test_cycle_models_have_every_name_in_order() -> None:
    assert tuple(CYCLE_MODELS) == MODELS
    check_models(MODELS)
    with pytest.raises(InputError, match="unknown model 'compield': did you mean compiled"):
        check_models(["event", "compield"])
