"""Cycles and time by module, as the published table has them; tokens a second of whole models."""

from collections.abc import Sequence

from accelerator_sim.models.cycles_result import (
    CYCLE_COLUMNS,
    CyclesResult,
    cycle_cells,
    in_order,
    module_label,
)
from reports.tables.labels import bits_note, columns, cycle_differences, cycle_labels, split
from workloads.results.table import Cell, Column, Table

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
SECONDS_NOTE = "us: cycles over the machine's clock."
_LABELS = tuple(Column(name) for name in ("Model", "Method", "Module", "Accelerator", "Tokens"))


def speedup_table(results: Sequence[CyclesResult], name: str = "speedup") -> Table:
    """MHA and FFN cycles of one block (the mean over all), as the published table has them.

    Args:
        results: Of any models, machines and settings; what differs gets a column.
        name: Of the table.
    """
    ordered = in_order(results)
    labels, (varying, shared) = cycle_labels(ordered), split(cycle_differences(ordered))
    rows: list[tuple[Cell, ...]] = []
    for index, result in enumerate(ordered):
        model, method, machine, tokens = labels[index]
        more = tuple(cells[index] for cells in varying.values())
        for module, cycles in result.mean_per_block.items():
            head = (model, method, module_label(result, module), machine, tokens, result.basis)
            rows.append((*head, *cycle_cells(cycles, result.clock_hz), *more))
    heading = (*_LABELS, Column("Cycles are"), *CYCLE_COLUMNS, *columns(varying))
    title = "Cycles of one block by module, mean over the simulated blocks"
    return Table(name, title, heading, tuple(rows), _notes(ordered, shared))


def whole_model_table(results: Sequence[CyclesResult]) -> Table:
    """Time and tokens a second of all blocks, of those results that have every block.

    Args:
        results: As for ``speedup_table``.
    """
    whole = [result for result in in_order(results) if result.tokens_per_second is not None]
    labels, (varying, shared) = cycle_labels(whole), split(cycle_differences(whole))
    varying.pop("Context", None)  # every row says it
    rows: list[tuple[Cell, ...]] = []
    for index, result in enumerate(whole):
        model, method, machine, tokens = labels[index]
        rates = result.tokens_per_second or {}
        tokens_of = result.identity.workload.tokens
        seconds = [1e3 * tokens_of / rate for rate in rates.values()]
        if len(rates) < 2:
            continue
        context = result.identity.workload.context
        more = tuple(cells[index] for cells in varying.values())
        head = (model, method, machine, tokens, context, result.basis)
        rows.append((*head, *seconds, *rates.values(), seconds[0] / seconds[1], *more))
    heading = (
        *(Column(name) for name in ("Model", "Method", "Accelerator", "Tokens", "Context")),
        Column("Time is"),
        Column("Dense (ms)", ",.3f"),
        Column("Sum (ms)", ",.3f"),
        Column("Dense tokens/s", ",.1f"),
        Column("Sum tokens/s", ",.1f"),
        Column("Speedup", ".2f"),
        *columns(varying),
    )
    notes = (
        "Projections of all blocks, one after the other, with attention where a context is named; "
        "without embeddings, norms and head, which are the same dense and compressed.",
        *_shared_notes(shared),
    )
    title = "Time and tokens a second of all blocks"
    return Table("whole-model", title, heading, tuple(rows), notes)


def _notes(results: Sequence[CyclesResult], shared: dict[str, Cell]) -> tuple[str, ...]:
    context = any(result.identity.workload.context for result in results)
    notes = (bits_note(results), SECONDS_NOTE, *MODEL_NOTES) if results else ()
    return (*notes, *((CONTEXT_NOTE,) if context else ()), *_shared_notes(shared))


def _shared_notes(shared: dict[str, Cell]) -> tuple[str, ...]:
    told = {name: value for name, value in shared.items() if name in ("Blocks", "Masks", "Version")}
    return ("; ".join(f"{name}: {value}" for name, value in told.items()) + ".",) if told else ()
