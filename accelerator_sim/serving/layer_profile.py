"""Cycles of a model's layers at many sizes, for simulators that schedule requests over them.

After ``phases``; ``llmservingsim`` writes it down.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from accelerator_sim.block import simulate_block
from accelerator_sim.serving.phases import (
    Setting,
    attention_amount,
    embedding_amount,
    head_amount,
    norm_amount,
    prefill_attention,
)
from accelerator_sim.serving.whole_model_result import RUNS, ServedRun
from accelerator_sim.sources import Seen, Source
from workloads.masks.packed import SparseLowRankGemm
from workloads.shapes.attention import check_heads
from workloads.support.errors import InputError
from workloads.support.progress import Progress

PROJECTIONS: Mapping[str, tuple[str, ...]] = {
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "o_proj": ("o_proj",),
    "gate_up_proj": ("gate_proj", "up_proj"),
    "down_proj": ("down_proj",),
}
"""Layers that a serving system runs as one, and the projections that they are made of."""


@dataclass(frozen=True)
class Sizes:
    """At what sizes layers are simulated: powers of two.

    Attributes:
        max_tokens: Of one pass, all sequences together.
        max_sequences: In one pass.
        max_context: Keys that a token attends to.
        min_chunk: Smallest part of a prompt, and smallest context but for none.
    """

    max_tokens: int
    max_sequences: int
    max_context: int
    min_chunk: int = 16

    @property
    def tokens(self) -> tuple[int, ...]:
        """Of a pass."""
        return doubling(1, self.max_tokens)

    @property
    def sequences(self) -> tuple[int, ...]:
        """Of a pass."""
        return doubling(1, self.max_sequences)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Of a prompt."""
        return doubling(min(self.min_chunk, self.max_tokens), self.max_tokens)

    @property
    def histories(self) -> tuple[int, ...]:
        """Tokens in the cache before the pass."""
        return (0, *doubling(min(self.min_chunk, self.max_context), self.max_context))


def doubling(first: int, last: int) -> tuple[int, ...]:
    """``first`` and its doubles below ``last``, and ``last``."""
    below = itertools.takewhile(lambda value: value < last, (first << k for k in range(64)))
    return (*below, last)


@dataclass(frozen=True)
class LayerProfile:
    """Cycles of one run of a model, every block alike.

    Attributes:
        by_tokens: Of a layer, for the tokens of a pass.
        head: For the sequences of a pass.
        prefill: Attention of one block for a part of a prompt and the tokens before it.
        decode: Attention of one block for one token of a sequence and the tokens before it.
    """

    by_tokens: Mapping[str, Mapping[int, float]]
    head: Mapping[int, float]
    prefill: Mapping[tuple[int, int], float]
    decode: Mapping[int, float]


def profile_layers(
    source: Source, sizes: Sizes, *, setting: Setting, blocks: int, progress: Progress
) -> tuple[Seen, dict[ServedRun, LayerProfile]]:
    """Simulate every layer at every size, dense and compressed.

    Args:
        source: Blocks of projections, heads and embedding.
        sizes: At which.
        setting: On what, by which model.
        blocks: How many are simulated; projections are their mean.
        progress: Told after every block, and after every part of a prompt.

    Raises:
        InputError: The source has no heads or no embedding, a block has other projections than
            serving systems know, or no tile fits the machine.
    """
    heads, embedding = source.heads(), source.embedding()
    seen, projections = _projections(source, sizes.tokens, setting, (blocks, progress))
    norm = {count: norm_amount(count, embedding, setting).cycles for count in sizes.tokens}
    ends = {
        "embedding": {n: embedding_amount(n, embedding, setting).cycles for n in sizes.tokens},
        "layernorm": norm,
        "final_layernorm": norm,
    }
    head = {count: head_amount(count, embedding, setting).cycles for count in sizes.sequences}
    prefill = {}
    for done, chunk in enumerate(sizes.chunks):
        progress("attention", done, len(sizes.chunks))
        for history in sizes.histories:
            part = prefill_attention(heads, chunk, history=history, setting=setting)
            prefill[chunk, history] = part.amount.cycles
    progress("attention", len(sizes.chunks), len(sizes.chunks))
    decode = {
        history: attention_amount(heads, 1, history + 1, setting=setting).cycles
        for history in sizes.histories
    }
    return seen, {
        run: LayerProfile({**ends, **projections[run]}, head, prefill, decode) for run in RUNS
    }


_Sums = dict[ServedRun, dict[str, dict[int, float]]]


def _projections(
    source: Source, tokens: Sequence[int], setting: Setting, extent: tuple[int, Progress]
) -> tuple[Seen, _Sums]:
    """Mean cycles of each layer over the simulated blocks."""
    (blocks, progress), heads, seen = extent, source.heads(), Seen()
    sums: _Sums = {run: {name: defaultdict(float) for name in PROJECTIONS} for run in RUNS}
    by_block = itertools.groupby(source.projections(None), key=lambda item: item[0])
    progress("layers", 0, blocks)
    for block, members in itertools.islice(by_block, blocks):
        items = [item for _, item in members]
        check_heads(heads, [item.gemm for item in items])
        for count in tokens:
            for run, cycles in _block(items, count, setting).items():
                for layer, names in PROJECTIONS.items():
                    sums[run][layer][count] += sum(cycles[name] for name in names) / blocks
        seen.add(block, items)
        progress("layers", seen.blocks, blocks)
    return seen, sums


def _block(
    items: Sequence[SparseLowRankGemm], tokens: int, setting: Setting
) -> dict[ServedRun, dict[str, float]]:
    """Cycles of each projection, by the last part of its name."""
    at = [replace(item, gemm=replace(item.gemm, tokens=tokens)) for item in items]
    run = simulate_block(
        at, setting.machine, models=(setting.model,), runs=("dense", "sum"), costs=setting.costs
    )
    parts = {part.name.rpartition(".")[2]: part for part in run[setting.model].projections}
    known = sorted(name for names in PROJECTIONS.values() for name in names)
    if sorted(parts) != known or len(parts) != len(items):
        raise InputError(
            f"a block of {', '.join(sorted(parts))}: serving systems know {', '.join(known)}"
        )
    return {
        "dense": {name: part.dense_cycles for name, part in parts.items()},
        "compressed": {name: part.sum_cycles for name, part in parts.items()},
    }
