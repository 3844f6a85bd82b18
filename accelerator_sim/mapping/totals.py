"""Sums over all tiles of a program, kept with it: for accounts, energy and rooflines. Pure.

After ``program``. No clock, DRAM or buffer has a say in them, so machines that share a program
share them too; what a DRAM's bursts add is kept by the bytes of a burst.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.mapping.program import Program, S, Stream, U, V
from accelerator_sim.mapping.tiling import Counts, block_sizes
from workloads.support.compiled import compiled


@dataclass(frozen=True)
class Totals:
    """Sums over all tiles of both streams.

    Attributes:
        first_bits: Weights, indices and factors, those that are fetched again left out.
        weight_bytes: The same in whole bytes of a tile, as often as they are fetched.
        read_bytes: Activations that tiles read.
        link_elements: Partial sums that cross the link.
        denser_compute: Line cycles with MACs in denser parts.
        sparser_compute: Line cycles with MACs in sparser parts of S.
        decode: Line cycles that index decode adds.
        gather: Line cycles that gathers add.
        partial_sums: Accumulators that the parts of all tiles add to.
        factor_reads: Elements of Vᵀx that tiles of U read.
        columns_read: Columns of the matrix whose activations a tile reads.
        largest_weights: Bytes of the largest tile, of the main stream and of the factors.
        largest_inputs: Bytes of the largest activations of a tile of the main stream.
    """

    first_bits: int
    weight_bytes: int
    read_bytes: int
    link_elements: int
    denser_compute: int
    sparser_compute: int
    decode: int
    gather: int
    partial_sums: int
    factor_reads: int
    columns_read: int
    largest_weights: tuple[int, int]
    largest_inputs: int


class Moved(NamedTuple):
    """DRAM bytes of weights in whole bursts.

    Attributes:
        weights: Values and indices of S and its dense columns.
        factors: U and V.
        first: Of both, what was not fetched before.
    """

    weights: int
    factors: int
    first: int


def totals(program: Program) -> Totals:
    """Sums over all tiles, made once for all machines that share the program.

    A tile of S may add to each of its rows on both engines; V and U have a row on one.
    """
    return program.once("totals", lambda: _totals(program))


def moved_weights(program: Program, burst_bytes: int) -> Moved:
    """What the loads of all weights move, kept like ``totals``.

    Args:
        program: The tiles.
        burst_bytes: Every transfer is rounded up to whole bursts.
    """

    def move() -> Moved:
        sums = np.zeros(3, dtype=np.int64)
        for stream in program.streams:
            _move(stream.kind, stream.token_block, stream.weight_bytes, burst_bytes, sums)
        return Moved(*sums.tolist())

    return program.once(("moved weights", burst_bytes), move)


def _totals(program: Program) -> Totals:
    tiled = program.tiled
    rank, tile = tiled.rank, tiled.tile
    thin_rows, thin_columns = (
        block_sizes(rank, min(extent, rank)) if rank else tiled.dense
        for extent in (tile.rows, tile.columns)
    )
    sizes = (tiled.row_sizes, thin_rows, thin_columns, tiled.token_sizes)
    used = np.zeros(len(tiled.column_sizes), dtype=np.bool_)
    sums = np.zeros(10, dtype=np.int64)
    for stream in program.streams:
        _add(_places(stream), _amounts(stream), sizes, used, sums)
    main, factors = (int(s.weight_bytes.max(initial=0)) for s in (program.main, program.factors))
    names = (field.name for field in fields(Totals))
    return Totals(
        **dict(zip(names, sums.tolist(), strict=False)),
        columns_read=int(tiled.column_sizes[used].sum()),
        largest_weights=(main, factors),
        largest_inputs=int(program.main.activation_bytes.max(initial=0)),
    )


def _places(stream: Stream) -> tuple[Counts, Counts, Counts, Counts]:
    return stream.kind, stream.token_block, stream.row_block, stream.column_block


def _amounts(stream: Stream) -> tuple[Counts, ...]:
    return (
        stream.weight_bits,
        stream.activation_bits,
        stream.link_elements,
        stream.denser_compute,
        stream.sparser_compute,
        stream.decode,
        stream.gather,
        stream.denser_cycles,
        stream.sparser_cycles,
    )


@compiled
def _add(
    places: tuple[Counts, Counts, Counts, Counts],
    amounts: tuple[Counts, ...],
    sizes: tuple[Counts, Counts, Counts, Counts],
    used: NDArray[np.bool_],
    sums: Counts,
) -> None:
    """Add a stream to ``sums``, in the order of ``Totals``, and mark the columns that it reads."""
    kind, token_block, row_block, column_block = places
    weights, inputs, link, denser_compute, sparser_compute, decode, gather, denser, sparser = (
        amounts
    )
    rows, thin_rows, thin_columns, tokens = sizes
    for tile in range(len(kind)):
        if token_block[tile] == 0:
            sums[0] += weights[tile]
        sums[1] += (weights[tile] + 7) // 8
        sums[2] += (inputs[tile] + 7) // 8
        sums[3] += link[tile]
        sums[4] += denser_compute[tile]
        sums[5] += sparser_compute[tile]
        sums[6] += decode[tile]
        sums[7] += gather[tile]
        added = thin_rows[row_block[tile]] if kind[tile] == V else rows[row_block[tile]]
        both = kind[tile] == S and denser[tile] > 0 and sparser[tile] > 0
        sums[8] += added * tokens[token_block[tile]] * (2 if both else 1)
        if kind[tile] == U:
            sums[9] += thin_columns[column_block[tile]] * tokens[token_block[tile]]
        if inputs[tile] > 0:
            used[column_block[tile]] = True


@compiled
def _move(
    kind: Counts, token_block: Counts, payload: Counts, burst_bytes: int, sums: Counts
) -> None:
    """Add the transfers of a stream's weights to ``sums``, in the order of ``Moved``."""
    for tile in range(len(kind)):
        moved = (payload[tile] + burst_bytes - 1) // burst_bytes * burst_bytes
        sums[0 if kind[tile] == S else 1] += moved
        if token_block[tile] == 0:
            sums[2] += moved
