"""What the published number leaves out: effects turned on in turn, for docs/effects.md.

python -m docs.programs.effects   writes docs/figures/effects.{png,svg} and the tables of the page
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from accelerator_sim.machine.catalog import load_accelerator, with_overrides
from accelerator_sim.machine.hardware import MAX_BYTES, MAX_PER_CYCLE, Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.projection import simulate_projection
from accelerator_sim.sensitivity.changes import Change
from accelerator_sim.sensitivity.rerun import hold
from accelerator_sim.simulation.compiled import run_compiled
from docs.programs.made import write_made
from reports.figures.style import write_figure
from reports.paper.published import table4
from workloads.masks.packed import SparseLowRankGemm
from workloads.masks.synthetic import synthetic_block
from workloads.results.palette import SERIES
from workloads.results.table import Column, Table
from workloads.shapes.gemm import MODULES
from workloads.shapes.transformer import load_model

MODELS = {"llama2-7b": "LLaMA2-7B", "qwen2.5-7b": "Qwen2.5-7B"}
TOKENS = (1, 16, 128)
MACHINE = "array-64x64"

_BUFFERS = ("weight_buffer", "activation_buffer", "output_buffer")
_LEFT_OUT: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("index decode", {"index.decode": "ideal", "index.decode_per_cycle": MAX_PER_CYCLE}),
    ("gathers", {"gather": "ideal"}),
    (
        "pipeline, hand-offs, link",
        {"pipeline_cycles": 0, "handoff_cycles": 0, "link_elements_per_cycle": MAX_PER_CYCLE},
    ),
    (
        "requests, credits",
        {"dram.requests_per_cycle": "unlimited", "dram.outstanding_requests": "unlimited"},
    ),
    (
        "bandwidth",
        {
            "dram.bytes_per_second": 5 * 10**17,  # 10⁹ bytes a cycle
            "dram.efficiency": 1.0,
            "dram.refresh_share": 0.0,
            "dram.burst_bytes": 1,
            "dram.channels": 1,
        },
    ),
    ("latency", {"dram.latency_ns": 0}),
    (
        "buffers, slots",
        {
            **{f"{buffer}.capacity_bytes": MAX_BYTES for buffer in _BUFFERS},
            **{f"{buffer}.slots": "auto" for buffer in _BUFFERS},
        },
    ),
)
"""What is switched on one after the other, and the fields without it."""
STEPS = ("perfect compute", "tiles, imbalance", *(name for name, _ in _LEFT_OUT))


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


def machines(whole: Accelerator) -> list[tuple[Change, Accelerator]]:
    """The machine without all effects, with the first of them, and so on to the whole machine."""
    found = []
    for on in range(len(_LEFT_OUT) + 1):
        overrides = {key: value for _, fields in _LEFT_OUT[on:] for key, value in fields.items()}
        change = Change(STEPS[on + 1], "ideal", overrides)
        found.append((change, with_overrides(whole, overrides)))
    return found


def projection_cycles(item: SparseLowRankGemm, machine: Accelerator) -> tuple[np.ndarray, Plan]:
    """Cycles (dense, compressed) x steps; every step runs the tiles of the whole machine."""
    published = simulate_projection(item, machine, models=["published"])["published"]
    dense, whole = plan_dense(item.gemm, machine), plan_projection(item, machine)
    cycles = np.array([[published.dense_cycles], [published.sum_cycles]]).repeat(len(STEPS), axis=1)
    for step, (change, changed) in enumerate(machines(machine), start=1):
        held = plan_dense(item.gemm, hold(dense, changed, change))
        cycles[0, step] = run_compiled(held).cycles
        cycles[1, step] = run_compiled(plan_projection(item, hold(whole, changed, change))).cycles
    return cycles, whole


def index_bits(plan: Plan) -> tuple[int, int]:
    """Bits of indices, and all bits that a run loads."""
    program = plan.program
    weights = sum(int(stream.weight_bits.sum()) for stream in program.streams)
    inputs = program.tiled.gemm.n * program.tiled.gemm.tokens * program.accelerator.bits.activation
    return int(program.main.index_bits.sum()), weights + inputs


def measure(name: str, tokens: int, machine: Accelerator) -> dict[str, Cost]:
    """Costs of one block by module."""
    totals = {module: np.zeros((2, len(STEPS))) for module in MODULES}
    bits = {module: np.zeros(2) for module in MODULES}
    for item in synthetic_block(load_model(name), 0.5, 128, tokens, 0, factors_inside_budget=False):
        cycles, plan = projection_cycles(item, machine)
        totals[item.gemm.module] += cycles
        bits[item.gemm.module] += index_bits(plan)
    return {m: Cost(totals[m][0], totals[m][1], bits[m][0] / bits[m][1]) for m in MODULES}


Costs = dict[tuple[str, int], dict[str, Cost]]


def speedups(costs: Costs) -> Table:
    """Speedups of every module as the effects come on, beside the printed ones."""
    published = {(row.model, row.module): row.speedup for row in table4()}
    rows = tuple(
        (
            *(MODELS[model], tokens, module),
            published[model, module] if tokens == 1 else None,
            *(cost.dense / cost.compressed).tolist(),
            cost.index_share,
        )
        for (model, tokens), modules in costs.items()
        for module, cost in modules.items()
    )
    columns = (
        *(Column("model"), Column("tokens", ",d"), Column("module"), Column("published", ".2f")),
        *(Column(name if step < 1 else f"+ {name}", ".2f") for step, name in enumerate(STEPS)),
        Column("indices, of bits loaded", ".1%"),
    )
    return Table("effects", "Speedup, dense over compressed", columns, rows)


def longer(costs: Costs) -> Table:
    """Cycles of a block over those of perfect compute, dense and compressed."""
    rows = [
        (MODELS[model], tokens, run, *(cycles / cycles[0]).tolist()[1:])
        for (model, tokens), modules in costs.items()
        for run, cycles in _block(modules).items()
    ]
    columns = (
        *(Column("model"), Column("tokens", ",d"), Column("run")),
        *(Column(f"+ {name}", ".2f") for name in STEPS[1:]),
    )
    return Table("cycles", "Cycles over perfect compute", columns, tuple(rows))


def _block(modules: Mapping[str, Cost]) -> dict[str, np.ndarray]:
    dense = np.array([cost.dense for cost in modules.values()]).sum(axis=0)
    compressed = np.array([cost.compressed for cost in modules.values()]).sum(axis=0)
    return {"dense": dense, "compressed": compressed}


def figure(costs: Costs) -> Figure:
    """Speedup and cycles of a block, step by step, a line for each number of tokens."""
    made = Figure(figsize=(7.2, 6.6), layout="constrained")
    panels = made.subplots(2, len(MODELS), sharex=True, sharey="row", squeeze=False)
    for (upper, lower), (model, title) in zip(panels.T, MODELS.items(), strict=True):
        _draw(upper, lower, {tokens: _block(costs[model, tokens]) for tokens in TOKENS})
        rows = [row for row in table4() if row.model == model]
        block = sum(row.dense_cycles for row in rows) / sum(row.sum_cycles for row in rows)
        upper.axhline(block, color="black", linestyle="--", linewidth=1, label="published, 1 token")
        upper.set_title(title, fontsize=10)
        lower.set_yscale("log")
        lower.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
        lower.minorticks_off()
        names = [name if step < 1 else f"+ {name}" for step, name in enumerate(STEPS)]
        lower.set_xticks(range(len(STEPS)), names, rotation=40, ha="right", fontsize=8)
    panels[0, 0].set_ylabel("speedup of a block")
    panels[1, 0].set_ylabel("compressed cycles / perfect compute")
    made.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return made


def _draw(upper: Axes, lower: Axes, blocks: Mapping[int, Mapping[str, np.ndarray]]) -> None:
    """Speedups above, cycles over those of perfect compute below."""
    for (tokens, runs), (color, marker) in zip(blocks.items(), SERIES, strict=False):
        style: dict[str, Any] = {"color": color, "marker": marker, "markersize": 4}
        label = f"{tokens:,} token{'' if tokens == 1 else 's'}"
        upper.plot(runs["dense"] / runs["compressed"], label=label, **style)
        lower.plot(runs["compressed"] / runs["compressed"][0], **style)
    for axes in (upper, lower):
        axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Write the figure and the tables."""
    machine = load_accelerator(MACHINE)
    costs = {(m, k): measure(m, k, machine) for m in MODELS for k in TOKENS}
    write_figure(figure(costs), Path("docs/figures"), "effects")
    write_made("docs/effects.md", {"speedups": speedups(costs), "cycles": longer(costs)})


if __name__ == "__main__":
    main()
