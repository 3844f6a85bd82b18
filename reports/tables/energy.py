"""Energy and area of simulated cycles, as a table."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from reports.stored.files import module_name
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES

_PARTS = ("mac", "decode", "sram", "dram", "link")
_RUNS = {"dense": "dense", "sum": "compressed"}
_PJ_PER_UJ = 1e6


def energy_table(results: Iterable[dict[str, Any]]) -> Table:
    """Energy of one block (the mean over all) by module and part, dense and compressed.

    Args:
        results: From ``speedup.cycles_result``; those of models without energies have no rows, and
            the compiled model repeats the event model's.
    """
    rows: dict[tuple[Cell, ...], tuple[Cell, ...]] = {}
    for result in results:
        subject = result["subject"]
        blocks = [block for block in result["blocks"] if block.get("energy")]
        for module in MODULES:
            found = [block["energy"][module] for block in blocks if module in block["energy"]]
            if not found:
                continue
            means = {run: _mean([energies[run] for energies in found]) for run in _RUNS}
            for run, name in _RUNS.items():
                label = (subject["model"], subject["method"], module_name(result, module))
                where = (result["accelerator"], blocks[0]["cost_table"], result["tokens"], name)
                cells = (means[run][part] / _PJ_PER_UJ for part in (*_PARTS, "total_pj"))
                saved = means["dense"]["total_pj"] / means[run]["total_pj"]
                area = blocks[0]["area"]["total_mm2"]
                rows[(*label, *where)] = (*label, *where, *cells, saved, area)
    columns = (
        *(Column(name) for name in ("Model", "Method", "Module", "Accelerator", "Costs")),
        *(Column(name) for name in ("Tokens", "Run")),
        *(Column(f"{name} (uJ)", ",.2f") for name in ("MAC", "Decode", "SRAM", "DRAM", "Link")),
        Column("Total (uJ)", ",.1f"),
        Column("Dense / run", ".2f"),
        Column("Area (mm2)", ",.2f"),
    )
    notes = (
        "Simulated action counts times the table named under Costs; no leakage, clock tree or "
        "control. Area: MACs, index decoders and buffers.",
    )
    title = "Energy of one block by module, mean over the simulated blocks"
    return Table("energy", title, columns, tuple(rows.values()), notes)


def _mean(energies: list[dict[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for energy in energies:
        total.update(energy)
    return {name: value / len(energies) for name, value in total.items()}
