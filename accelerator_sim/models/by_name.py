"""The cycle models by name: one table from a name to what a product costs by that model.

``published`` counts compute cycles only, ``roofline`` is the bound of compute and traffic, and
``event`` simulates the machine; ``compiled`` gives the numbers of ``event``, faster. After
``simulation``; ``projection`` and ``attention`` make the products.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args
from weakref import WeakKeyDictionary

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.roofline import roofline_cycles
from accelerator_sim.models.published import published_sparse_cycles
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.result import EventResult
from workloads.masks.counts import column_counts
from workloads.masks.packed import PackedMask
from workloads.shapes.gemm import Gemm
from workloads.support.errors import unknown_name

Model = Literal["published", "roofline", "event", "compiled"]
MODELS: tuple[Model, ...] = get_args(Model)
DISTINCT_MODELS: tuple[Model, ...] = ("published", "roofline", "event")
"""One of each kind: ``compiled`` would only repeat ``event``."""


@dataclass(frozen=True, eq=False)
class Product:
    """One matrix product on a machine, planned once, when the first model needs its plan.

    Attributes:
        gemm: Shape and tokens.
        accelerator: What it runs on.
        make_plan: Called at most once.
        mask: Places of S; None where the matrix is run dense.
        rank: Columns of U and V that the product includes.
        repeats: How often it runs, one run after the other with a drain between.
    """

    gemm: Gemm
    accelerator: Accelerator
    make_plan: Callable[[], Plan]
    mask: PackedMask | None = None
    rank: int = 0
    repeats: int = 1

    @cached_property
    def plan(self) -> Plan:
        """Tiles, split and storage.

        Raises:
            InputError: No tile fits the machine.
        """
        return self.make_plan()


@dataclass(frozen=True)
class Cost:
    """What a product costs by one model.

    Attributes:
        cycles: Of all its repeats; a fraction only where a model divides without rounding.
        run: Stalls, traffic and actions, where the machine was simulated.
    """

    cycles: float
    run: EventResult | None = None


@dataclass(frozen=True)
class CycleModel:
    """One way to count cycles.

    Attributes:
        cost: Of a product.
        basis: What its cycles are, as tables say it.
        simulated: Whether the machine runs, so that stalls, traffic and energy are known.
        products_only: Whether it counts matrix products and nothing beside them (softmax).
    """

    cost: Callable[[Product], Cost]
    basis: str
    simulated: bool = False
    products_only: bool = False


def cost(model: Model, product: Product) -> Cost:
    """What a product costs by one model.

    Raises:
        InputError: No tile fits the machine; ``published`` needs none.
    """
    return CYCLE_MODELS[model].cost(product)


def check_models(models: Collection[str]) -> None:
    """Refuse unknown names before anything is planned.

    Raises:
        InputError: A name is unknown.
    """
    for name in models:
        if name not in MODELS:
            raise unknown_name("model", name, MODELS)


def _published(product: Product) -> Cost:
    """Exact quotients for the dense and low-rank products, whole cycles for S.

    Source: Zong et al., arXiv 2510.26446v1, Table 4: dense rows are Σ m·n / 4096, low-rank rows
    Σ r(m + n) / 4096.
    """
    gemm, machine, repeats = product.gemm, product.accelerator, product.repeats
    if product.mask is None:
        return Cost(repeats * gemm.macs / machine.peak_macs)
    counts = column_counts(product.mask)
    sparse = published_sparse_cycles(
        counts,
        gemm.m,
        threshold=machine.dense_threshold,
        lines=machine.lines,
        macs_per_line=machine.macs_per_line,
        tokens=gemm.tokens,
    ).cycles
    low_rank = repeats * gemm.low_rank_macs(product.rank) / machine.peak_macs
    return Cost(repeats * sparse + low_rank)


def _roofline(product: Product) -> Cost:
    return Cost(float(product.repeats * roofline_cycles(product.plan.program)))


_Engine = Callable[[Plan], EventResult]
_results: WeakKeyDictionary[Plan, dict[_Engine, EventResult]] = WeakKeyDictionary()


def _simulated(engine: _Engine) -> Callable[[Product], Cost]:
    """An engine as a model. A plan that is kept is run once: blocks of a model share dense runs."""

    def cost(product: Product) -> Cost:
        results = _results.setdefault(product.plan, {})
        if engine not in results:
            results[engine] = engine(product.plan)
        run = results[engine]
        run = run if product.repeats == 1 else run.times(product.repeats)
        return Cost(float(run.cycles), run)

    return cost


CYCLE_MODELS: Mapping[Model, CycleModel] = {
    "published": CycleModel(_published, "analytic (published)", products_only=True),
    "roofline": CycleModel(_roofline, "analytic (roofline)"),
    "event": CycleModel(_simulated(run_event), "simulated (event)", simulated=True),
    "compiled": CycleModel(_simulated(run_compiled), "simulated (compiled)", simulated=True),
}
