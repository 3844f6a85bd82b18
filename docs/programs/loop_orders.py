"""One projection in every loop order, for docs/event_model.md.

python -m docs.programs.loop_orders   writes the table of the page
"""

from typing import get_args

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import LoopOrder
from accelerator_sim.planning.planner import plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from docs.programs.made import write_made
from workloads.masks.synthetic import synthetic_block
from workloads.results.table import Cell, Column, Table
from workloads.shapes.transformer import load_model

_MEGA = 1e6


def main() -> None:
    """Run q_proj of LLaMA2-7B's shape at 128 tokens, rank 128 beside a half kept."""
    shape = load_model("llama2-7b")
    item = synthetic_block(shape, 0.5, 128, 128, 0, factors_inside_budget=False)[0]
    rows: list[tuple[Cell, ...]] = []
    for order in get_args(LoopOrder):
        run = run_compiled(
            plan_projection(item, load_accelerator("array-64x64", {"loop_order": order}))
        )
        moved = run.traffic
        rows.append(
            (
                *(f"`{order}`", " × ".join(map(str, run.tile)), run.dataflow, run.cycles),
                *((moved.weights + moved.factors) / _MEGA, moved.activations / _MEGA),
                *(moved.refetched / _MEGA, run.roofline_cycles),
            )
        )
    columns = (
        *(Column("order"), Column("tile"), Column("dataflow"), Column("cycles", ",d")),
        *(Column("weights and factors", ",.1f"), Column("activations", ",.1f")),
        *(Column("refetched", ",.1f"), Column("bound, cycles", ",d")),
    )
    write_made("docs/event_model.md", {"orders": Table("orders", "Orders", columns, tuple(rows))})


if __name__ == "__main__":
    main()
