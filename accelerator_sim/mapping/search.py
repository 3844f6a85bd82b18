"""What is to be tiled, and on what: the programs that a search may choose among. Pure.

After ``program`` and ``split``; ``tile_search`` ranks tilings of it, ``candidates`` makes plans.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from accelerator_sim.machine.hardware import Accelerator, Extent
from accelerator_sim.mapping.configuration import Configuration, Flow, allowed_flows
from accelerator_sim.mapping.kept_programs import KeptPrograms
from accelerator_sim.mapping.program import Program, build_program
from accelerator_sim.mapping.split import (
    choose_denser_lines,
    denser_entries,
    proportional_lines,
    settled_lines,
)
from accelerator_sim.mapping.tiling import (
    TileShape,
    choose_dense_columns,
    cut,
    cut_dense,
)
from workloads.masks.counts import column_counts
from workloads.masks.packed import PackedMask, StoredBits
from workloads.shapes.gemm import Gemm

AUTO: Literal["auto"] = "auto"

LARGE_MASK = 1 << 20
"""Places from which on fewer tilings are tried."""

Extents = tuple[Extent, Extent, Extent]
"""Rows, columns and tokens of a tile, a number or ``auto`` each."""


@dataclass(frozen=True, eq=False)
class Search:
    """One product on one machine, whose tile, dataflow and split are open where ``auto``.

    Attributes:
        gemm: Shape and tokens.
        accelerator: Whose buffers the tile must fit.
        value_bits: Width of a value of S.
        mask: Places of S; None: the matrix is run dense, without an index, on all lines.
        rank: Columns of U and V.
        weights_on_chip: S lies in one of two slots of the output buffer; outputs have the other.
        programs: Where programs are kept for machines to come.
        stored: Scales that come with the values.
    """

    gemm: Gemm
    accelerator: Accelerator
    value_bits: int
    mask: PackedMask | None = None
    rank: int = 0
    weights_on_chip: bool = False
    programs: KeptPrograms | None = None
    stored: StoredBits | None = None

    @cached_property
    def dense_columns(self) -> NDArray[np.bool_]:
        """Columns that the denser engine executes whole, shape (n,)."""
        if self.mask is None:
            return np.ones(self.gemm.n, dtype=np.bool_)
        return choose_dense_columns(self.mask, self.accelerator.dense_threshold)

    @property
    def extents(self) -> Extents:
        """What the machine says of the tile; of one token there is no choice."""
        tile = self.accelerator.tile
        return tile.rows, tile.columns, 1 if self.gemm.tokens == 1 else tile.tokens

    @property
    def flows(self) -> tuple[Flow, ...]:
        """Dataflows to choose among; one token is left to ``reduction``, where no tile takes longer
        than with ``token``."""
        flows = allowed_flows(self.accelerator)
        return flows[:1] if self.gemm.tokens == 1 else flows

    @property
    def large(self) -> bool:
        """Whether its mask takes long to count, and a tile more or less matters little."""
        return self.mask is not None and self.gemm.parameters > LARGE_MASK

    @property
    def density(self) -> float:
        """Kept share of the matrix."""
        return 1.0 if self.mask is None else self.mask.nnz / self.gemm.parameters

    @cached_property
    def sparse_density(self) -> float:
        """Kept share of the columns that are not dense."""
        if self.mask is None or self.dense_columns.all():
            return 0.0
        kept = column_counts(self.mask)[~self.dense_columns]
        return float(kept.mean()) / self.gemm.m

    def configuration(self, flow: Flow) -> Configuration:
        """Widths and room for outputs, in a dataflow."""
        stored = self.stored or StoredBits()
        return Configuration(
            flow,
            self.value_bits,
            weights_on_chip=self.weights_on_chip,
            scale_columns=stored.scale_columns,
            factor_scales=stored.factor_scales,
        )

    def program(
        self, tile: TileShape, configuration: Configuration, denser_lines: int | None = None
    ) -> Program:
        """The program at a tile.

        Args:
            tile: The full tile.
            configuration: Dataflow and widths.
            denser_lines: Lines of the denser engine; None: by the machine's rule.

        Raises:
            InputError: The split, the mask or the tile cannot be.
        """
        if self.programs is None or self.mask is None:
            return self._build(tile, configuration, denser_lines)
        key = (self.gemm, self.mask, self.rank, tile, configuration, denser_lines)
        return self.programs.get(
            key, self.accelerator, build=lambda: self._build(tile, configuration, denser_lines)
        )

    def _build(
        self, tile: TileShape, configuration: Configuration, denser_lines: int | None
    ) -> Program:
        accelerator = self.accelerator
        if self.mask is None:
            tiled, lines = cut_dense(self.gemm, tile), accelerator.lines
        else:
            tiled = cut(
                self.gemm, self.mask, rank=self.rank, dense_columns=self.dense_columns, tile=tile
            )
            if denser_lines is None:
                lines = choose_denser_lines(tiled, accelerator, flow=configuration.timed_as)
            else:
                lines = denser_lines
        return build_program(tiled, accelerator, configuration=configuration, denser_lines=lines)

    @cached_property
    def splits(self) -> tuple[int, ...]:
        """Lines of the denser engine to choose among, those by entries first.

        Raises:
            InputError: Both engines have work and one of them would get no line.
        """
        if self.mask is None:
            return (self.accelerator.lines,)
        dense = column_counts(self.mask)[self.dense_columns]
        denser = denser_entries(
            self.gemm, self.accelerator, dense_columns=len(dense), rank=self.rank
        )
        sparser = self.mask.nnz - int(dense.sum())
        settled = settled_lines(
            self.gemm, self.accelerator, denser_entries=denser, sparser_entries=sparser
        )
        if settled is not None and self.accelerator.denser_lines != "auto":
            return (settled,)
        lines = self.accelerator.lines
        first = proportional_lines(denser, sparser, lines=lines)
        possible = range(1 if denser else 0, lines if sparser else lines + 1)
        return tuple(sorted(possible, key=lambda count: abs(count - first)))
