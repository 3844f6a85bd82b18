"""Energy and area of simulated cycles, as a table."""

import dataclasses
from collections.abc import Sequence

from accelerator_sim.models.cycles import BlockCycles, Run
from accelerator_sim.models.cycles_result import CyclesResult, module_label
from accelerator_sim.models.energy import Energy
from reports.tables.labels import columns, cycle_differences, cycle_labels, split
from workloads.results.table import Cell, Column, Table
from workloads.shapes.gemm import MODULES, Module

_RUNS: dict[Run, str] = {"dense": "dense", "sum": "compressed"}
_PARTS = tuple(field.name for field in dataclasses.fields(Energy))
_PJ_PER_UJ = 1e6


def energy_table(results: Sequence[CyclesResult]) -> Table:
    """Energy of one block (the mean over all) by module and part, dense and compressed.

    Args:
        results: Those of models without energies have no rows, and the compiled model repeats the
            event model's.
    """
    having = [r for r in results if any(block.energy for block in r.blocks)]
    differences = {k: v for k, v in cycle_differences(having).items() if k != "Costs"}
    varying, _ = split(differences)
    rows: dict[tuple[Cell, ...], tuple[Cell, ...]] = {}
    costs = cycle_differences(having)["Costs"]
    for index, (result, label) in enumerate(zip(having, cycle_labels(having), strict=True)):
        model, method, machine, tokens = label
        more = tuple(cells[index] for cells in varying.values())
        for module in MODULES:
            means = _means(result.blocks, module)
            for run, name in _RUNS.items():
                if run not in means:
                    continue
                head = (model, method, module_label(result, module), machine, costs[index])
                where = (*head, tokens, name)
                rows[(*where, *more)] = (*where, *_cells(means, run), _area(result), *more)
    return Table("energy", _TITLE, (*_COLUMNS, *columns(varying)), tuple(rows.values()), _NOTES)


_TITLE = "Energy of one block by module, mean over the simulated blocks"
_COLUMNS = (
    *(Column(name) for name in ("Model", "Method", "Module", "Accelerator", "Costs")),
    *(Column(name) for name in ("Tokens", "Run")),
    *(
        Column(f"{name} (uJ)", ",.2f")
        for name in ("MAC", "Decode", "SRAM", "DRAM", "Link", "Gather", "Static")
    ),
    Column("Total (uJ)", ",.1f"),
    Column("Dense / run", ".2f"),
    Column("Area (mm2)", ",.2f"),
)
_NOTES = (
    "Simulated action counts times the table named under Costs, and static power times the run's "
    "time; no control. Area: MACs, index decoders, buffers, queues, crossbar, PHY and softmax.",
)


def _means(blocks: Sequence[BlockCycles], module: Module) -> dict[Run, Energy]:
    """Mean energy of a module by run, over the blocks that have it."""
    members = [block.energy[module] for block in blocks if module in block.energy]
    if not members:
        return {}
    return {run: _mean([energies[run] for energies in members]) for run in _RUNS}


def _mean(energies: Sequence[Energy]) -> Energy:
    parts = zip(*map(dataclasses.astuple, energies), strict=True)
    return Energy(*(sum(values) / len(energies) for values in parts))


def _cells(means: dict[Run, Energy], run: Run) -> tuple[Cell, ...]:
    energy = means[run]
    parts = tuple(getattr(energy, part) / _PJ_PER_UJ for part in _PARTS)
    saved = means["dense"].total_pj / energy.total_pj if energy.total_pj else None
    return (*parts, energy.total_pj / _PJ_PER_UJ, saved)


def _area(result: CyclesResult) -> float | None:
    area = result.blocks[0].area
    return None if area is None else area.total_mm2
