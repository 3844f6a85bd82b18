"""Attention with fixed sparse masks, stage by stage, as a table."""

from collections import Counter
from collections.abc import Sequence

from accelerator_sim.attention.attention_result import STAGES, AttentionResult, StageCycles
from reports.tables.cycles import MODEL_NOTES
from workloads.results.table import Cell, Column, Table
from workloads.support.wording import counted

_COLUMNS = (
    Column("Stage"),
    Column("Cycles are"),
    Column("Dense", ",.1f"),
    Column("Sparse", ",.1f"),
    Column("Speedup", ".2f"),
    Column("Dense (us)", ",.2f"),
    Column("Sparse (us)", ",.2f"),
    Column("Denser columns", ".1f"),
    Column("Denser lines", ".1f"),
    Column("Utilisation", ".1%"),
    Column("Largest loss"),
)


def attention_table(results: Sequence[AttentionResult]) -> Table:
    """Stages of attention, dense against sparse, for each cycle model.

    Args:
        results: At least one, all about the same masks and machine.
    """
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        per_us = float(result.identity.machine.fields["clock_hz"]) / 1e6
        stages = [(STAGES[name], stage) for name, stage in result.stages.items()]
        for label, stage in (*stages, ("all", result.total)):
            times = (stage.dense_cycles / per_us, stage.sparse_cycles / per_us)
            cycles = (stage.dense_cycles, stage.sparse_cycles, stage.speedup)
            rows.append((label, result.basis, *cycles, *times, *_detail(stage)))
    identity = results[0].identity
    title = f"Attention of {identity.shape.name}, all heads of all layers, on "
    return Table(
        "attention", title + identity.machine.label, _COLUMNS, tuple(rows), _notes(results[0])
    )


def _detail(stage: StageCycles) -> tuple[Cell, ...]:
    detail = stage.detail
    if detail is None:
        return (None, None, None, None)
    counts: Counter[str] = Counter()
    for account in detail.stalls.values():
        counts.update(account)
    whole = counts.total()
    del counts["compute"]
    [(reason, cycles)] = counts.most_common(1)
    loss = f"{reason.replace('_', ' ')} {cycles / whole:.0%}" if whole else None
    return (detail.dense_columns_per_head, detail.denser_lines_per_head, detail.utilisation, loss)


def _notes(result: AttentionResult) -> tuple[str, ...]:
    shape, identity = result.identity.shape, result.identity
    heads = shape.layers * shape.heads
    threshold = identity.machine.fields["dense_threshold"]
    dense = "stay" if result.dense_scores_stay else "leave"
    return (
        f"Masks: {identity.masks}; {result.kept_fraction:.2%} of {shape.tokens} x {shape.tokens} "
        f"scores kept, {counted(heads, 'head')} of {shape.head_dim}, one after the other.",
        f"Denser columns: keys that more than {threshold:g} of the queries see (--set "
        "dense_threshold). Columns and lines are means over heads; these, utilisation and loss are "
        "of the sparse run.",
        f"Scores stay on chip in {result.heads_whose_scores_stay} of {counted(heads, 'head')}. "
        f"Dense: every score, on all lines, without an index; its scores {dense}.",
        f"Cycles are those of {identity.machine.bits} bits (weights/factors/activations).",
        "The published model counts no softmax and no memory.",
        *MODEL_NOTES,
    )
