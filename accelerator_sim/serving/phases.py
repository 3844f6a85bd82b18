"""What one pass of a model costs beside its projections: embeddings, attention, norms, head.

After ``amounts``, before ``whole``. A pass takes some tokens of every sequence through all blocks:
the prompt at once (prefill), then one token of each sequence a step (decode).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from accelerator_sim.attention.context import attention_cycles
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.timing import ceil_div, dram_bytes, dram_ticks, ticks_per_cycle
from accelerator_sim.models.by_name import CYCLE_MODELS, Model, Product, cost
from accelerator_sim.models.cycles import ProjectionCycles
from accelerator_sim.models.energy import energy
from accelerator_sim.planning.planner import plan_dense
from accelerator_sim.serving.amounts import Amount, Integral, integrate, total
from workloads.shapes.attention import ContextAttention, Heads
from workloads.shapes.embedding import Embedding
from workloads.shapes.gemm import Gemm


@dataclass(frozen=True)
class Setting:
    """On what, and by which model.

    Attributes:
        machine: The accelerator.
        costs: Energies.
        model: Cycle model.
        kv_bits: Width of keys and values.
        query_block: Queries of the prompt that meet the same keys.
        max_samples: Contexts that are simulated at most, per phase.
    """

    machine: Accelerator
    costs: CostTable
    model: Model
    kv_bits: int
    query_block: int
    max_samples: int


def embedding_amount(tokens: int, embedding: Embedding, setting: Setting) -> Amount:
    """Rows of the embeddings, one a token, as wide as activations, each in whole bursts.

    Args:
        tokens: Of all sequences.
        embedding: Its shape.
        setting: Machine and energies.
    """
    machine, costs = setting.machine, setting.costs
    row = ceil_div(embedding.hidden * machine.bits.activation, 8)
    rows = np.full(tokens, row, dtype=np.int64)
    ticks = int(dram_ticks(rows, machine).sum())
    cycles = ceil_div(ticks, ticks_per_cycle(machine)) + machine.read_latency_cycles
    moved = int(dram_bytes(rows, machine).sum())
    per_byte = costs.energy.dram_pj_per_byte[machine.dram.technology]
    return Amount(float(cycles), moved * per_byte if _counts_energy(setting) else None)


def norm_amount(tokens: int, embedding: Embedding, setting: Setting) -> Amount:
    """One norm of some tokens at the rate of the softmax unit; no energy is known for it.

    Args:
        tokens: Of all sequences.
        embedding: Its width.
        setting: Machine.
    """
    elements = tokens * embedding.hidden
    cycles = ceil_div(elements, setting.machine.softmax_elements_per_cycle)
    return Amount(float(cycles), 0.0 if _counts_energy(setting) else None)


def head_amount(sequences: int, embedding: Embedding, setting: Setting) -> Amount:
    """The dense head, for one token of every sequence.

    Args:
        sequences: Columns of the product.
        embedding: Vocabulary and width.
        setting: Machine, model, energies.
    """
    gemm = Gemm("head", "FFN", embedding.vocabulary, embedding.hidden, sequences)
    machine = setting.machine
    run = cost(setting.model, Product(gemm, machine, lambda: plan_dense(gemm, machine)))
    if run.run is None:
        return Amount(run.cycles, None)
    return Amount(run.cycles, energy(run.run, setting.costs, accelerator=machine).total_pj)


def attention_amount(heads: Heads, tokens: int, context: int, *, setting: Setting) -> Amount:
    """Attention of some tokens of one sequence in one block: the whole rectangle.

    Args:
        heads: Of the model.
        tokens: Queries, the last of the context.
        context: Keys.
        setting: Machine, model, energies, width of keys and values.
    """
    work = ContextAttention(heads, tokens, context)
    parts = attention_cycles(
        work,
        setting.machine,
        models=(setting.model,),
        costs=setting.costs,
        kv_bits=setting.kv_bits,
    )[setting.model]
    return total(_amount(part, counts_energy=_counts_energy(setting)) for part in parts)


def prefill_attention(heads: Heads, prompt: int, *, setting: Setting, history: int = 0) -> Integral:
    """Causal attention of a prompt or a part of it, one sequence and one block.

    Queries go block by block; a block meets the keys up to its own last token, so that what lies
    above the diagonal blocks is skipped.

    Args:
        heads: Of the model.
        prompt: Tokens.
        setting: ``query_block`` and the rest.
        history: Tokens before them, whose keys are in the cache.
    """
    size = setting.query_block
    ends = [history + size * (block + 1) for block in range(prompt // size)]
    at = functools.partial(attention_amount, heads, size, setting=setting)
    full = integrate(ends, at, max_samples=setting.max_samples)
    if prompt % size == 0:
        return full
    last = attention_amount(heads, prompt % size, history + prompt, setting=setting)
    return Integral(total([full.amount, last]), full.error_cycles)


def decode_attention(heads: Heads, contexts: Sequence[int], *, setting: Setting) -> Integral:
    """Attention of one token after another, one sequence and one block.

    Args:
        heads: Of the model.
        contexts: Keys of every step, the step's own token included.
        setting: As above.
    """
    at = functools.partial(attention_amount, heads, 1, setting=setting)
    return integrate(contexts, at, max_samples=setting.max_samples)


def projection_amounts(parts: Sequence[ProjectionCycles]) -> tuple[Amount, Amount]:
    """Projections dense, and compressed."""
    dense = [
        Amount(part.dense_cycles, part.energy["dense"].total_pj if part.energy else None)
        for part in parts
    ]
    compressed = [
        Amount(part.sum_cycles, part.energy["sum"].total_pj if part.energy else None)
        for part in parts
    ]
    return total(dense), total(compressed)


def _amount(part: ProjectionCycles, *, counts_energy: bool) -> Amount:
    """An entry of attention; softmax has no energy in the tables."""
    if not counts_energy:
        return Amount(part.sum_cycles, None)
    return Amount(part.sum_cycles, part.energy["sum"].total_pj if part.energy else 0.0)


def _counts_energy(setting: Setting) -> bool:
    return CYCLE_MODELS[setting.model].simulated
