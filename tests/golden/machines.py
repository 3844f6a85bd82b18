"""Small random machines and masks whose results are kept, by number; the script that keeps them.

python -m tests.golden.machines FILE

``machines.json`` was written with commit b299121, before slots, credits, decode queues, pipelines
and gathers were modelled: what a machine without them does must not change.
"""

import contextlib
import dataclasses
import json
import random
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np

from accelerator_sim.machine.hardware import (
    Accelerator,
    Bits,
    Buffer,
    Dram,
    Index,
    LoopOrder,
    TileChoice,
)
from accelerator_sim.mapping.candidates import Plan
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from accelerator_sim.simulation.result import EventResult
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError

CASES = 1200
_FORMATS = ("bitmap", "csr", "csc", "run_length", "2:4", "1:2", "3:5")
_ORDERS: tuple[LoopOrder, ...] = get_args(LoopOrder)
_PLENTY = 1 << 20
_CYCLE_NS = 1e6  # at 1 kHz


def case(number: int) -> tuple[SparseLowRankGemm, Accelerator]:
    """The projection and the machine of a number."""
    draw = random.Random(number)
    format, rate, run_bits = _FORMATS[number % 7], draw.randint(1, 6), draw.randint(1, 4)
    index = Index(format, rate, run_bits, decode="ideal")
    machine = _machine(draw, number, index)
    m, n = draw.randint(1, 14), draw.randint(1, 14)
    density = draw.choice([0.0, 0.1, 0.3, 0.6, 0.9, 1.0])
    full = draw.randint(0, n) if draw.random() < 0.5 else 0
    mask = np.array([[j < full or draw.random() < density for j in range(n)] for _ in range(m)])
    if index.n_of_m and draw.random() < 0.9:
        kept, group = index.n_of_m
        for start in range(0, n, group):
            piece = mask[:, start : start + group]
            piece &= np.cumsum(piece, axis=1) <= kept
    gemm = Gemm("p", "MHA", m, n, draw.randint(1, 5))
    return SparseLowRankGemm(gemm, PackedMask.pack(mask), draw.choice([0, 0, 1, 3, 6])), machine


def _machine(draw: random.Random, number: int, index: Index) -> Accelerator:
    lines, group = draw.randint(1, 5), (index.n_of_m or (1, 1))[1]
    split: Any = draw.choice(["auto", "auto", "proportional", draw.randint(0, lines)])
    rate = draw.choice([700, 1500, 4000, 4001, 20000])
    columns = group * draw.randint(1, 7 // group)
    return Accelerator(
        name="random",
        clock_hz=1000,
        lines=lines,
        macs_per_line=draw.randint(1, 4),
        dataflow=draw.choice(["reduction", "token", "auto"]),
        denser_lines=split,
        dense_threshold=draw.choice([0.0, 0.5, 0.7, 1.0]),
        row_assignment=draw.choice(["static", "next_free"]),
        schedule=draw.choice(["sequential", "overlapped"]),
        loop_order=_ORDERS[number % 3],
        link_elements_per_cycle=draw.randint(1, 5),
        handoff_cycles=draw.randint(0, 1),
        tile=TileChoice(draw.randint(1, 7), columns, draw.randint(1, 4)),
        bits=Bits(*(draw.randint(1, 17) for _ in range(4))),
        index=index,
        weight_buffer=_buffer(draw, 40, 160),
        activation_buffer=_buffer(draw, 20, 160),
        output_buffer=_buffer(draw, 100, 500),
        dram=Dram(rate, draw.choice([1.0, 0.72, 0.3]), draw.randint(0, 7) * _CYCLE_NS,
                  draw.choice([1, 2, 8]), draw.randint(1, 3),
                  requests_per_cycle="unlimited", outstanding_requests="unlimited"),
        pipeline_cycles=0,
        gather="ideal",
    )  # fmt: skip


def _buffer(draw: random.Random, smallest: int, largest: int) -> Buffer:
    size = draw.choice([_PLENTY, draw.randint(smallest, largest)])
    return Buffer(size, draw.choice([1, 2]))


def plans(number: int) -> list[Plan]:
    """The plans of a case that fit its machine: compressed and dense."""
    item, machine = case(number)
    made = []
    with contextlib.suppress(InputError):
        made.append(plan_projection(item, machine))
    with contextlib.suppress(InputError):
        made.append(plan_dense(item.gemm, machine))
    return made


def numbers(result: EventResult) -> list[int]:
    """Cycles, the accounts of both engines, traffic and actions, in the order of their fields.

    Fields that came later are left out where they are 0.
    """
    parts = (result.denser, result.sparser, result.traffic, result.actions)
    flat = [
        value
        for part in parts
        for field, value in dataclasses.asdict(part).items()
        if field in FIELDS or value
    ]
    return [result.cycles, result.roofline_cycles, result.tiles, *flat]


FIELDS = frozenset(
    """compute imbalance index_decode output_space weights activations accumulation fill drain idle
    factors outputs refetched macs executed_zeros factor_macs decoded link_elements dram_read_bytes
    dram_write_bytes weight_buffer_bytes activation_buffer_bytes output_buffer_bytes""".split()  # noqa: SIM905
)


def main(file: Path) -> None:
    """Write the numbers of every case that runs."""
    kept = {n: [numbers(run_compiled(plan)) for plan in plans(n)] for n in range(CASES)}
    lines = (f'"{n}": {json.dumps(runs)}' for n, runs in kept.items() if runs)
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
