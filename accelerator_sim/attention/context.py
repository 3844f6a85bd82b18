"""Attention over a context as part of a block: two dense products and a softmax between them.

Beside ``simulate``, which adds these entries to the module MHA when a context is given. One key
and value head after the other: Q Kᵀ, the softmax of its scores, A V. All heads are equal, so one
is simulated and counted as often as there are. The scores leave the chip once, as outputs of
Q Kᵀ, and come back once, as inputs of A V. ``docs/attention.md`` says what that leaves out.
"""

import dataclasses
import functools
from collections.abc import Sequence

from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import plan_dense
from accelerator_sim.mapping.roofline import roofline_cycles
from accelerator_sim.models.cycles import ProjectionCycles, with_energy
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.event import run_event
from workloads.shapes.attention import ContextAttention
from workloads.shapes.gemm import Gemm

_AFTER_ATTENTION = "o_proj"


def softmax_cycles(scores: int, accelerator: Accelerator) -> int:
    """⌈scores / softmax_elements_per_cycle⌉: a unit of its own, with nothing beside it."""
    return -(-scores // accelerator.softmax_elements_per_cycle)


def cache_machine(accelerator: Accelerator) -> Accelerator:
    """The machine with K, V or scores as its stationary operand: as wide as activations."""
    bits = dataclasses.replace(accelerator.bits, weight=accelerator.bits.activation)
    return dataclasses.replace(accelerator, bits=bits)


def attention_cycles(
    model: str, attention: ContextAttention, accelerator: Accelerator, table: CostTable
) -> tuple[ProjectionCycles, ...]:
    """What attention costs: ``qk``, ``softmax`` and ``av``, the same dense, sparse and whole.

    ``published`` counts compute only, so it has no softmax; ``roofline`` has it at the unit's rate,
    as the two products cannot run beside it.

    Args:
        model: ``published``, ``roofline``, ``event`` or ``compiled``.
        attention: Heads, tokens and context.
        accelerator: The machine; K and V have the width of its activations.
        table: For the energy of the products; softmax has none.

    Raises:
        InputError: No tile of a product fits the machine.
    """
    machine = cache_machine(accelerator)
    heads = attention.heads.kv_heads
    qk, av = (
        with_energy(_product(model, gemm, machine, heads), machine, table)
        for gemm in (attention.qk(), attention.av())
    )
    if model == "published":
        return qk, av
    cycles = float(heads * softmax_cycles(attention.scores, accelerator))
    return qk, ProjectionCycles("softmax", "MHA", model, cycles, cycles, cycles), av


def with_attention(
    projections: Sequence[ProjectionCycles], attention: Sequence[ProjectionCycles]
) -> tuple[ProjectionCycles, ...]:
    """A block's projections with attention where it runs: before the output projection."""
    names = [projection.name.rpartition(".")[2] for projection in projections]
    place = names.index(_AFTER_ATTENTION) if _AFTER_ATTENTION in names else len(names)
    return (*projections[:place], *attention, *projections[place:])


@functools.lru_cache(maxsize=16)
def _product(model: str, gemm: Gemm, machine: Accelerator, heads: int) -> ProjectionCycles:
    """One dense product, as often as there are heads; kept, as every block has the same."""
    if model == "published":
        cycles = heads * gemm.macs / machine.peak_macs
        return ProjectionCycles(gemm.name, gemm.module, model, cycles, cycles, cycles)
    plan = plan_dense(gemm, machine)
    if model == "roofline":
        cycles = float(heads * roofline_cycles(plan.program))
        return ProjectionCycles(gemm.name, gemm.module, model, cycles, cycles, cycles)
    run = (run_compiled(plan) if model == "compiled" else run_event(plan)).times(heads)
    cycles = float(run.cycles)
    return ProjectionCycles(gemm.name, gemm.module, model, cycles, cycles, cycles, run, run, run)
