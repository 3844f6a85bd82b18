"""Why simulated runs take as long as they do, as a table: utilisation, roofline, what binds."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from accelerator_sim.models.cycles_result import SIMULATED, CyclesResult, module_label
from accelerator_sim.simulation.binding import binding
from accelerator_sim.simulation.result import EventResult
from reports.tables.labels import columns, cycle_differences, cycle_labels, split
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES, Module

RunField = Literal["dense_run", "sparse_run", "sum_run"]
RUN_NAMES: dict[RunField, str] = {"dense_run": "dense", "sum_run": "compressed"}
"""Runs that are told apart, and what they are called."""
_BYTES_PER_MB = 1e6
_TITLE = "Where the time of a block goes, by module"
_COLUMNS = (
    *(Column(name) for name in ("Model", "Method", "Module", "Accelerator", "Tokens", "Run")),
    Column("Utilisation", ".1%"),
    Column("Bound / cycles", ".1%"),
    Column("DRAM (MB)", ",.2f"),
    Column("Refetched (MB)", ",.2f"),
    Column("MACs/byte", ",.2f"),
    Column("Balance", ",.2f"),
    Column("Bound by"),
    Column("Binding"),
    Column("Share", ".0%"),
)
_NOTES = (
    "Simulated. Utilisation: MACs with kept weights and factors over all that fit. Bound: the "
    "roofline, which no run may beat; bound by memory where MACs/byte, every operand once, is "
    "less than the machine's balance. Binding: what takes most line cycles of both engines.",
    "DRAM: one block (mean), in whole bursts. Softmax is not in this table. --json has all "
    "this for every projection, with bytes by operand and line cycles by reason.",
)


def explained_table(results: Sequence[CyclesResult]) -> Table:
    """What binds each module of the simulated blocks, dense and compressed.

    Args:
        results: Those without simulated runs have no rows, and the compiled model repeats the
            event model's.
    """
    having = [result for result in results if result.identity.cycle_model in SIMULATED]
    varying, _ = split(cycle_differences(having))
    rows: dict[tuple[Cell, ...], tuple[Cell, ...]] = {}
    for index, (result, label) in enumerate(zip(having, cycle_labels(having), strict=True)):
        model, method, machine, tokens = label
        more = tuple(cells[index] for cells in varying.values())
        for module in MODULES:
            for field, name in RUN_NAMES.items():
                runs = runs_of(result, module, field)
                if runs:
                    head = (model, method, module_label(result, module))
                    where = (*head, machine, tokens, name)
                    rows[(*where, *more)] = (*where, *_cells(runs, len(result.blocks)), *more)
    return Table("explained", _TITLE, (*_COLUMNS, *columns(varying)), tuple(rows.values()), _NOTES)


def runs_of(result: CyclesResult, module: Module, field: RunField) -> list[EventResult]:
    """Simulated runs of a module's projections, over all blocks.

    Args:
        result: Of the model ``event`` or ``compiled``.
        module: MHA or FFN.
        field: Which run.
    """
    runs = [
        getattr(projection, field)
        for block in result.blocks
        for projection in block.projections
        if projection.module == module
    ]
    return [run for run in runs if run is not None]


def _cells(runs: Sequence[EventResult], blocks: int) -> tuple[Cell, ...]:
    cycles = sum(run.cycles for run in runs)
    macs = sum(run.roofline.macs for run in runs)
    once = sum(run.roofline.bytes for run in runs)
    balance = runs[0].roofline.balance_macs_per_byte
    binds = binding(dataclasses.asdict(account) for run in runs for account in run.stalls.values())
    return (
        sum(run.utilisation * run.cycles for run in runs) / cycles if cycles else None,
        sum(run.roofline_cycles for run in runs) / cycles if cycles else None,
        sum(run.traffic.total for run in runs) / blocks / _BYTES_PER_MB,
        sum(run.traffic.refetched for run in runs) / blocks / _BYTES_PER_MB,
        macs / once if once else None,
        balance,
        "memory" if macs < balance * once else "compute",
        binds.resource if binds else None,
        binds.share if binds else None,
    )
