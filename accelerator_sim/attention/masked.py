"""Attention with a fixed sparse mask: sampled Q Kᵀ, softmax, A V, head by head.

After ``sampled``, beside ``projection``. Each of the three stages is over before the next begins,
and so is each head: nothing of the next one is loaded ahead.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from accelerator_sim.attention.context import softmax_cycles
from accelerator_sim.attention.sampled import plan_sddmm, plan_spmm, scores_stay
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.models.by_name import CYCLE_MODELS, Model, Product, check_models, cost
from accelerator_sim.models.cycles import ProjectionCycles, with_energy
from workloads.masks.head_masks import HeadMask
from workloads.masks.packed import PackedMask
from workloads.shapes.gemm import Gemm

_Pair = tuple[Product, Product]
"""A product dense and with its mask."""


@dataclass(frozen=True)
class HeadCycles:
    """What a head costs by one model.

    Attributes:
        name: Of its mask.
        repeats: Heads of the model with this mask.
        kept_scores: Those that the mask keeps.
        scores_stay: Whether they stay on chip between the products.
        stages: ``sddmm``, ``softmax`` (not for ``published``) and ``spmm``; dense: all scores.
    """

    name: str
    repeats: int
    kept_scores: int
    scores_stay: bool
    stages: tuple[ProjectionCycles, ...]


def simulate_heads(
    heads: Iterable[HeadMask],
    accelerator: Accelerator,
    *,
    head_dim: int,
    models: Collection[Model],
    costs: CostTable,
) -> Iterator[dict[Model, HeadCycles]]:
    """What heads with fixed masks cost, each alone, by each model; planned once for all of them.

    ``published`` counts compute only: perfect balance inside an engine, no softmax.

    Args:
        heads: Masks.
        accelerator: The machine; queries, keys, scores and values have its activations' width.
        head_dim: Width of a head.
        models: Cycle models.
        costs: For the energy of the products; softmax has none.

    Raises:
        InputError: A model is unknown, or a product does not fit the machine.
    """
    check_models(models)
    for head in heads:
        scores = head.mask.rows * head.mask.columns
        softmax = [float(softmax_cycles(count, accelerator)) for count in (scores, head.mask.nnz)]
        pairs = _products(head.mask, head_dim, accelerator)
        yield {
            model: HeadCycles(
                name=head.name,
                repeats=head.repeats,
                kept_scores=head.mask.nnz,
                scores_stay=scores_stay(head.mask.nnz, accelerator),
                stages=tuple(
                    with_energy(stage, accelerator, table=costs)
                    for stage in _stages(model, pairs, softmax)
                ),
            )
            for model in models
        }


def _products(mask: PackedMask, head_dim: int, accelerator: Accelerator) -> tuple[_Pair, _Pair]:
    """Both products, each dense and with the mask.

    Source of the arithmetic of ``published``: ``Simulator/ViTCoD.py`` of GATECH-EIC/ViTCoD,
    corrected (``docs/attention.md``): both products execute the same entries, head_dim products
    for each.
    """
    keys = mask.rows
    sddmm, spmm = (Gemm(name, "MHA", keys, keys, head_dim) for name in ("sddmm", "spmm"))

    def sampled(chosen: PackedMask | None) -> Product:
        return Product(
            sddmm,
            accelerator,
            lambda: plan_sddmm(keys, head_dim, mask=chosen, accelerator=accelerator),
            chosen,
        )

    def weighted(chosen: PackedMask | None, count: int) -> Product:
        stay = scores_stay(count, accelerator)

        def plan() -> Plan:
            return plan_spmm(keys, head_dim, mask=chosen, accelerator=accelerator, on_chip=stay)

        return Product(spmm, accelerator, plan, chosen)

    dense, sparse = weighted(None, keys * keys), weighted(mask, mask.nnz)
    return (sampled(None), sampled(mask)), (dense, sparse)


def _stages(
    model: Model, pairs: tuple[_Pair, _Pair], softmax: Sequence[float]
) -> Iterator[ProjectionCycles]:
    sddmm, spmm = pairs
    yield _stage(model, sddmm)
    if not CYCLE_MODELS[model].products_only:
        before, after = softmax
        yield ProjectionCycles("softmax", "MHA", model, before, after, after)
    yield _stage(model, spmm)


def _stage(model: Model, pair: _Pair) -> ProjectionCycles:
    dense, sparse = (cost(model, product) for product in pair)
    cycles = (dense.cycles, sparse.cycles, sparse.cycles)
    runs = (dense.run, sparse.run, sparse.run)
    return ProjectionCycles(pair[0].gemm.name, "MHA", model, *cycles, *runs)
