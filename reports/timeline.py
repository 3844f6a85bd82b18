"""One projection traced, for ``sslc simulate``: which one, its plans, its timeline and requests."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation.dram_trace import (
    dram_requests,
    dramsim3_lines,
    memory_clock_hz,
    ramulator_lines,
)
from accelerator_sim.simulation.trace import check_traceable, chrome_trace, run_traced
from accelerator_sim.sources import Simulated, open_source
from workloads.masks.packed import SparseLowRankGemm
from workloads.support.errors import unknown_name
from workloads.support.files import write_atomic, write_json

Plans = Mapping[str, Plan]


def plan_timeline(
    source: Simulated, accelerator: Accelerator, *, tokens: int, name: str | None
) -> Plans:
    """The runs that a timeline shows, planned before anything is simulated.

    Args:
        source: What is simulated.
        accelerator: The machine.
        tokens: Per product.
        name: Of a projection of the first block, or the end of it; None for the first.

    Raises:
        InputError: No such projection is there, or it has too many tiles.
    """
    item = _find(open_source(source).projections(tokens), name)
    plans = {
        "dense": plan_dense(item.gemm, accelerator),
        "compressed": plan_projection(item, accelerator),
    }
    for plan in plans.values():
        check_traceable(plan)
    return plans


def write_timeline(path: Path, plans: Plans) -> str:
    """Run what was planned and write its timeline.

    Args:
        path: Of the file, for ui.perfetto.dev or chrome://tracing.
        plans: From ``plan_timeline``.

    Returns:
        What it shows, in a sentence.
    """
    runs = [(name, *run_traced(plan)) for name, plan in plans.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, chrome_trace(runs))
    projection = plans["compressed"].program.tiled.gemm.name
    cycles = ", ".join(f"{name} {result.cycles:,} cycles" for name, result, _ in runs)
    return f"{projection} of the first block, {cycles}"


def write_dram_trace(path: Path, plans: Plans) -> str:
    """Run the compressed plan and write its DRAM requests for two simulators.

    Args:
        path: Of the file for DRAMsim3; beside it, with ``.ramulator`` behind, that for Ramulator 2.
        plans: From ``plan_timeline``.

    Returns:
        What was written, in a sentence.
    """
    plan = plans["compressed"]
    _, operations = run_traced(plan)
    requests = list(dram_requests(plan, operations))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(dramsim3_lines(requests)).encode())
    beside = path.with_name(f"{path.name}.ramulator")
    write_atomic(beside, "".join(ramulator_lines(requests)).encode())
    machine = plan.program.accelerator
    return (
        f"{len(requests):,} bursts of {machine.dram.burst_bytes} bytes at a memory clock of "
        f"{memory_clock_hz(machine) / 1e6:,.0f} MHz; the same for Ramulator 2 in {beside}"
    )


def _find(
    projections: Iterable[tuple[int, SparseLowRankGemm]], name: str | None
) -> SparseLowRankGemm:
    known = []
    first = None
    for block, item in projections:
        first = block if first is None else first
        if block != first:
            break
        if name is None or f".{item.gemm.name}".endswith(f".{name}"):
            return item
        known.append(item.gemm.name)
    raise unknown_name("projection", name or "", known)
