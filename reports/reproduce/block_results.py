"""What figures 1, 4 and 5 measure on a block of a dense model: typed results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from reports.reproduce.results import BlockIdentity
from workloads.results.identity import Provenance
from workloads.results.salience import Needed, Spread

READINGS = {"|W̃|": 1, "|W̃|²": 2}
"""Powers of the salience that is summed, by what tables call them; figures show the first."""


@dataclass(frozen=True)
class SalienceMap:
    """Salience of a matrix, as it is drawn.

    Attributes:
        shape: (m, n) of the matrix.
        spread: Of its entries.
        cells: Means over equal cells, row by row.
    """

    shape: tuple[int, int]
    spread: Spread
    cells: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class MapPair:
    """A projection's map before the low-rank part is taken out, |W̃|, and after, |W̃ − L̃|."""

    before: SalienceMap
    after: SalienceMap

    @property
    def sides(self) -> dict[str, SalienceMap]:
        """Both by name, in order."""
        return {"before": self.before, "after": self.after}


@dataclass(frozen=True)
class BlockMaps:
    """Maps of a block's projections; large, so they stay among the cells.

    Attributes:
        identity: Model, method, calibration and block.
        provenance: Where they came from.
        projections: By projection.
    """

    KIND: ClassVar[str] = "block_maps"
    COMMAND: ClassVar[str] = "sslc reproduce figure1"

    identity: BlockIdentity
    provenance: Provenance
    projections: Mapping[str, MapPair]

    @property
    def stem(self) -> str:
        """The block."""
        return f"block-{self.identity.block}"


@dataclass(frozen=True)
class BlockSpreads:
    """How salience is spread in a block's projections.

    Attributes:
        identity: Model, method, calibration and block.
        provenance: Where they came from.
        projections: By projection and by ``before`` and ``after``.
    """

    KIND: ClassVar[str] = "block_spreads"
    COMMAND: ClassVar[str] = "sslc reproduce figure1"

    identity: BlockIdentity
    provenance: Provenance
    projections: Mapping[str, Mapping[str, Spread]]

    @property
    def stem(self) -> str:
        """The block."""
        return f"block-{self.identity.block}"


@dataclass(frozen=True)
class BlockNeeded:
    """Parameters that keep 80% of the salience of a block's projections.

    Attributes:
        identity: Model, method, calibration and block.
        provenance: Where they came from.
        projections: By projection and by reading, one of ``READINGS``.
    """

    KIND: ClassVar[str] = "block_needed"
    COMMAND: ClassVar[str] = "sslc reproduce figure4"

    identity: BlockIdentity
    provenance: Provenance
    projections: Mapping[str, Mapping[str, Needed]]

    @property
    def stem(self) -> str:
        """The block."""
        return f"block-{self.identity.block}"


def spreads_of(maps: BlockMaps) -> BlockSpreads:
    """What stays of maps without what is drawn."""
    projections = {
        name: {side: drawn.spread for side, drawn in pair.sides.items()}
        for name, pair in maps.projections.items()
    }
    return BlockSpreads(maps.identity, maps.provenance, projections)


def needed_by_projection(
    blocks: Sequence[BlockNeeded], reading: str
) -> dict[str, tuple[Needed, ...]]:
    """One reading's shares, block by block, by projection."""
    names = dict.fromkeys(name for block in blocks for name in block.projections)
    return {
        name: tuple(b.projections[name][reading] for b in blocks if name in b.projections)
        for name in names
    }


@dataclass(frozen=True)
class BlockLosses:
    """Losses of a block's decompositions.

    Attributes:
        identity: Model, method, calibration and block.
        provenance: Where they came from.
        projections: By projection, the relative loss after each iteration.
    """

    KIND: ClassVar[str] = "block_losses"
    COMMAND: ClassVar[str] = "sslc reproduce figure5"
    DERIVED: ClassVar = ("mean_losses",)

    identity: BlockIdentity
    provenance: Provenance
    projections: Mapping[str, tuple[float, ...]]

    @property
    def mean_losses(self) -> tuple[float, ...]:
        """After each iteration, the mean over the projections."""
        return tuple(mean_losses(self.projections))

    @property
    def stem(self) -> str:
        """The block."""
        return f"block-{self.identity.block}"


def mean_losses(projections: Mapping[str, Sequence[float]]) -> list[float]:
    """After each iteration, the mean over a block's projections."""
    return [sum(step) / len(step) for step in zip(*projections.values(), strict=True)]
