"""Random projections and machines for ``mapper``: bound by bandwidth and by compute, every format,
dataflow, loop order and number of slots."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import (
    Accelerator,
    Bits,
    Buffer,
    Dram,
    Index,
    LoopOrder,
    TileChoice,
)
from accelerator_sim.mapping.search import Search
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm, largest_rank

SMALL, LARGE = (96, 96, 16), (768, 768, 64)
"""Rows, columns and tokens at the most."""
Case = tuple[SparseLowRankGemm, Accelerator]
_CLOCK = 10**9
_LOOP_ORDERS: tuple[LoopOrder, ...] = (
    *("output_stationary",) * 4,
    "weight_stationary",
    "activation_stationary",
)
_FORMATS = ("bitmap", "bitmap", "csr", "csc", "run_length", "2:4", "1:2")


def case(seed: int, most: tuple[int, int, int]) -> Case:
    """A projection and a machine.

    Args:
        seed: Of both.
        most: Rows, columns and tokens at the most.
    """
    draw = random.Random(seed)
    index = Index(
        draw.choice(_FORMATS),
        draw.choice([2, 8, 16, 32]),
        decode=draw.choice(["ideal", "queue"]),
    )
    machine = _machine(draw, index)
    m, n, tokens = (draw.randint(1, extent) for extent in most)
    mask = _mask(draw, m, n, seed)
    if index.n_of_m:
        kept, group = index.n_of_m
        for start in range(0, n, group):
            piece = mask[:, start : start + group]
            piece &= np.cumsum(piece, axis=1) <= kept
    rank = draw.choice([0, draw.randint(1, 8), draw.randint(1, 16)])
    gemm = Gemm("p", "MHA", m, n, tokens)
    return SparseLowRankGemm(gemm, PackedMask.pack(mask), rank), machine


def _mask(draw: random.Random, m: int, n: int, seed: int) -> np.ndarray:
    """Rows and columns of unequal density, sometimes with nearly dense columns."""
    noise = np.random.default_rng(seed)
    columns = np.exp(draw.choice([0, 0.5, 1.0]) * noise.standard_normal(n))
    rows = np.exp(0.3 * noise.standard_normal((m, 1)))
    mask = noise.random((m, n)) < draw.choice([0.1, 0.3, 0.5, 0.7]) * columns * rows
    if draw.random() < 0.4:
        mask[:, : draw.randint(0, n // 4)] |= noise.random((m, 1)) < 0.95
    return mask


def _machine(draw: random.Random, index: Index) -> Accelerator:
    lines = draw.choice([2, 3, 4, 6, 8, 8, 12, 16])

    def buffer(low: float, high: float) -> Buffer:
        return Buffer(int(2 ** draw.uniform(low, high)), draw.choice([2, 2, 3, 4, "auto", "auto"]))

    return Accelerator(
        name="random",
        clock_hz=_CLOCK,
        lines=lines,
        macs_per_line=draw.choice([2, 4, 4, 8, 8, 16]),
        dataflow=draw.choice(["reduction", "token", "auto", "auto"]),
        denser_lines=draw.choice(["auto", "auto", "auto", "proportional"]),
        dense_threshold=draw.choice([0.5, 0.7, 1.0, 1.0]),
        row_assignment=draw.choice(["static", "next_free"]),
        schedule=draw.choice(["sequential", "sequential", "overlapped"]),
        loop_order=draw.choice(_LOOP_ORDERS),
        link_elements_per_cycle=draw.choice([max(lines // 2, 1), lines, 2 * lines]),
        handoff_cycles=draw.randint(0, 1),
        tile=TileChoice(),
        bits=Bits(8, 8, 8, 32),
        index=index,
        weight_buffer=buffer(9, 14),
        activation_buffer=buffer(8, 14),
        output_buffer=buffer(10, 15),
        dram=Dram(
            draw.choice([1, 2, 4, 8, 16, 64]) * _CLOCK,
            efficiency=draw.choice([1.0, 0.75]),
            latency_ns=draw.choice([0, 5, 25, 100]),
            burst_bytes=draw.choice([1, 16, 64]),
            channels=draw.choice([1, 1, 2]),
            outstanding_requests=draw.choice(["unlimited", 4, 4]),
            requests_per_cycle=draw.choice(["unlimited", 1, 1]),
        ),
        pipeline_cycles=draw.choice([0, 4]),
        gather=draw.choice(["ideal", "banked"]),
        activation_banks=draw.choice([4, 16, 64]),
        activation_ports=draw.choice([1, 2]),
    )


def with_buffer(machine: Accelerator, name: str, times: int) -> Accelerator:
    """A machine with a larger buffer."""
    buffer: Buffer = getattr(machine, name)
    change: dict[str, Any] = {name: replace(buffer, capacity_bytes=times * buffer.capacity_bytes)}
    return replace(machine, **change)


def searches(item: SparseLowRankGemm, machine: Accelerator) -> dict[str, Search]:
    """The compressed and the dense run."""
    bits = machine.bits.weight
    return {
        "compressed": Search(item.gemm, machine, bits, item.mask, item.rank),
        "dense": Search(item.gemm, machine, bits),
    }


def named_cases() -> Iterator[tuple[str, Search]]:
    """Projections of ``array-64x64`` that a search over powers of two missed."""
    machine = load_accelerator("array-64x64")
    for size, tokens in ((4096, 16), (4096, 32), (1024, 16)):
        gemm = Gemm("q_proj", "MHA", size, size, tokens)
        mask = PackedMask.pack(np.random.default_rng(0).random((size, size)) < 0.5)
        item = SparseLowRankGemm(gemm, mask, largest_rank(size, size, 0.0625))
        for kind, search in searches(item, machine).items():
            yield f"{size} x {size}, {tokens} tokens, {kind}", search
