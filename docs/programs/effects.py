"""What the published number leaves out: effects turned on in turn, for docs/effects.md.

python -m docs.programs.effects   writes docs/figures/effects.{png,svg} and prints the table
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import Accelerator, Buffer, TileChoice
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.projection import simulate_projection
from accelerator_sim.simulation.compiled import run_compiled
from reports.figures.style import write_figure
from reports.paper.published import table4
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import synthetic_block
from workloads.results.table import Column, Table, render
from workloads.shapes.gemm import MODULES
from workloads.shapes.transformer import load_model

MODELS = {"llama2-7b": "LLaMA2-7B", "qwen2.5-7b": "Qwen2.5-7B"}
TOKENS = (1, 16, 128, 2048)
STEPS = ("perfect compute", "+ tiles, imbalance", "+ index decode", "+ memory")
COLOURS = ("#999999", "#E69F00", "#56B4E9", "#0072B2")
HATCHES = ("", "//", "..", "")
PLENTY = 1 << 30


@dataclass(frozen=True)
class Cost:
    """Cycles of one module, dense and compressed, after each step; and the indices' share.

    Attributes:
        dense: One number per step.
        compressed: Likewise.
        index_share: Bits of indices over all bits that the compressed run loads, before bursts.
    """

    dense: np.ndarray
    compressed: np.ndarray
    index_share: float


def without_memory(machine: Accelerator) -> Accelerator:
    """The machine with a DRAM, buffers and a link that never hold anything up."""
    dram = replace(
        machine.dram,
        bytes_per_second=machine.clock_hz * 10**9,
        efficiency=1.0,
        latency_ns=0,
        burst_bytes=1,
        channels=1,
    )
    buffer = Buffer(PLENTY, 2)
    return replace(
        machine,
        dram=dram,
        handoff_cycles=0,
        link_elements_per_cycle=PLENTY,
        weight_buffer=buffer,
        activation_buffer=buffer,
        output_buffer=buffer,
    )


def as_planned(plan: Plan, machine: Accelerator) -> Accelerator:
    """A machine that must run with the tile, the dataflow and the split of a plan."""
    tile, program = plan.program.tiled.tile, plan.program
    return replace(
        machine,
        tile=TileChoice(tile.rows, tile.columns, tile.tokens),
        dataflow=program.configuration.dataflow,
        denser_lines=program.denser_lines,
    )


def projection_cycles(item: SparseLowRankGemm, machine: Accelerator) -> tuple[np.ndarray, Plan]:
    """Cycles (dense, compressed) x steps; every step runs the tiles of the whole machine."""
    published = simulate_projection(item, machine, models=["published"])["published"]
    free = without_memory(machine)
    no_decode = replace(free, index=replace(free.index, decode_per_cycle=PLENTY))
    dense, whole = plan_dense(item.gemm, machine), plan_projection(item, machine)
    cycles = np.array([[published.dense_cycles] * 4, [published.sum_cycles] * 4])
    for step, variant in enumerate((no_decode, free), start=1):
        cycles[0, step] = run_compiled(plan_dense(item.gemm, as_planned(dense, variant))).cycles
        cycles[1, step] = run_compiled(plan_projection(item, as_planned(whole, variant))).cycles
    cycles[:, 3] = run_compiled(dense).cycles, run_compiled(whole).cycles
    return cycles, whole


def index_bits(plan: Plan) -> tuple[int, int]:
    """Bits of indices, and all bits that a run loads."""
    program = plan.program
    weights = sum(int(stream.weight_bits.sum()) for stream in program.streams)
    inputs = program.tiled.gemm.n * program.tiled.gemm.tokens * program.accelerator.bits.activation
    return int(program.main.index_bits.sum()), weights + inputs


def measure(name: str, tokens: int, machine: Accelerator) -> dict[str, Cost]:
    """Costs of one block by module."""
    totals = {module: np.zeros((2, 4)) for module in MODULES}
    bits = {module: np.zeros(2) for module in MODULES}
    for item in synthetic_block(load_model(name), 0.5, 128, tokens, 0, factors_inside_budget=False):
        cycles, plan = projection_cycles(item, machine)
        totals[item.gemm.module] += cycles
        bits[item.gemm.module] += index_bits(plan)
    return {m: Cost(totals[m][0], totals[m][1], bits[m][0] / bits[m][1]) for m in MODULES}


def table(costs: dict[tuple[str, int], dict[str, Cost]]) -> Table:
    """Speedups and costs of every module as the effects come on, beside the printed speedups."""
    published = {(row.model, row.module): row.speedup for row in table4()}
    rows = tuple(
        (
            MODELS[model],
            tokens,
            module,
            published[model, module] if tokens == 1 else None,
            *(cost.dense / cost.compressed).tolist(),
            *(cost.compressed / cost.compressed[0]).tolist()[1:],
            cost.index_share,
        )
        for (model, tokens), modules in costs.items()
        for module, cost in modules.items()
    )
    columns = (
        Column("Model"),
        Column("Tokens", ",d"),
        Column("Module"),
        Column("Published speedup", ".2f"),
        *(Column(f"Speedup, {step}", ".2f") for step in STEPS),
        *(Column(f"Cycles, {step}", ".2f") for step in STEPS[1:]),
        Column("Indices in bits loaded", ".1%"),
    )
    return Table("effects", "Effects turned on in turn", columns, rows)


def figure(costs: dict[tuple[str, int], dict[str, Cost]]) -> Figure:
    """The same as a picture."""
    made = Figure(figsize=(9.6, 6.2), layout="constrained")
    panels = made.subplots(2, 2, sharex=True, sharey="row")
    for (upper, lower), (model, title) in zip(panels.T, MODELS.items(), strict=True):
        _draw(upper, lower, [costs[model, tokens] for tokens in TOKENS])
        rows = [row for row in table4() if row.model == model]
        block = sum(row.dense_cycles for row in rows) / sum(row.sum_cycles for row in rows)
        label = "published, 1 token"
        upper.axhline(block, color="#D55E00", linestyle="--", linewidth=1.2, zorder=1, label=label)
        upper.set_title(title, fontsize=10)
        upper.set_ylim(0, 2.1)
        lower.set_yscale("log")
        lower.set_ylim(0.8, 60)
        lower.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        lower.minorticks_off()
        lower.set_xticks(range(len(TOKENS)), [f"{tokens:,}" for tokens in TOKENS])
        lower.set_xlabel("tokens")
        for axes in (upper, lower):
            axes.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylabel("speedup of a block")
    panels[1, 0].set_ylabel("cycles / perfect compute")
    made.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return made


def _draw(upper: Axes, lower: Axes, costs: list[dict[str, Cost]]) -> None:
    """Speedups above, cycles over those of perfect compute below; a bar per step."""
    dense = np.array([sum(cost.dense for cost in modules.values()) for modules in costs])
    ours = np.array([sum(cost.compressed for cost in modules.values()) for modules in costs])
    for step, label in enumerate(STEPS):
        centres = np.arange(len(costs)) + (step - 1.5) * 0.2
        style: dict[str, Any] = {
            "color": COLOURS[step], "hatch": HATCHES[step], "edgecolor": "white", "zorder": 2,
        }  # fmt: skip
        bars = upper.bar(centres, dense[:, step] / ours[:, step], 0.19, label=label, **style)
        upper.bar_label(bars, fmt="%.2f", fontsize=6.5)
        bars = lower.bar(centres, ours[:, step] / ours[:, 0], 0.19, **style)
        lower.bar_label(bars, fmt="%.3g", fontsize=6.5)


def main() -> None:
    """Write the figure and print the table."""
    machine = load_accelerator("array-64x64")
    costs = {(m, k): measure(m, k, machine) for m in MODELS for k in TOKENS}
    print(render(table(costs), "markdown"))
    write_figure(figure(costs), Path("docs/figures"), "effects")


if __name__ == "__main__":
    main()
