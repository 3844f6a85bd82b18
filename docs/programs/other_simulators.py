"""One dense LLaMA2-7B block by other simulators and by ours, each at the bandwidth that it used.

python -m docs.programs.other_simulators        # the table of docs/other_simulators.md

Their cycles are constants: measured once with the versions named (``zigzag_block.py`` repeats
ZigZag's). Ours are computed here. ``explained`` is arithmetic from what each tool counts.
"""

import math
from dataclasses import dataclass

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.planning.planner import plan_dense
from accelerator_sim.simulation.compiled import run_compiled
from workloads.shapes.gemm import Gemm
from workloads.shapes.transformer import load_model

CLOCK_HZ = 500_000_000
GIB = 1024**3 / 10**9


@dataclass(frozen=True)
class Tool:
    """Another simulator's figure.

    Attributes:
        name: With its version.
        tokens: Of the run.
        cycles: What it gave.
        bytes_per_cycle: DRAM bandwidth that it effectively used.
        explained: Cycles by the arithmetic that we found it to do.
    """

    name: str
    tokens: int
    cycles: int
    bytes_per_cycle: float
    explained: int


def main() -> None:
    """Print the table."""
    block = load_model("llama2-7b").projections(1)
    print("| tool | tokens | cycles | bytes a cycle | explained | our roofline | our event |")
    print("|---|---|---|---|---|---|---|")
    for tool in tools(block):
        roofline, event = ours(tool)
        print(
            f"| {tool.name} | {tool.tokens} | {tool.cycles:,} | {tool.bytes_per_cycle:.2f} | "
            f"{tool.explained:,} ({_difference(tool.explained, tool.cycles)}) | "
            f"{roofline:,} ({_difference(roofline, tool.cycles)}) | "
            f"{event:,} ({_difference(event, tool.cycles)}) |"
        )


def tools(block: tuple[Gemm, ...]) -> list[Tool]:
    """Each tool's figures with the arithmetic behind them."""
    nominal, binary = 153.6, 153.6 * GIB
    weights = sum(gemm.parameters for gemm in block)
    outputs = sum(gemm.m for gemm in block)
    inputs = sum(gemm.n for gemm in block)
    compute = weights * 128 // 4096
    once = weights + inputs + outputs
    return [
        Tool("accelforge 1.0.467", 1, 1_318_055, nominal, _cycles(once, nominal)),
        Tool("GenZ 0.0.16", 1, 1_227_063, binary, _cycles(weights, binary)),
        Tool("ZigZag 3.9.1", 1, 1_228_098, 1319 / 8, _cycles(once, 1319 / 8)),
        Tool("ZigZag 3.9.1, given 1228 bits", 1, 1_318_981, 153.5, _cycles(once, 153.5)),
        Tool("Timeloop 3.0.3", 1, 1_245_684, 165.0, _timeloop(block)),
        Tool("accelforge 1.0.467", 128, 6_324_224, nominal, compute),
        Tool("Timeloop 3.0.3", 128, 6_324_224, 165.0, compute),
        Tool("ZigZag 3.9.1", 128, 6_366_922, 1319 / 8, compute),
    ]  # fmt: skip


def ours(tool: Tool) -> tuple[int, int]:
    """Roofline and event cycles of the 64x64 machine at a tool's bandwidth, tile ``auto``."""
    machine = load_accelerator(
        "array-64x64-ideal-dram", {"dram.bytes_per_second": round(tool.bytes_per_cycle * CLOCK_HZ)}
    )
    gemms = load_model("llama2-7b").projections(tool.tokens)
    runs = [run_compiled(plan_dense(gemm, machine)) for gemm in gemms]
    return sum(run.roofline_cycles for run in runs), sum(run.cycles for run in runs)


def _timeloop(block: tuple[Gemm, ...]) -> int:
    """Weights once, inputs once for every 64 outputs, nothing for outputs, 165 bytes a cycle."""
    return sum(_cycles(gemm.parameters + gemm.n * (gemm.m // 64), 165.0) for gemm in block)


def _cycles(moved_bytes: int, bytes_per_cycle: float) -> int:
    return math.ceil(moved_bytes / bytes_per_cycle)


def _difference(value: int, reference: int) -> str:
    return f"{value / reference - 1:+.2%}"


if __name__ == "__main__":
    main()
