"""Energy and area of one block on some presets, and what gathers read, for docs/energy.md.

python -m docs.programs.energy_table   writes the tables of the page
"""

from collections.abc import Iterable
from dataclasses import astuple

from accelerator_sim.block import simulate_block
from accelerator_sim.machine.catalog import load_accelerator, load_cost_table
from accelerator_sim.models.cycles import Run
from accelerator_sim.models.energy import Area, Energy, energy
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from docs.programs.made import write_made
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import synthetic_block
from workloads.results.table import Cell, Column, Table
from workloads.shapes.transformer import load_model

MACHINES = ("array-64x64", "vitcod", "ethos-u65-class-unstructured")
ENERGY = ("mac", "decode", "sram", "dram", "link", "gather", "static")
AREA = ("mac", "decode", "sram", "queues", "gather", "phy", "softmax")
RUNS: dict[Run, str] = {"dense": "dense", "sum": "compressed"}
_PJ_PER_UJ = 1e6
_MEGA = 1e6


def main() -> None:
    """Cost the block on every preset and write the tables."""
    block = list(synthetic_block(load_model("llama2-7b"), 0.5, 128, 1, 0))
    energies: list[tuple[Cell, ...]] = []
    areas: list[tuple[Cell, ...]] = []
    for name in MACHINES:
        spent, taken = costs_of(block, name)
        for run, label in RUNS.items():
            parts = [getattr(spent[run], part) / _PJ_PER_UJ for part in ENERGY]
            energies.append((name, label, *parts, spent[run].total_pj / _PJ_PER_UJ))
        areas.append((name, *(getattr(taken, part) for part in AREA), taken.total_mm2))
    write_made(
        "docs/energy.md",
        {
            "energy": _table("energy", ("machine", "run", *ENERGY, "total"), ",.0f", energies),
            "area": _table("area", ("machine", *AREA, "total"), ".1f", areas),
            "gathers": gathers(),
        },
    )


def gathers() -> Table:
    """One projection at 128 tokens with inputs that are all there, and with inputs from banks."""
    item = synthetic_block(load_model("llama2-7b"), 0.5, 128, 128, 0)[0]
    costs = load_cost_table()
    rows: list[tuple[Cell, ...]] = []
    flows = (("ideal", "token"), *(("banked", flow) for flow in ("token", "reduction", "auto")))
    for gather, flow in flows:
        machine = load_accelerator("array-64x64", {"gather": gather, "dataflow": flow})
        run = run_compiled(plan_projection(item, machine))
        spent, done = energy(run, costs, accelerator=machine), run.actions
        word = machine.macs_per_line * machine.bits.activation / 8 / _MEGA
        lines = sum(account.gather for account in run.stalls.values())
        rows.append(
            (
                *(gather, flow, run.dataflow, done.activation_buffer_bytes / _MEGA),
                *(done.bank_reads * word, done.crossbar_words * word),
                *(run.cycles, lines / machine.lines / run.cycles),
                *(spent.total_pj / _PJ_PER_UJ, spent.gather / spent.total_pj),
            )
        )
    columns = (
        *(Column("gather"), Column("dataflow"), Column("as run")),
        Column("activation buffer, MB", ",.1f"),
        *(Column("read from banks, MB", ",.1f"), Column("taken by lines, MB", ",.1f")),
        *(Column("cycles", ",d"), Column("of it waiting for banks", ".1%")),
        *(Column("energy, µJ", ",.0f"), Column("of it gathers", ".1%")),
    )
    return Table("gathers", "Gathers", columns, tuple(rows))


def costs_of(block: list[SparseLowRankGemm], name: str) -> tuple[dict[Run, Energy], Area]:
    """Energy of the block's runs, and the machine's area."""
    machine, costs = load_accelerator(name), load_cost_table()
    found = simulate_block(block, machine, models=["compiled"], costs=costs)["compiled"]
    assert found.area is not None
    return {run: _sum(module[run] for module in found.energy.values()) for run in RUNS}, found.area


def _sum(parts: Iterable[Energy]) -> Energy:
    return Energy(*map(sum, zip(*map(astuple, parts), strict=True)))


def _table(name: str, heads: tuple[str, ...], form: str, rows: list[tuple[Cell, ...]]) -> Table:
    columns = (Column(head, form) for head in heads)
    return Table(name, name, tuple(columns), tuple(rows))


if __name__ == "__main__":
    main()
