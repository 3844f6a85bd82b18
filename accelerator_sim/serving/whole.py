"""From a source and requests to the parts of a whole model. After ``phases``, before the face."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from accelerator_sim.block import simulate_block
from accelerator_sim.models.by_name import CYCLE_MODELS, Model, check_models
from accelerator_sim.serving.amounts import Amount, total
from accelerator_sim.serving.phases import (
    Setting,
    decode_attention,
    embedding_amount,
    head_amount,
    norm_amount,
    prefill_attention,
    projection_amounts,
)
from accelerator_sim.serving.whole_model_result import Part, Phase, Requests
from accelerator_sim.sources import Seen, Source
from workloads.masks.packed import SparseLowRankGemm
from workloads.shapes.attention import Heads, check_heads
from workloads.shapes.embedding import Embedding
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent

MIN_SAMPLES = 3
_Pair = tuple[Amount, Amount]


@dataclass(frozen=True)
class Whole:
    """What came of it.

    Attributes:
        parts: By phase and kind of work.
        error_cycles: Of sampled contexts.
        seen: What was simulated.
    """

    parts: tuple[Part, ...]
    error_cycles: float
    seen: Seen


def check_served(model: Model, max_samples: int) -> None:
    """Refuse what no whole model can be counted with.

    Args:
        model: Cycle model.
        max_samples: Contexts per phase.

    Raises:
        InputError: The model is unknown or counts products only, or there are too few samples.
    """
    check_models((model,))
    if CYCLE_MODELS[model].products_only:
        raise InputError(f"a whole model: {model} counts products only; use roofline or compiled")
    if max_samples < MIN_SAMPLES:
        raise InputError(f"max_samples must be at least {MIN_SAMPLES}, got {max_samples}")


def run_whole(
    source: Source,
    requests: Requests,
    *,
    setting: Setting,
    blocks: int,
    progress: Progress = silent,
) -> Whole:
    """Every part of a model that serves requests.

    Args:
        source: Blocks of projections, heads and embedding.
        requests: What is served.
        setting: On what.
        blocks: How many are simulated.
        progress: Told after every block.

    Raises:
        InputError: The source has no heads or no embedding, or no tile fits the machine.
    """
    heads, embedding = source.heads(), source.embedding()
    passes: dict[Phase, int] = {"prefill": requests.batch * requests.prompt}
    if requests.contexts:
        passes["decode"] = requests.batch
    seen, sums = _projections(source, heads, list(passes.values()), setting, (blocks, progress))
    of_blocks = source.of_blocks or blocks
    parts: list[Part] = []
    error = 0.0
    for (phase, tokens), pair in zip(passes.items(), sums, strict=True):
        steps = 1 if phase == "prefill" else len(requests.contexts)
        scaled = [amount.times(steps * of_blocks / blocks) for amount in pair]
        attention, unsure = _attention(phase, heads, requests, setting)
        ends = _ends(tokens, requests.batch, of_blocks, embedding, setting)
        same = {name: amount.times(steps) for name, amount in ends.items()}
        same["attention"] = attention.times(requests.batch * of_blocks)
        error += unsure * requests.batch * of_blocks
        parts += _parts(phase, scaled, same)
    return Whole(tuple(parts), error, seen)


def _projections(
    source: Source,
    heads: Heads,
    tokens: Sequence[int],
    setting: Setting,
    extent: tuple[int, Progress],
) -> tuple[Seen, list[_Pair]]:
    """Dense and compressed projections of the simulated blocks, for each number of tokens."""
    if source.experts:
        raise InputError(
            f"a whole model: not modelled for experts ({source.experts}); simulate its blocks"
        )
    (blocks, progress), seen, stage = extent, Seen(), f"whole model ({setting.model})"
    sums = [(Amount(0.0, 0.0), Amount(0.0, 0.0)) for _ in tokens]
    progress(stage, 0, blocks)
    by_block = itertools.groupby(source.projections(None), key=lambda item: item[0])
    for block, members in itertools.islice(by_block, blocks):
        items = [item for _, item in members]
        check_heads(heads, [item.gemm for item in items])
        for index, count in enumerate(tokens):
            pair = _block(items, count, setting)
            sums[index] = _added(sums[index], pair)
        seen.add(block, items)
        progress(stage, seen.blocks, blocks)
    return seen, sums


def _block(items: Sequence[SparseLowRankGemm], tokens: int, setting: Setting) -> _Pair:
    at = [replace(item, gemm=replace(item.gemm, tokens=tokens)) for item in items]
    cycles = simulate_block(
        at, setting.machine, models=(setting.model,), runs=("dense", "sum"), costs=setting.costs
    )
    return projection_amounts(cycles[setting.model].projections)


def _added(left: _Pair, right: _Pair) -> _Pair:
    return total([left[0], right[0]]), total([left[1], right[1]])


def _attention(
    phase: Phase, heads: Heads, requests: Requests, setting: Setting
) -> tuple[Amount, float]:
    """Of one sequence and block, all steps of a phase; with what sampling leaves open."""
    if phase == "prefill":
        whole = prefill_attention(heads, requests.prompt, setting=setting)
    else:
        whole = decode_attention(heads, requests.contexts, setting=setting)
    return whole.amount, whole.error_cycles


def _ends(
    tokens: int, sequences: int, blocks: int, embedding: Embedding, setting: Setting
) -> dict[str, Amount]:
    """Of one pass: two norms a block for all tokens, the last and the head for one a sequence."""
    inner = norm_amount(tokens, embedding, setting).times(2 * blocks)
    return {
        "embedding": embedding_amount(tokens, embedding, setting),
        "norms": total([inner, norm_amount(sequences, embedding, setting)]),
        "head": head_amount(sequences, embedding, setting),
    }


_ORDER = ("embedding", "projections", "attention", "norms", "head")


def _parts(phase: Phase, projections: Sequence[Amount], same: dict[str, Amount]) -> Iterator[Part]:
    for work in _ORDER:
        if work == "projections":
            yield Part(phase, work, *projections)
        else:
            yield Part(phase, work, same[work], same[work])
