"""Attention with a fixed sparse mask: sampled Q Kᵀ, softmax, A V, head by head.

After ``sampled``, beside ``simulate``. Each of the three stages is over before the next begins, and
so is each head: nothing of the next one is loaded ahead.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from accelerator_sim.attention.context import cache_machine, softmax_cycles
from accelerator_sim.attention.sampled import TIMED_AS, plan_sddmm, plan_spmm, scores_stay
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.mapping.roofline import roofline_cycles
from accelerator_sim.models.cycles import ProjectionCycles, with_energy
from accelerator_sim.models.published import published_sparse_cycles
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from accelerator_sim.simulation.result import EventResult
from workloads.masks.counts import column_counts
from workloads.masks.head_masks import HeadMask
from workloads.masks.packed import PackedMask

_Pair = tuple[Plan, Plan]


@dataclass(frozen=True)
class HeadCycles:
    """What a head costs by one model.

    Attributes:
        name: Of its mask.
        repeats: Heads of the model with this mask.
        places: Kept scores.
        scores_stay: Whether they stay on chip between the products.
        stages: ``sddmm``, ``softmax`` (not for ``published``) and ``spmm``; dense: all scores.
    """

    name: str
    repeats: int
    places: int
    scores_stay: bool
    stages: tuple[ProjectionCycles, ...]


def simulate_heads(
    model: str, heads: Iterable[HeadMask], head_dim: int, accelerator: Accelerator, table: CostTable
) -> Iterator[HeadCycles]:
    """What heads with fixed masks cost, each alone.

    ``published`` counts compute only: perfect balance inside an engine, no softmax.

    Args:
        model: ``published``, ``roofline``, ``event`` or ``compiled``.
        heads: Masks.
        head_dim: Width of a head.
        accelerator: The machine; queries, keys, scores and values have its activations' width.
        table: For the energy of the products; softmax has none.

    Raises:
        InputError: A product does not fit the machine.
    """
    machine = cache_machine(accelerator)
    for head in heads:
        if model == "published":
            stages = _published(head.mask, head_dim, machine)
        else:
            dense = _dense_plans(head.mask.rows, head_dim, machine)
            stages = _stages(model, head.mask, dense, _plans(head.mask, head_dim, machine))
        yield HeadCycles(
            name=head.name,
            repeats=head.repeats,
            places=head.mask.nnz,
            scores_stay=scores_stay(head.mask.nnz, machine),
            stages=tuple(with_energy(stage, machine, table) for stage in stages),
        )


@functools.lru_cache(maxsize=16)
def _dense_plans(keys: int, head_dim: int, machine: Accelerator) -> _Pair:
    stay = scores_stay(keys * keys, machine)
    return (
        plan_sddmm(keys, head_dim, None, machine),
        plan_spmm(keys, head_dim, None, machine, stay),
    )


def _plans(mask: PackedMask, head_dim: int, machine: Accelerator) -> _Pair:
    stay = scores_stay(mask.nnz, machine)
    return (
        plan_sddmm(mask.rows, head_dim, mask, machine),
        plan_spmm(mask.rows, head_dim, mask, machine, stay),
    )


def _stages(
    model: str, mask: PackedMask, dense: _Pair, sparse: _Pair
) -> tuple[ProjectionCycles, ...]:
    machine = dense[0].program.accelerator
    scores = (mask.rows * mask.columns, mask.nnz)
    before, after = (float(softmax_cycles(count, machine)) for count in scores)
    softmax = ProjectionCycles("softmax", "MHA", model, before, after, after)
    sddmm = _product(model, "sddmm", dense[0], sparse[0])
    return sddmm, softmax, _product(model, "spmm", dense[1], sparse[1])


def _product(model: str, name: str, dense: Plan, sparse: Plan) -> ProjectionCycles:
    if model == "roofline":
        bounds = [float(roofline_cycles(plan.program)) for plan in (dense, sparse)]
        return ProjectionCycles(name, "MHA", model, bounds[0], bounds[1], bounds[1])
    before, after = _run(model, name, dense), _run(model, name, sparse)
    cycles = float(after.cycles)
    return ProjectionCycles(
        name, "MHA", model, float(before.cycles), cycles, cycles, before, after, after
    )


def _run(model: str, name: str, plan: Plan) -> EventResult:
    """A run, with the machine's own dataflow: a sampled product is timed as the other one."""
    result = run_compiled(plan) if model == "compiled" else run_event(plan)
    if name == "spmm":
        return result
    flow = plan.program.accelerator.dataflow
    return dataclasses.replace(result, dataflow=TIMED_AS[flow])


def _published(
    mask: PackedMask, head_dim: int, machine: Accelerator
) -> tuple[ProjectionCycles, ...]:
    """Both products execute the same entries: head_dim products for each.

    Source: ``Simulator/ViTCoD.py`` of GATECH-EIC/ViTCoD, corrected: ``docs/attention.md``.
    """
    sparse = published_sparse_cycles(
        column_counts(mask),
        mask.rows,
        machine.dense_threshold,
        machine.lines,
        machine.macs_per_line,
        head_dim,
    ).cycles
    dense = mask.rows * mask.columns * head_dim / machine.peak_macs
    return tuple(
        ProjectionCycles(name, "MHA", "published", dense, float(sparse), float(sparse))
        for name in ("sddmm", "spmm")
    )
