"""Machines, projections and hypothesis strategies that the simulator's tests share."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar, get_args

import numpy as np
from hypothesis import strategies as st

from accelerator_sim.block import simulate_block
from accelerator_sim.machine.hardware import (
    Accelerator,
    Bits,
    Buffer,
    Dram,
    Index,
    LineSplit,
    LoopOrder,
    TileChoice,
)
from accelerator_sim.models.by_name import Model
from accelerator_sim.models.cycles import BlockCycles, ProjectionCycles
from accelerator_sim.projection import simulate_projection
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm

PLENTY = 1 << 20
_Part = TypeVar("_Part", Dram, TileChoice)


def beyond_limits(part: _Part, **changes: int) -> _Part:
    """A part of a machine with values that reading one refuses, to ask what stands behind that."""
    part = replace(part)
    for field, value in changes.items():
        object.__setattr__(part, field, value)
    return part


def plain_dram(
    bytes_per_second: int = 4000,
    efficiency: float = 1.0,
    latency_cycles: int = 2,
    burst_bytes: int = 1,
    channels: int = 1,
) -> Dram:
    """A DRAM that takes all requests at once, its latency in cycles of 1 ms: of a 1 kHz machine."""
    return Dram(
        bytes_per_second,
        efficiency,
        latency_cycles * 1e6,
        burst_bytes,
        channels,
        requests_per_cycle="unlimited",
        outstanding_requests="unlimited",
    )


def plain_index(format: str, decode_per_cycle: int, run_bits: int = 4) -> Index:
    """An index that is decoded beside the MACs, without a queue."""
    return Index(format, decode_per_cycle, run_bits, decode="ideal")


def small_machine(**changes: Any) -> Accelerator:
    """2 lines of 2 MACs, 4 bytes a cycle, latency 2, registered hand-offs, room for everything.

    Two slots in every buffer; no decode queue, gathers, pipeline or limits of requests.
    """
    machine = Accelerator(
        name="small",
        clock_hz=1000,
        lines=2,
        macs_per_line=2,
        dataflow="reduction",
        denser_lines="auto",
        dense_threshold=1.0,
        row_assignment="static",
        schedule="sequential",
        link_elements_per_cycle=2,
        handoff_cycles=1,
        tile=TileChoice(4, 8, 8),
        bits=Bits(weight=8, activation=8, factor=8, accumulator=32),
        index=plain_index("bitmap", 8),
        weight_buffer=Buffer(PLENTY, 2),
        activation_buffer=Buffer(PLENTY, 2),
        output_buffer=Buffer(PLENTY, 2),
        dram=plain_dram(),
        pipeline_cycles=0,
        gather="ideal",
    )
    return replace(machine, **changes)


def block_by(
    model: Model, items: Iterable[SparseLowRankGemm], machine: Accelerator, **options: Any
) -> BlockCycles:
    """A block by one model."""
    return simulate_block(items, machine, models=[model], **options)[model]


def projection_by(
    model: Model, item: SparseLowRankGemm, machine: Accelerator, **options: Any
) -> ProjectionCycles:
    """A projection by one model."""
    return simulate_projection(item, machine, models=[model], **options)[model]


def with_rows(nonzeros: list[int], columns: int) -> np.ndarray:
    """A mask whose row i keeps its first nonzeros[i] columns."""
    return np.arange(columns) < np.asarray(nonzeros)[:, None]


def projection(mask: np.ndarray, rank: int = 0, tokens: int = 1) -> SparseLowRankGemm:
    """A projection with a given mask."""
    gemm = Gemm("p", "MHA", mask.shape[0], mask.shape[1], tokens)
    return SparseLowRankGemm(gemm, PackedMask.pack(mask), rank)


def random_mask(m: int, n: int, density: float, seed: int) -> np.ndarray:
    """A seeded mask."""
    return np.random.default_rng(seed).random((m, n)) < density


def n_of_m_part(mask: np.ndarray, most: int, group: int) -> np.ndarray:
    """The first ``most`` nonzeros of every group of columns of a mask."""
    kept = mask.copy()
    for start in range(0, mask.shape[1], group):
        piece = kept[:, start : start + group]
        piece &= np.cumsum(piece, axis=1) <= most
    return kept


def buffers(smallest: int, largest: int) -> st.SearchStrategy[Buffer]:
    tight = st.integers(smallest // 2, largest // 4)
    sizes = st.one_of(st.just(PLENTY), st.integers(smallest, largest), tight)
    return st.builds(Buffer, sizes, st.sampled_from([1, 2, 2, 3, 5, "auto"]))


def drams() -> st.SearchStrategy[Dram]:
    return st.builds(
        Dram,
        st.integers(500, 20000),
        st.sampled_from([1.0, 0.72, 0.3]),
        st.sampled_from([0.0, 1e6, 3e6, 5.5e6, 7e6]),
        st.sampled_from([1, 2, 8]),
        st.integers(1, 3),
        write_latency_ns=st.sampled_from([None, 0, 3e6]),
        refresh_share=st.sampled_from([0.0, 0.0625]),
        requests_per_cycle=st.sampled_from(["unlimited", 1, 2]),
        outstanding_requests=st.sampled_from(["unlimited", 1, 2, 4]),
    )


@st.composite
def machines(draw: st.DrawFn) -> Accelerator:
    """Small machines of every kind; many have tiles that do not fit."""
    lines = draw(st.integers(1, 5))
    any_mask = ["bitmap", "csc", "csr", "run_length", "hierarchical_bitmap"]
    formats = st.sampled_from([*any_mask, "1:2", "2:4", "2:3", "3:5"])
    decode = st.sampled_from(["ideal", "queue"])
    queue = st.sampled_from(["auto", 4, 5, 9])
    run_bits = blocks = st.integers(1, 4)
    index = draw(st.builds(Index, formats, st.integers(1, 5), run_bits, decode, queue, blocks))
    columns = draw(st.integers(1, 7))
    if index.n_of_m:
        columns = -(-columns // index.n_of_m[1]) * index.n_of_m[1]
    split: st.SearchStrategy[LineSplit] = st.one_of(
        st.sampled_from(["auto", "proportional"]), st.integers(0, lines)
    )
    return Accelerator(
        name="random",
        clock_hz=1000,
        lines=lines,
        macs_per_line=draw(st.integers(1, 4)),
        dataflow=draw(st.sampled_from(["reduction", "token", "auto"])),
        denser_lines=draw(split),
        dense_threshold=draw(st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0])),
        row_assignment=draw(st.sampled_from(["static", "next_free"])),
        schedule=draw(st.sampled_from(["sequential", "overlapped"])),
        loop_order=draw(st.sampled_from(get_args(LoopOrder))),
        link_elements_per_cycle=draw(st.integers(1, 5)),
        handoff_cycles=draw(st.integers(0, 1)),
        gather=draw(st.sampled_from(["ideal", "banked"])),
        activation_banks=draw(st.integers(1, 4)),
        activation_ports=draw(st.integers(1, 2)),
        pipeline_cycles=draw(st.sampled_from([0, 0, 1, 2, 6])),
        tile=TileChoice(draw(st.integers(1, 7)), columns, draw(st.integers(1, 4))),
        bits=draw(st.builds(Bits, *[st.integers(1, 17)] * 4)),
        index=index,
        weight_buffer=draw(buffers(20, 120)),
        activation_buffer=draw(buffers(10, 120)),
        output_buffer=draw(buffers(40, 400)),
        dram=draw(drams()),
    )


@st.composite
def projections(draw: st.DrawFn) -> SparseLowRankGemm:
    """Small projections: empty, sparse, with dense columns, full; with and without factors."""
    m, n, seed = draw(st.integers(1, 14)), draw(st.integers(1, 14)), draw(st.integers(0, 999))
    mask = random_mask(m, n, draw(st.sampled_from([0, 0.05, 0.3, 0.6, 1])), seed)
    dense = draw(st.integers(0, n))
    mask[:, :dense] |= random_mask(m, dense, 0.9, seed + 1)
    return projection(mask, draw(st.sampled_from([0, 1, 3, 6])), draw(st.integers(1, 5)))


@st.composite
def cases(draw: st.DrawFn) -> tuple[SparseLowRankGemm, Accelerator]:
    """A projection and a machine; with an index of N:M mostly a mask that is."""
    item, machine = draw(projections()), draw(machines())
    if machine.index.n_of_m and draw(st.integers(0, 9)):
        mask = PackedMask.pack(n_of_m_part(item.mask.unpack(), *machine.index.n_of_m))
        item = replace(item, mask=mask)
    return item, machine
