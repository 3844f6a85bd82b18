"""Attention with fixed sparse masks, from heads' cycles to a result and a table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from accelerator_sim.attention.masked import HeadCycles
from accelerator_sim.attention.sampled import scores_stay
from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.models.by_name import Model
from accelerator_sim.models.cycles import ProjectionCycles
from accelerator_sim.simulation.result import EventResult
from reports.tables.cycles import MODEL_NOTES, PROVENANCE
from workloads.results.codec import to_json
from workloads.results.table import Cell, Column, Table
from workloads.shapes.attention import VitShape

STAGES = {"sddmm": "Q K (SDDMM)", "softmax": "softmax", "spmm": "A V (SpMM)"}
_Counted = tuple[int, ProjectionCycles]


def attention_result(
    shape: VitShape,
    masks: str,
    accelerator: Accelerator,
    model: Model,
    heads: Sequence[HeadCycles],
) -> dict[str, Any]:
    """Cycles of all heads by stage, with every head's own.

    Args:
        shape: The model.
        masks: Where they come from.
        accelerator: The machine.
        model: Cycle model.
        heads: From ``accelerator_sim.attention.masked``.
    """
    count = sum(head.repeats for head in heads)
    places = sum(head.repeats * head.kept_scores for head in heads)
    stages = {
        name: _stage(found)
        for name in STAGES
        if (found := [(h.repeats, s) for h in heads for s in h.stages if s.name == name])
    }
    total = {
        field: sum(stage[field] for stage in stages.values())
        for field in ("dense_cycles", "sparse_cycles")
    }
    return {
        "kind": "attention",
        "model": shape.name,
        "shape": asdict(shape),
        "masks": masks,
        "kept_fraction": places / (count * shape.tokens**2),
        "accelerator": accelerator.name,
        "dense_threshold": accelerator.dense_threshold,
        "cycle_model": model,
        "provenance": PROVENANCE[model],
        "heads_whose_scores_stay": sum(head.repeats for head in heads if head.scores_stay),
        "dense_scores_stay": scores_stay(shape.tokens**2, accelerator),
        "stages": stages,
        "total": {**total, "speedup": total["dense_cycles"] / total["sparse_cycles"]},
        "heads": [to_json(head) for head in heads],
    }


def _stage(found: Sequence[_Counted]) -> dict[str, Any]:
    """Sums over heads; with detail where the stage was simulated."""
    dense = sum(repeats * stage.dense_cycles for repeats, stage in found)
    sparse = sum(repeats * stage.sum_cycles for repeats, stage in found)
    cycles = {"dense_cycles": dense, "sparse_cycles": sparse, "speedup": dense / sparse}
    runs = [(repeats, stage.sum_run) for repeats, stage in found if stage.sum_run is not None]
    return {**cycles, **_detail(runs)} if runs else cycles


def _detail(runs: Sequence[tuple[int, EventResult]]) -> dict[str, Any]:
    heads = sum(repeats for repeats, _ in runs)
    cycles = sum(repeats * run.cycles for repeats, run in runs)
    stalls: dict[str, Counter[str]] = {"denser": Counter(), "sparser": Counter()}
    traffic: Counter[str] = Counter()
    for repeats, run in runs:
        whole = run.times(repeats)
        traffic.update(asdict(whole.traffic))
        for engine, account in whole.stalls.items():
            stalls[engine].update(asdict(account))
    return {
        "dense_columns_per_head": sum(n * run.dense_columns for n, run in runs) / heads,
        "denser_lines_per_head": sum(n * run.denser_lines for n, run in runs) / heads,
        "utilisation": sum(n * run.utilisation * run.cycles for n, run in runs) / cycles,
        "stalls": {engine: dict(account) for engine, account in stalls.items()},
        "traffic": dict(traffic),
    }


def attention_table(results: Iterable[dict[str, Any]]) -> Table:
    """Stages of attention, dense against sparse, for each cycle model.

    Args:
        results: From ``attention_result``, at least one, all about the same masks and machine.
    """
    found = list(results)
    rows: list[tuple[Cell, ...]] = []
    for result in found:
        stages = [(STAGES[name], stage) for name, stage in result["stages"].items()]
        for label, stage in (*stages, ("all", result["total"])):
            cycles = (stage[name] for name in ("dense_cycles", "sparse_cycles", "speedup"))
            detail = ("dense_columns_per_head", "denser_lines_per_head", "utilisation")
            where = (label, result["provenance"])
            rows.append((*where, *cycles, *(stage.get(name) for name in detail), _loss(stage)))
    columns = (
        Column("Stage"),
        Column("Cycles are"),
        Column("Dense", ",.1f"),
        Column("Sparse", ",.1f"),
        Column("Speedup", ".2f"),
        Column("Denser columns", ".1f"),
        Column("Denser lines", ".1f"),
        Column("Utilisation", ".1%"),
        Column("Largest loss"),
    )
    first = found[0]
    title = f"Attention of {first['model']}, all heads of all layers, on {first['accelerator']}"
    return Table("attention", title, columns, tuple(rows), _notes(first))


def _loss(stage: dict[str, Any]) -> str | None:
    """The reason, other than compute, that takes most line cycles of both engines."""
    if "stalls" not in stage:
        return None
    counts: Counter[str] = Counter()
    for account in stage["stalls"].values():
        counts.update(account)
    whole = counts.total()
    del counts["compute"]
    [(reason, cycles)] = counts.most_common(1)
    return f"{reason.replace('_', ' ')} {cycles / whole:.0%}"


def _notes(result: dict[str, Any]) -> tuple[str, ...]:
    shape = result["shape"]
    tokens, heads = shape["tokens"], shape["layers"] * shape["heads"]
    kept, threshold = result["kept_fraction"], result["dense_threshold"]
    dense = "stay" if result["dense_scores_stay"] else "leave"
    return (
        f"Masks: {result['masks']}; {kept:.2%} of {tokens} x {tokens} scores kept, {heads} heads "
        f"of {shape['head_dim']}, one after the other.",
        f"Denser columns: keys that more than {threshold:g} of the queries see (--set "
        "dense_threshold). Columns and lines are means over heads; these, utilisation and loss are "
        "of the sparse run.",
        f"Scores stay on chip in {result['heads_whose_scores_stay']} of {heads} heads. Dense: "
        f"every score, on all lines, without an index; its scores {dense}.",
        "The published model counts no softmax and no memory.",
        *MODEL_NOTES,
    )
