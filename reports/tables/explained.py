"""Why simulated runs take as long as they do, as a table: utilisation, roofline, what binds."""

from collections.abc import Iterable, Mapping
from typing import Any

from accelerator_sim.simulation.binding import binding
from reports.stored.files import module_name
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES

_RUNS = {"dense_run": "dense", "sum_run": "compressed"}
_BYTES_PER_MB = 1e6


def explained_table(results: Iterable[dict[str, Any]]) -> Table:
    """What binds each module of the simulated blocks, dense and compressed.

    Args:
        results: From ``speedup.cycles_result``; those without simulated runs have no rows, and the
            compiled model repeats the event model's.
    """
    rows: dict[tuple[Cell, ...], tuple[Cell, ...]] = {}
    for result in results:
        subject = result["subject"]
        for module in MODULES:
            for run, name in _RUNS.items():
                found = list(_runs(result, module, run))
                if not found:
                    continue
                label = (subject["model"], subject["method"], module_name(result, module))
                where = (*label, result["accelerator"], result["tokens"], name)
                rows[where] = (*where, *_cells(found, len(result["blocks"])))
    columns = (
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
    notes = (
        "Simulated. Utilisation: MACs with kept weights and factors over all that fit. Bound: the "
        "roofline, which no run may beat; bound by memory where MACs/byte, every operand once, is "
        "less than the machine's balance. Binding: what takes most line cycles of both engines.",
        "DRAM: one block (mean), in whole bursts. Softmax is not in this table. --json has all "
        "this for every projection, with bytes by operand and line cycles by reason.",
    )
    title = "Where the time of a block goes, by module"
    return Table("explained", title, columns, tuple(rows.values()), notes)


def _runs(result: Mapping[str, Any], module: str, run: str) -> Iterable[dict[str, Any]]:
    """Simulated runs of a module's projections; older files have no roofline."""
    for block in result["blocks"]:
        for projection in block["projections"]:
            if projection["module"] == module and projection.get(run):
                yield projection[run]


def _cells(runs: list[dict[str, Any]], blocks: int) -> tuple[Cell, ...]:
    cycles = sum(run["cycles"] for run in runs)
    macs = sum(run["roofline"]["macs"] for run in runs)
    once = sum(run["roofline"]["bytes"] for run in runs)
    balance = runs[0]["roofline"]["balance_macs_per_byte"]
    most = binding(run[engine] for run in runs for engine in ("denser", "sparser"))
    return (
        sum(run["utilisation"] * run["cycles"] for run in runs) / cycles,
        sum(run["roofline_cycles"] for run in runs) / cycles,
        sum(run["traffic"]["total"] for run in runs) / blocks / _BYTES_PER_MB,
        sum(run["traffic"]["refetched"] for run in runs) / blocks / _BYTES_PER_MB,
        macs / once if once else None,
        balance,
        "memory" if macs < balance * once else "compute",
        most.resource if most else None,
        most.share if most else None,
    )
