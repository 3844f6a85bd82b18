"""Tilings of a product, the most promising first: by an estimate, over many extents. Pure.

After ``estimate`` and ``extents``; ``planning`` runs the first few. A coarse grid of extents,
dataflows and splits is estimated whole; then, from the best of it, one axis after the other is
searched among many more extents.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from accelerator_sim.machine.hardware import Extent
from accelerator_sim.mapping.configuration import FLOWS, Flow
from accelerator_sim.mapping.estimate import (
    Tiling,
    costs_of,
    dense_rows,
    estimates,
    sparse_rows,
)
from accelerator_sim.mapping.extents import (
    coarse_extents,
    column_group,
    doublings,
    fine_extents,
    whole_groups,
)
from accelerator_sim.mapping.gather_factors import gather_factor
from accelerator_sim.mapping.quick_tiles import Rows, Work
from accelerator_sim.mapping.search import AUTO, Search
from accelerator_sim.mapping.tiling import TileShape
from workloads.shapes.gemm import Gemm

MAX_TILES = 4_000_000
_MANY_TILES = 1000
_STARTS = 6
_STARTS_LARGE = 2
_STARTS_BETWEEN = 3
_ROUNDS = 3
_ROUNDS_LARGE = 2
_SPLITS = 5
_REACH = 4
_CLIMBERS = 3
_SHARES = (0.9, 1.0, 1.1, 1.2)
_MOST_STEPS = 8
_BLOCKS = range(1, 7)
"""Numbers of equal blocks of tokens in the coarse grid of a mask that is not large."""


class Candidate(NamedTuple):
    """A tile, a dataflow and lines of the denser engine."""

    tile: TileShape
    flow: Flow
    denser_lines: int


class Ranked(NamedTuple):
    """A candidate with its estimate.

    Attributes:
        cycles: Nearly those of its run.
        dram_bytes: That it moves, likewise.
        candidate: Which.
    """

    cycles: float
    dram_bytes: float
    candidate: Candidate


def ranked(search: Search) -> list[Ranked]:
    """Candidates that seem to fit, those of the fewest cycles first, then of the fewest bytes.

    Args:
        search: Product and machine; extents, dataflow and split that are given are kept.

    Raises:
        InputError: Both engines have work and one of them would get no line.
    """
    estimator = _Estimator(search)
    estimator.add(_coarse(search))
    for _ in range(_ROUNDS_LARGE if search.large else _ROUNDS):
        starts = estimator.best(_STARTS_LARGE) if search.large else estimator.starts(_STARTS)
        estimator.add(candidate for start in starts for candidate in _beside(search, start))
    if not search.large:
        _climb(search, estimator)
    elif search.gemm.tokens > 1:
        starts = estimator.best(_STARTS_BETWEEN)
        estimator.add(candidate for start in starts for candidate in _between_words(search, start))
    return [item for item in estimator.ranking() if math.isfinite(item.cycles)]


def estimated(search: Search, candidates: Iterable[Candidate]) -> list[Ranked]:
    """Some candidates that seem to fit, those of the fewest cycles first.

    Args:
        search: Product and machine.
        candidates: Estimated unless there are far too many tiles.
    """
    estimator = _Estimator(search)
    estimator.add(candidates)
    return [item for item in estimator.ranking() if math.isfinite(item.cycles)]


def neighbours(search: Search, start: Candidate) -> list[Candidate]:
    """A candidate whose extents that are open are a quarter of the lines or of the MACs of a line
    more or less, and the denser engine's lines one more or less: every way of these.

    Args:
        search: Product and machine.
        start: Which one; not among what is returned.
    """
    axes = [_near(search, start, axis, {_quarter(search, axis)}) for axis in range(3)]
    lines = [count for count in search.splits if abs(count - start.denser_lines) <= 1]
    found = [
        start._replace(tile=TileShape(*sizes), denser_lines=count)
        for *sizes, count in itertools.product(*axes, lines)
    ]
    return [item for item in dict.fromkeys(found) if item != start]


def _quarter(search: Search, axis: int) -> int:
    """Of the lines, or of the MACs of a line."""
    machine = search.accelerator
    return max((machine.macs_per_line if axis else machine.lines) // 4, 1)


def _near(search: Search, start: Candidate, axis: int, steps: set[int]) -> list[int]:
    """An extent of a candidate and those that are some steps away; alone where it is given."""
    gemm, tile = search.gemm, start.tile
    group = _group(search) if axis == 1 else 1
    near = {(tile.rows, tile.columns, tile.tokens)[axis]}
    if search.extents[axis] == AUTO:
        near |= {
            n + sign * math.lcm(step, group) for n in near for step in steps for sign in (-1, 1)
        }
    return whole_groups({n for n in near if n > 0}, (gemm.m, gemm.n, gemm.tokens)[axis], group)


def _climb(search: Search, estimator: "_Estimator") -> None:
    """From the best few, and tiles of about their size, to what differs in one place, as long as
    that finds better ones."""
    for start in estimator.best(_CLIMBERS):
        estimator.add(_as_large(search, start))
    climbed: set[Candidate] = set()
    for _ in range(_MOST_STEPS):
        starts = [item for item in estimator.best(_CLIMBERS) if item not in climbed]
        if not starts:
            return
        climbed.update(starts)
        estimator.add(candidate for start in starts for candidate in _one_step(search, start))


def _as_large(search: Search, start: Candidate) -> list[Candidate]:
    """Tiles of other columns and so many rows that they hold about as much, since a slot that is
    filled moves the fewest parts of bursts."""
    tile = start.tile
    if search.extents[0] != AUTO or search.extents[1] != AUTO:
        return []
    found = []
    for columns in _extents(search, 1, fine=True):
        for share in _SHARES:
            rows = min(int(tile.rows * tile.columns * share / columns), search.gemm.m)
            if rows > 0:
                found.append(start._replace(tile=TileShape(rows, columns, tile.tokens)))
    return found


def _one_step(search: Search, start: Candidate) -> list[Candidate]:
    """An extent one more or less, or a quarter of the lines or MACs; or a line in the split."""
    sizes = (start.tile.rows, start.tile.columns, start.tile.tokens)
    found = []
    for axis in range(3):
        for size in _near(search, start, axis, {1, _quarter(search, axis)}):
            changed = (*sizes[:axis], size, *sizes[axis + 1 :])
            found.append(start._replace(tile=TileShape(*changed)))
    lines = [count for count in search.splits if abs(count - start.denser_lines) == 1]
    return found + [start._replace(denser_lines=count) for count in lines]


class _Estimator:
    """Estimates of candidates of a search, each made once."""

    def __init__(self, search: Search):
        self._search = search
        self._costs = costs_of(search.accelerator, search.configuration(FLOWS[0]))
        self._rows: dict[int, Rows] = {}
        self._found: dict[Candidate, tuple[float, float]] = {}

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Estimate those that are new and not far too many tiles."""
        new = [item for item in dict.fromkeys(candidates) if item not in self._found]
        by_columns: dict[int, list[Candidate]] = {}
        for item in _not_too_small(self._search, new):
            by_columns.setdefault(item.tile.columns, []).append(item)
        gemm = self._search.gemm
        for columns, items in by_columns.items():
            work = Work(gemm.m, gemm.n, gemm.tokens, self._search.rank, columns)
            tilings = [self._tiling(item) for item in items]
            found = estimates(self._at(columns), self._costs, work, tilings)
            self._found.update(zip(items, map(tuple, found.tolist()), strict=True))

    def ranking(self) -> list[Ranked]:
        """All, the best first."""
        items = [Ranked(*found, candidate) for candidate, found in self._found.items()]
        return sorted(items, key=lambda item: item[:2])

    def best(self, count: int) -> list[Candidate]:
        """The best few."""
        return [item.candidate for item in self.ranking()[:count] if math.isfinite(item.cycles)]

    def starts(self, count: int) -> list[Candidate]:
        """The best few, and the best of every dataflow and split and of every number of tokens."""
        apart: dict[object, Candidate] = {}
        for item in self.ranking():
            if math.isfinite(item.cycles):
                apart.setdefault((item.candidate.flow, item.candidate.denser_lines), item.candidate)
                apart.setdefault(item.candidate.tile.tokens, item.candidate)
        return list(dict.fromkeys([*self.best(count), *apart.values()]))

    def _tiling(self, item: Candidate) -> Tiling:
        tile, by_token, machine = item.tile, item.flow == "token", self._search.accelerator
        gather, lines = 0.0, machine.lines - item.denser_lines
        if by_token and lines and machine.gather == "banked" and self._search.mask is not None:
            gather = gather_factor(
                machine,
                self._search.sparse_density,
                lines=lines,
                rows=tile.rows,
                columns=tile.columns,
            )
        return Tiling(tile.rows, tile.tokens, by_token, item.denser_lines, gather)

    def _at(self, columns: int) -> Rows:
        search = self._search
        if columns not in self._rows:
            if search.mask is None:
                self._rows[columns] = dense_rows(search.gemm, search.accelerator, columns)
            else:
                self._rows[columns] = sparse_rows(
                    search.mask, search.dense_columns, search.accelerator, columns
                )
        return self._rows[columns]


def _coarse(search: Search) -> list[Candidate]:
    """A grid of few extents with every dataflow and some splits."""
    columns, tokens = (_extents(search, axis, fine=False) for axis in (1, 2))
    if search.extents[2] == AUTO and not search.large:
        tokens = sorted({*tokens, *(-(-search.gemm.tokens // count) for count in _BLOCKS)})
    return [
        Candidate(TileShape(*tile), flow, lines)
        for lines in _spread(search)
        for tile in itertools.product(_rows(search, lines, fine=False), columns, tokens)
        for flow in search.flows
    ]


def _beside(search: Search, start: Candidate) -> list[Candidate]:
    """What differs from a candidate in one axis, by a factor of ``_REACH`` at most."""
    tile = start.tile
    sizes = (tile.rows, tile.columns, tile.tokens)
    found = []
    for axis, size in enumerate(sizes):
        lines = start.denser_lines
        given = _extents(search, axis, fine=True) if axis else _rows(search, lines, fine=True)
        for extent in given:
            if size <= extent * _REACH and extent <= size * _REACH:
                changed = (*sizes[:axis], extent, *sizes[axis + 1 :])
                found.append(start._replace(tile=TileShape(*changed)))
    near = sorted(search.splits, key=lambda lines: abs(lines - start.denser_lines))
    most = 2 if search.large else 2 * _SPLITS
    return found + [start._replace(denser_lines=lines) for lines in near[:most]]


def _between_words(search: Search, start: Candidate) -> list[Candidate]:
    """A large mask's candidate with a quarter of a line's MACs more columns, and fewer.

    Widths between whole words take long to count, so only these are tried, and none for one token,
    where the MACs of a line hardly ever bind.
    """
    if search.extents[1] != AUTO:
        return []
    pattern = search.accelerator.index.n_of_m
    step = math.lcm(max(search.accelerator.macs_per_line // 4, 1), pattern[1] if pattern else 1)
    columns = start.tile.columns
    sizes = {columns - step, columns + step}
    return [
        start._replace(tile=replace(start.tile, columns=size))
        for size in sorted(sizes)
        if 0 < size < search.gemm.n and size % step == 0
    ]


def _rows(search: Search, denser_lines: int, *, fine: bool) -> list[int]:
    """Rows to try beside a split: those that fill all lines, or the lines of either engine."""
    rows = set(_extents(search, 0, fine=fine))
    if search.extents[0] == AUTO and not search.large:
        engines = (denser_lines, search.accelerator.lines - denser_lines)
        for lines in filter(None, engines):
            rows.update(
                fine_extents(search.gemm.m, lines) if fine else doublings(lines, search.gemm.m)
            )
    return sorted(rows)


def _extents(search: Search, axis: int, *, fine: bool) -> list[int]:
    """Rows, columns or tokens to try."""
    gemm, accelerator = search.gemm, search.accelerator
    given: Extent = search.extents[axis]
    extent = (gemm.m, gemm.n, gemm.tokens)[axis]
    if given != AUTO:
        return [min(int(given), extent)]
    make = fine_extents if fine else coarse_extents
    if axis == 0:
        return make(extent, accelerator.lines)
    if axis == 2:
        return make(extent, accelerator.macs_per_line)
    return make(extent, accelerator.macs_per_line, _group(search))


def _group(search: Search) -> int:
    """What the columns of a tile are multiples of, unless they are the whole."""
    pattern = search.accelerator.index.n_of_m if search.mask is not None else None
    return column_group(pattern[1] if pattern else 1, large=search.large)


def _spread(search: Search) -> list[int]:
    """Some splits over the whole range, the first one included; alone if one engine has no work."""
    splits = search.splits
    if splits[0] in (0, search.accelerator.lines):
        return [splits[0]]
    if len(splits) <= _SPLITS:
        return list(splits)
    step = len(splits) / _SPLITS
    return [splits[int(number * step)] for number in range(_SPLITS)]


def _not_too_small(search: Search, candidates: list[Candidate]) -> list[Candidate]:
    """Without tiles that no whole buffer holds, or that are far more than those of another."""
    fitting = [item for item in candidates if not _hopeless(search, item.tile)]
    count = partial(tile_count, search.gemm)
    fewest = min((count(item.tile) for item in fitting), default=0)
    most = min(max(_MANY_TILES, 16 * fewest), MAX_TILES)
    return [item for item in fitting if count(item.tile) <= most]


def _hopeless(search: Search, tile: TileShape) -> bool:
    """Whether a tile of average density exceeds a whole buffer."""
    gemm, accelerator = search.gemm, search.accelerator
    weight_bits = search.density * tile.rows * tile.columns * search.value_bits
    order = accelerator.loop_order
    rows = gemm.m if order == "activation_stationary" else tile.rows
    tokens = gemm.tokens if order == "weight_stationary" else tile.tokens
    outputs = search.configuration(FLOWS[0]).output_buffer(accelerator).capacity_bytes
    inputs = tile.columns * tile.tokens * accelerator.bits.activation
    return (
        weight_bits > 8 * accelerator.weight_buffer.capacity_bytes
        or inputs > 8 * accelerator.activation_buffer.capacity_bytes
        or rows * tokens * accelerator.bits.accumulator > 8 * outputs
    )


def tile_count(gemm: Gemm, tile: TileShape) -> int:
    """Tiles of all tokens."""
    extents = ((gemm.m, tile.rows), (gemm.n, tile.columns), (gemm.tokens, tile.tokens))
    return math.prod(-(-extent // size) for extent, size in extents)


def smallest_tile(search: Search) -> TileShape | None:
    """The smallest tile of a search that is not cut into too many, to say what it lacks."""
    rows, columns, tokens = (_extents(search, axis, fine=False) for axis in range(3))
    tiles = (TileShape(r, c, tokens[0]) for r in rows for c in columns)
    few = (tile for tile in tiles if tile_count(search.gemm, tile) <= MAX_TILES)
    return min(few, key=lambda tile: tile.rows * tile.columns, default=None)
