"""From an artifact, foreign masks, or a model's shapes with synthetic masks, to cycles."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from accelerator_sim.hardware import Accelerator
from accelerator_sim.result import BlockCycles
from accelerator_sim.simulate import Model, simulate_block
from reports.paper import table4 as published_table4
from reports.results import Subject, subject_of
from reports.speedup import cycles_result
from reports.speedup import table4 as build_table4
from reports.tables import Table
from workloads.artifact import Artifact
from workloads.catalog import load_model
from workloads.masks import SparseLowRankGemm
from workloads.progress import Progress, silent
from workloads.synthetic import synthetic_block as make_block
from workloads.transformer import ModelShape

PAPER_RANK = 128
PAPER_KEPT_FRACTION = 0.5
TABLE4_MODELS = ("llama2-7b", "qwen2.5-7b")
READINGS = {"S keeps p minus the low-rank share": True, "S keeps p": False}


def simulate_artifact(
    artifact: Artifact,
    model: Model,
    accelerator: Accelerator,
    tokens: int = 1,
    most_blocks: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Cycles of an artifact's blocks from its real masks.

    Args:
        artifact: The compressed model.
        model: One of ``accelerator_sim.simulate.MODELS``.
        accelerator: The machine.
        tokens: Tokens per product.
        most_blocks: Only the first so many blocks.
        progress: Told after every block.

    Returns:
        From ``speedup.cycles_result``.
    """
    count = min(len(artifact.blocks), most_blocks or len(artifact.blocks))
    found = _simulate(artifact.projections(tokens), count, (model,), accelerator, progress)
    return cycles_result(subject_of(artifact), accelerator.name, tokens, found.blocks[model])


def simulate_foreign(
    name: str,
    projections: Iterable[tuple[int, SparseLowRankGemm]],
    count: int,
    models: Sequence[Model],
    accelerator: Accelerator,
    progress: Progress = silent,
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

    Returns:
        One ``speedup.cycles_result`` per model.
    """
    found = _simulate(projections, count, models, accelerator, progress)
    subject = Subject(name, "as given", found.kept / found.parameters, f"real ({name})")
    return [
        cycles_result(subject, accelerator.name, found.tokens, found.blocks[model])
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
) -> _Found:
    found = _Found({model: [] for model in models})
    stage = f"simulate ({', '.join(models)})"
    progress(stage, 0, count)
    by_block = itertools.groupby(projections, key=lambda item: item[0])
    for done, (_, members) in enumerate(itertools.islice(by_block, count), start=1):
        items = [item for _, item in members]
        for model in models:
            found.blocks[model].append(simulate_block(model, items, accelerator))
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
) -> tuple[Table, list[dict[str, Any]]]:
    """The published accelerator table beside ours.

    Returns:
        The table, and the full results with their budget reading.
    """
    results: list[tuple[str, dict[str, Any]]] = []
    total = len(TABLE4_MODELS) * len(READINGS) * len(models)
    for name in TABLE4_MODELS:
        shape = load_model(name)
        for reading, inside in READINGS.items():
            block = synthetic_block(shape, inside, tokens, seed)
            subject = Subject(
                name, "sslc", PAPER_KEPT_FRACTION, f"synthetic (wanda-lognormal, seed {seed})"
            )
            for model in models:
                progress("reproduce table4", len(results), total)
                cycles: BlockCycles = simulate_block(model, block, accelerator)
                result = cycles_result(subject, accelerator.name, tokens, [cycles])
                results.append((reading, result))
    progress("reproduce table4", total, total)
    table = build_table4(results, published_table4())
    note = f"Ours: masks {results[0][1]['subject']['masks']}, {tokens} tokens, {accelerator.name}."
    table = replace(table, notes=(note, *table.notes))
    return table, [{"budget_reading": reading, **result} for reading, result in results]
