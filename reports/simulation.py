"""From an artifact, or a model's shapes and synthetic masks, to simulated cycles."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
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
        model: ``published``, ``roofline`` or ``event``.
        accelerator: The machine.
        tokens: Tokens per product.
        most_blocks: Only the first so many blocks.
        progress: Told after every block.

    Returns:
        From ``speedup.cycles_result``.
    """
    by_block: dict[int, list[SparseLowRankGemm]] = defaultdict(list)
    for index, projection in artifact.projections(tokens):
        if most_blocks is None or index < most_blocks:
            by_block[index].append(projection)
    blocks = []
    for index, projections in by_block.items():
        progress(f"simulate ({model})", index, len(by_block))
        blocks.append(simulate_block(model, projections, accelerator))
    progress(f"simulate ({model})", len(by_block), len(by_block))
    return cycles_result(subject_of(artifact), accelerator.name, tokens, blocks)


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
