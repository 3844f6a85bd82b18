"""Table 4 of the paper, the accelerator's: the printed rows beside ours, for the paper's models."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from accelerator_sim import simulate
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.models.by_name import Model
from accelerator_sim.models.cycles_result import (
    CYCLE_COLUMNS,
    CyclesResult,
    cycle_cells,
    module_label,
)
from accelerator_sim.sources import Source
from reports.paper.curve import Curve, block_curves, curve_table
from reports.paper.published import TABLE4_NOTES, TITLE, PublishedCycles
from reports.paper.published import table4 as published_table4
from reports.tables.cycles import CONTEXT_NOTE, MODEL_NOTES, SECONDS_NOTE
from reports.tables.labels import bits_note
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import synthetic_block as make_block
from workloads.results.identity import Subject
from workloads.results.table import Cell, Column, Table
from workloads.shapes.attention import Heads
from workloads.shapes.transformer import ModelShape, load_model
from workloads.support.progress import Progress, silent
from workloads.support.wording import counted

PAPER_RANK = 128
PAPER_KEPT_FRACTION = 0.5
MODELS = ("llama2-7b", "qwen2.5-7b")
READINGS = {"S keeps p minus the low-rank share": True, "S keeps p": False}
"""How the budget p may be read: whether the factors are paid for inside it."""


@dataclass(frozen=True)
class Reading:
    """Cycles under one reading of the budget.

    Attributes:
        budget_reading: One of ``READINGS``.
        result: The cycles.
        curves: The published model of S over its threshold, for that cycle model only.
    """

    DERIVED: ClassVar = ()

    budget_reading: str
    result: CyclesResult
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class Table4:
    """The table made anew.

    Attributes:
        tables: Ours beside the printed rows; the published model over its threshold, if it ran.
        readings: Everything behind them.
        curves: Of the second table.
    """

    tables: tuple[Table, ...]
    readings: tuple[Reading, ...]
    curves: tuple[Curve, ...]


def synthetic_block(
    shape: ModelShape, factors_inside_budget: bool, *, tokens: int = 1, seed: int = 0
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
    *,
    tokens: int = 1,
    seed: int = 0,
    context: int | None = None,
    progress: Progress = silent,
) -> Table4:
    """The published accelerator table beside ours, and the published model over its threshold.

    Args:
        accelerator: The machine.
        models: Cycle models.
        tokens: Tokens per product.
        seed: Of the synthetic masks.
        context: Attention over so many tokens as part of MHA; None without.
        progress: Told after every block.
    """
    readings: list[Reading] = []
    curves: list[Curve] = []
    total = len(MODELS) * len(READINGS) * len(models)
    for name in MODELS:
        shape = load_model(name)
        for reading, inside in READINGS.items():
            block = synthetic_block(shape, inside, tokens=tokens, seed=seed)
            own = tuple(block_curves(name, reading, block, accelerator))
            own = own if "published" in models else ()
            curves += own
            progress("reproduce table4", len(readings), total)
            source = _source(shape, block, seed=seed, reading=reading)
            for result in simulate(source, accelerator, models=models, context=context):
                kept = own if result.identity.cycle_model == "published" else ()
                readings.append(Reading(reading, result, kept))
    progress("reproduce table4", total, total)
    table = table4(readings, published_table4())
    first = readings[0].result.identity
    note = f"Ours: masks {first.subject.masks}, {counted(tokens, 'token')}, {first.machine.label}."
    added = (CONTEXT_NOTE,) if context else ()
    table = replace(table, notes=(note, *added, *table.notes))
    tables = (table, curve_table(curves, published_table4())) if curves else (table,)
    return Table4(tables, tuple(readings), tuple(curves))


def _source(
    shape: ModelShape, block: Sequence[SparseLowRankGemm], *, seed: int, reading: str
) -> Source:
    settings = {"rank": PAPER_RANK, "budget_reading": reading}
    masks = f"synthetic (wanda-lognormal, seed {seed})"
    return Source(
        projections=lambda _: iter([(0, item) for item in block]),
        blocks=1,
        of_blocks=shape.blocks,
        heads=lambda: Heads(shape.heads, shape.kv_heads, shape.head_dim),
        subject=lambda contents: Subject(
            shape.name, "sslc", PAPER_KEPT_FRACTION, masks, contents.sha256, settings=settings
        ),
    )


def table4(readings: Sequence[Reading], published: Sequence[PublishedCycles]) -> Table:
    """The published accelerator table beside ours.

    Args:
        readings: One block each, for every reading and cycle model.
        published: The paper's rows, which have cycles only.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            row.model, row.module, f"published ({TITLE})", "as printed", row.dense_cycles,
            row.sparse_cycles, row.low_rank_cycles, row.sum_cycles, row.speedup, None, None,
        )
        for row in published
    ]  # fmt: skip
    for reading in readings:
        result = reading.result
        for module, cycles in result.mean_per_block.items():
            head = (result.identity.subject.model, module_label(result, module), result.basis)
            cells = cycle_cells(cycles, result.clock_hz)
            rows.append((*head, reading.budget_reading, *cells))
    order = {row.model: place for place, row in enumerate(reversed(published))}
    rows.sort(key=lambda row: (-order.get(str(row[0]), -1), not str(row[1]).startswith("MHA")))
    columns = (
        *(Column(name) for name in ("Model", "Module", "Cycles are", "Budget reading")),
        *CYCLE_COLUMNS,
    )
    title = "Cycles of one block for one token, published and ours"
    bits = bits_note([reading.result for reading in readings])
    notes = (*TABLE4_NOTES, bits, SECONDS_NOTE, *MODEL_NOTES)
    return Table("table4", title, columns, tuple(rows), notes)
