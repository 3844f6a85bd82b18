"""From an artifact, foreign masks, or a model's shapes with synthetic masks, to cycles."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accelerator_sim.block import simulate_block
from accelerator_sim.machine.costs import CostTable
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.models.by_name import Model
from accelerator_sim.models.cycles import BlockCycles
from reports.paper.curve import Curve, block_curves, curve_table
from reports.paper.published import table4 as published_table4
from reports.stored.files import Subject, subject_of
from reports.tables.cycles import CONTEXT_NOTE, cycles_result
from reports.tables.cycles import table4 as build_table4
from workloads.artifact.read import Artifact
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import synthetic_block as make_block
from workloads.results.table import Table
from workloads.shapes.attention import ContextAttention, Heads, check_heads, read_heads
from workloads.shapes.transformer import ModelShape, load_model
from workloads.support.progress import Progress, silent

PAPER_RANK = 128
PAPER_KEPT_FRACTION = 0.5
TABLE4_MODELS = ("llama2-7b", "qwen2.5-7b")
READINGS = {"S keeps p minus the low-rank share": True, "S keeps p": False}


def simulate_artifact(
    artifact: Artifact,
    models: Sequence[Model],
    accelerator: Accelerator,
    tokens: int = 1,
    most_blocks: int | None = None,
    progress: Progress = silent,
    context: int | None = None,
    costs: CostTable | None = None,
) -> list[dict[str, Any]]:
    """Cycles of an artifact's blocks from its real masks.

    Args:
        artifact: The compressed model.
        models: Of ``accelerator_sim.models.by_name.MODELS``.
        accelerator: The machine.
        tokens: Tokens per product.
        most_blocks: Only the first so many blocks.
        progress: Told after every block.
        context: Attention over so many tokens as part of the module MHA.
        costs: Energy and area; by default ``catalog.DEFAULT_COSTS``.

    Returns:
        From ``speedup.cycles_result``, one per model, with the context where there is one.

    Raises:
        InputError: The context is too short, or the artifact does not tell its heads.
    """
    count = min(len(artifact.blocks), most_blocks or len(artifact.blocks))
    attention = attention_of(artifact.path, tokens, context)
    found = _simulate(
        artifact.projections(tokens), count, models, accelerator, progress, attention, costs
    )
    subject = subject_of(artifact)
    return [
        _result(subject, accelerator, tokens, found.blocks[model], attention) for model in models
    ]


def attention_of(directory: Path, tokens: int, context: int | None) -> ContextAttention | None:
    """Attention over a context by the heads in a directory's ``config.json``; None without one.

    Raises:
        InputError: The context is too short, or the configuration does not tell the heads.
    """
    return ContextAttention(read_heads(directory), tokens, context) if context else None


def _result(
    subject: Subject,
    accelerator: Accelerator,
    tokens: int,
    blocks: list[BlockCycles],
    attention: ContextAttention | None,
) -> dict[str, Any]:
    result = cycles_result(subject, accelerator.name, tokens, blocks)
    return result if attention is None else {**result, "context": attention.context}


def simulate_foreign(
    name: str,
    projections: Iterable[tuple[int, SparseLowRankGemm]],
    count: int,
    models: Sequence[Model],
    accelerator: Accelerator,
    progress: Progress = silent,
    attention: ContextAttention | None = None,
    costs: CostTable | None = None,
) -> list[dict[str, Any]]:
    """Cycles of blocks whose masks somebody else made.

    Args:
        name: Of their source.
        projections: Block index and projection, block by block, all with the same tokens; each
            block is read once for all models.
        count: Only the first so many blocks, at least one.
        models: Cycle models.
        accelerator: The machine.
        progress: Told after every block.
        attention: As part of the module MHA of every block.
        costs: Energy and area; by default ``catalog.DEFAULT_COSTS``.

    Returns:
        One ``speedup.cycles_result`` per model.
    """
    found = _simulate(projections, count, models, accelerator, progress, attention, costs)
    subject = Subject(name, "as given", found.kept / found.parameters, f"real ({name})")
    return [
        _result(subject, accelerator, found.tokens, found.blocks[model], attention)
        for model in models
    ]


@dataclass
class _Found:
    """What a run over blocks adds up."""

    blocks: dict[Model, list[BlockCycles]]
    kept: int = 0
    parameters: int = 0
    tokens: int = 1


def _simulate(
    projections: Iterable[tuple[int, SparseLowRankGemm]],
    count: int,
    models: Sequence[Model],
    accelerator: Accelerator,
    progress: Progress,
    attention: ContextAttention | None,
    costs: CostTable | None,
) -> _Found:
    found = _Found({model: [] for model in models})
    stage = f"simulate ({', '.join(models)})"
    progress(stage, 0, count)
    by_block = itertools.groupby(projections, key=lambda item: item[0])
    for done, (_, members) in enumerate(itertools.islice(by_block, count), start=1):
        items = [item for _, item in members]
        if attention is not None:
            check_heads(attention.heads, [item.gemm for item in items])
        cycles = simulate_block(items, accelerator, models=models, costs=costs, attention=attention)
        for model, block in cycles.items():
            found.blocks[model].append(block)
        for item in items:
            found.kept += item.mask.nnz + item.rank * (item.gemm.m + item.gemm.n)
            found.parameters += item.gemm.parameters
            found.tokens = item.gemm.tokens
        progress(stage, done, count)
    return found


def synthetic_block(
    shape: ModelShape, factors_inside_budget: bool, tokens: int, seed: int
) -> list[SparseLowRankGemm]:
    """One block at the paper's setting (p = 50%, r = 128) with Wanda-like synthetic masks.

    Args:
        shape: The model.
        factors_inside_budget: True: S keeps p minus the low-rank share (Section 4.2.3); False: S
            keeps p and the factors come on top (what the published sparse rows fit).
        tokens: Tokens per product.
        seed: Each projection's mask has its own seed derived from it.
    """
    return make_block(shape, PAPER_KEPT_FRACTION, PAPER_RANK, tokens, seed, factors_inside_budget)


def reproduce_table4(
    accelerator: Accelerator,
    models: Sequence[Model],
    tokens: int = 1,
    seed: int = 0,
    progress: Progress = silent,
    context: int | None = None,
) -> tuple[list[Table], list[dict[str, Any]], list[Curve]]:
    """The published accelerator table beside ours, and the published model over its threshold.

    Returns:
        Both tables, the full results with their budget reading, and the curves of the second table;
        without the model ``published`` neither second table nor curves.
    """
    results: list[tuple[str, dict[str, Any]]] = []
    curves: list[Curve] = []
    total = len(TABLE4_MODELS) * len(READINGS) * len(models)
    for name in TABLE4_MODELS:
        shape = load_model(name)
        heads = Heads(shape.heads, shape.kv_heads, shape.head_dim)
        attention = ContextAttention(heads, tokens, context) if context else None
        for reading, inside in READINGS.items():
            block = synthetic_block(shape, inside, tokens, seed)
            subject = Subject(
                name, "sslc", PAPER_KEPT_FRACTION, f"synthetic (wanda-lognormal, seed {seed})"
            )
            found = block_curves(name, reading, block, accelerator)
            curves += found if "published" in models else []
            progress("reproduce table4", len(results), total)
            cycles = simulate_block(block, accelerator, models=models, attention=attention)
            for model in models:
                result = _result(subject, accelerator, tokens, [cycles[model]], attention)
                if model == "published":
                    result["curves"] = {curve.module: curve.to_dict() for curve in found}
                results.append((reading, result))
    progress("reproduce table4", total, total)
    table = build_table4(results, published_table4())
    note = f"Ours: masks {results[0][1]['subject']['masks']}, {tokens} tokens, {accelerator.name}."
    added = (CONTEXT_NOTE,) if context else ()
    table = replace(table, notes=(note, *added, *table.notes))
    tables = [table, curve_table(curves, published_table4())] if curves else [table]
    full = [{"budget_reading": reading, **result} for reading, result in results]
    return tables, full, curves
