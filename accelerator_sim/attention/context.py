"""Attention over a context as part of a block: two dense products and a softmax between them.

Before ``block``, which adds these entries to the module MHA when a context is given. One key
and value head of one sequence after the other: Q Kᵀ, the softmax of its scores, A V. All are equal,
so one is simulated and counted as often as there are. The scores leave the chip once, as outputs of
Q Kᵀ, and come back once, as inputs of A V. ``docs/attention.md`` says what that leaves out.
"""

from collections.abc import Collection, Sequence

from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.models.by_name import CYCLE_MODELS, Model, Product, cost
from accelerator_sim.models.cycles import ProjectionCycles, with_energy
from accelerator_sim.planning.planner import plan_dense
from workloads.shapes.attention import ContextAttention
from workloads.shapes.gemm import Gemm

_AFTER_ATTENTION = "o_proj"


def softmax_cycles(scores: int, accelerator: Accelerator) -> int:
    """⌈scores / softmax_elements_per_cycle⌉: a unit of its own, with nothing beside it."""
    return -(-scores // accelerator.softmax_elements_per_cycle)


def attention_cycles(
    attention: ContextAttention,
    accelerator: Accelerator,
    *,
    models: Collection[Model],
    costs: CostTable,
    kv_bits: int | None = None,
) -> dict[Model, tuple[ProjectionCycles, ...]]:
    """What attention costs by each model: ``qk``, ``softmax`` and ``av``; dense, sparse and whole
    are the same.

    ``published`` counts compute only, so it has no softmax; ``roofline`` has it at the unit's rate,
    as the two products cannot run beside it.

    Args:
        attention: Heads, tokens and context.
        accelerator: The machine.
        models: Cycle models.
        costs: For the energy of the products; softmax has none.
        kv_bits: Width of K and V; by default that of activations.

    Raises:
        InputError: No tile of a product fits the machine.
    """
    heads = attention.heads.kv_heads * attention.sequences
    bits = kv_bits or accelerator.bits.activation
    products = [
        _product(gemm, accelerator, value_bits=bits, heads=heads)
        for gemm in (attention.qk(), attention.av())
    ]
    cycles = float(heads * softmax_cycles(attention.scores, accelerator))
    parts: dict[Model, tuple[ProjectionCycles, ...]] = {}
    for model in models:
        qk, av = (with_energy(_cycles(model, item), accelerator, table=costs) for item in products)
        softmax = ProjectionCycles("softmax", "MHA", model, cycles, cycles, cycles)
        alone = CYCLE_MODELS[model].products_only
        parts[model] = (qk, av) if alone else (qk, softmax, av)
    return parts


def with_attention(
    projections: Sequence[ProjectionCycles], attention: Sequence[ProjectionCycles]
) -> list[ProjectionCycles]:
    """A block's projections with attention where it runs: before the output projection."""
    names = [projection.name.rpartition(".")[2] for projection in projections]
    index = names.index(_AFTER_ATTENTION) if _AFTER_ATTENTION in names else len(names)
    return [*projections[:index], *attention, *projections[index:]]


def _product(gemm: Gemm, accelerator: Accelerator, *, value_bits: int, heads: int) -> Product:
    """One dense product, as often as there are key and value heads of all sequences."""
    return Product(
        gemm,
        accelerator,
        lambda: plan_dense(gemm, accelerator, value_bits=value_bits),
        repeats=heads,
    )


def _cycles(model: Model, product: Product) -> ProjectionCycles:
    total = cost(model, product)
    gemm, cycles, run = product.gemm, total.cycles, total.run
    return ProjectionCycles(gemm.name, gemm.module, model, cycles, cycles, cycles, run, run, run)
