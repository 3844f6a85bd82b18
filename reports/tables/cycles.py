"""Paper-style tables: cycles by module, runtimes by module, perplexities."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from accelerator_sim.models.cycles import BlockCycles
from reports.measured import Device, ProjectionRuntime
from reports.paper.published import TABLE4_NOTES, TITLE, PublishedCycles
from reports.stored.files import Subject, module_name
from workloads.results.codec import to_json
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES

PROVENANCE = {
    "published": "analytic (published)",
    "roofline": "analytic (roofline)",
    "event": "simulated (event)",
    "compiled": "simulated (compiled)",
}
SIMULATED = ("event", "compiled")
MODEL_NOTES = (
    "analytic (published): compute cycles only, perfect balance, no index, tile or memory cost.",
    "analytic (roofline): the larger of compute and DRAM time per projection; nothing may beat it.",
    "simulated (event): discrete-event run with DRAM, buffers, both engines and their stalls; "
    "simulated (compiled) is the same model compiled, number for number.",
)
CONTEXT_NOTE = (
    "context N: MHA includes attention over N tokens (Q K, softmax, A V), the same dense and "
    "compressed; every query meets every key, none is skipped by causality; K and V are as wide as "
    "activations; the published model counts no softmax."
)
_CYCLE_COLUMNS = (
    Column("Dense", ",.1f"),
    Column("Sparse", ",.1f"),
    Column("Low-rank", ",.1f"),
    Column("Sum", ",.1f"),
    Column("Speedup", ".2f"),
)


def cycles_result(
    subject: Subject, accelerator: str, tokens: int, blocks: Sequence[BlockCycles]
) -> dict[str, Any]:
    """Cycles of every simulated block, with the mean per block and the total by module.

    Args:
        subject: What was simulated.
        accelerator: Its name.
        tokens: Tokens per product.
        blocks: One entry per block, all from the same cycle model.
    """
    totals = {module: _sum_of(blocks, module) for module in MODULES}
    means = {
        module: {name: value / len(blocks) for name, value in total.items()}
        for module, total in totals.items()
    }
    return {
        "kind": "cycles",
        "subject": asdict(subject),
        "accelerator": accelerator,
        "cycle_model": blocks[0].model,
        "provenance": PROVENANCE[blocks[0].model],
        "tokens": tokens,
        "mean_per_block": means,
        "total": totals,
        "blocks": [to_json(block) for block in blocks],
    }


def _sum_of(blocks: Sequence[BlockCycles], module: str) -> dict[str, float]:
    modules = [block.modules[module] for block in blocks if module in block.modules]
    return {
        name: sum(getattr(entry, name) for entry in modules)
        for name in ("dense_cycles", "sparse_cycles", "low_rank_cycles", "sum_cycles")
    }


def _cycle_cells(cycles: dict[str, float]) -> tuple[Cell, ...]:
    names = ("dense_cycles", "sparse_cycles", "low_rank_cycles", "sum_cycles")
    speedup = cycles["dense_cycles"] / cycles["sum_cycles"] if cycles["sum_cycles"] else None
    return (*(cycles[name] for name in names), speedup)


def speedup_table(results: Iterable[dict[str, Any]], name: str = "speedup") -> Table:
    """MHA and FFN cycles of one block (the mean over all), as the published table has them.

    Args:
        results: From ``cycles_result``, possibly read back from files.
        name: Of the table.
    """
    rows: list[tuple[Cell, ...]] = []
    notes: tuple[str, ...] = MODEL_NOTES
    for result in sorted(results, key=lambda result: list(PROVENANCE).index(result["cycle_model"])):
        if result.get("context"):
            notes = (*MODEL_NOTES, CONTEXT_NOTE)
        for module in MODULES:
            cycles = result["mean_per_block"][module]
            if not cycles["dense_cycles"]:
                continue
            subject = result["subject"]
            label = (subject["model"], subject["method"], module_name(result, module))
            machine = (result["accelerator"], result["tokens"], result["provenance"])
            rows.append((*label, *machine, *_cycle_cells(cycles), subject["masks"]))
    columns = (
        *(Column(name) for name in ("Model", "Method", "Module", "Accelerator", "Tokens")),
        Column("Cycles are"),
        *_CYCLE_COLUMNS,
        Column("Masks"),
    )
    title = "Cycles of one block by module, mean over the simulated blocks"
    return Table(name, title, columns, tuple(rows), notes)


def table4(
    results: Iterable[tuple[str, dict[str, Any]]], published: list[PublishedCycles]
) -> Table:
    """The published accelerator table beside ours.

    Args:
        results: Budget reading and ``cycles_result`` of one block, for each reading and model.
        published: The paper's rows.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            row.model,
            row.module,
            f"published ({TITLE})",
            "as printed",
            row.dense_cycles,
            row.sparse_cycles,
            row.low_rank_cycles,
            row.sum_cycles,
            row.speedup,
        )
        for row in published
    ]
    for reading, result in results:
        for module, cycles in result["mean_per_block"].items():
            model, label = result["subject"]["model"], module_name(result, module)
            rows.append((model, label, result["provenance"], reading, *_cycle_cells(cycles)))
    order = {row.model: place for place, row in enumerate(reversed(published))}
    rows.sort(key=lambda row: (-order.get(str(row[0]), -1), not str(row[1]).startswith("MHA")))
    columns = (
        *(Column(name) for name in ("Model", "Module", "Cycles are", "Budget reading")),
        *_CYCLE_COLUMNS,
    )
    title = "Cycles of one block for one token, published and ours"
    return Table("table4", title, columns, tuple(rows), (*TABLE4_NOTES, *MODEL_NOTES))


def runtime_result(
    subject: Subject, device: Device, runtimes: Sequence[ProjectionRuntime]
) -> dict[str, Any]:
    """Measured runtimes with the device they were measured on."""
    return {
        "kind": "runtime",
        "subject": asdict(subject),
        "device": asdict(device),
        "provenance": "measured",
        "projections": [asdict(runtime) for runtime in runtimes],
    }


def runtime_table(results: Iterable[dict[str, Any]]) -> Table:
    """Measured runtimes of one block by module (the mean over the measured blocks)."""
    rows: list[tuple[Cell, ...]] = []
    devices = set()
    for result in results:
        device = result["device"]
        devices.add(
            f"{device['name']}, {device['threads']} threads, torch {device['torch_version']}"
        )
        measured = result["projections"]
        blocks = len({entry["block"] for entry in measured})
        for tokens in sorted({entry["tokens"] for entry in measured}):
            for module in MODULES:
                chosen = [e for e in measured if (e["tokens"], e["module"]) == (tokens, module)]
                if chosen:
                    subject = result["subject"]
                    label = (subject["model"], subject["method"], module, tokens)
                    rows.append((*label, *_runtime_cells(chosen, blocks)))
    columns = (
        *(Column(name) for name in ("Model", "Method", "Module", "Tokens")),
        *(Column(f"{name} (us)", ",.1f") for name in ("Dense", "Sparse", "Low-rank", "Sum")),
        Column("Speedup", ".2f"),
        Column("Verdict"),
    )
    notes = (
        *(f"Measured on: {device}." for device in sorted(devices)),
        "float32; Sparse is torch's CSR product with S, Low-rank is U (V^T X); a speedup below 1 "
        "is a slowdown.",
    )
    title = "Measured runtime of one block by module"
    return Table("runtime", title, columns, tuple(rows), notes)


def _runtime_cells(entries: list[dict[str, Any]], blocks: int) -> tuple[Cell, ...]:
    dense, sparse, low_rank = (
        sum(entry[f"{part}_seconds"] for entry in entries) / blocks * 1e6
        for part in ("dense", "sparse", "low_rank")
    )
    whole = sparse + low_rank
    verdict = "faster" if whole < dense else "slower"
    return (dense, sparse, low_rank, whole, dense / whole, verdict)


def perplexity_table(results: Iterable[dict[str, Any]]) -> Table:
    """Perplexities of models and methods on the same text."""
    rows = tuple(
        (
            result["subject"]["model"],
            result["subject"]["method"],
            result["subject"]["kept_fraction"],
            result["perplexity"],
            result["text"],
            result["predicted_tokens"],
            result["window_tokens"],
            result["stride_tokens"],
            "measured",
        )
        for result in results
    )
    columns = (
        Column("Model"),
        Column("Method"),
        Column("Kept", ".0%"),
        Column("Perplexity", ".2f"),
        Column("Text"),
        Column("Predicted", ",d"),
        Column("Window", ",d"),
        Column("Stride", ",d"),
        Column("Numbers are"),
    )
    notes = (
        "Perplexity over Predicted tokens, each seen after those before it in its window; windows "
        "start every Stride tokens, and do not overlap where Stride is the Window. Kept is the "
        "share of the projections' parameters, low-rank factors included.",
    )
    return Table("perplexity", "Perplexity on held-out text", columns, rows, notes)
