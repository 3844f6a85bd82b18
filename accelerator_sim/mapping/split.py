"""How many PE lines the denser engine gets. Pure.

Published rule: lines in proportion to the entries that each engine executes. True cost: the number
at which the slower engine is fastest, every row and tile counted as ``timing`` counts it.
"""

from collections.abc import Callable

import numpy as np

from accelerator_sim.machine.hardware import Accelerator
from accelerator_sim.mapping.configuration import Flow
from accelerator_sim.mapping.tiling import TiledProjection, block_sizes
from accelerator_sim.mapping.timing import dense_cycles, sparse_tiles
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError


def proportional_lines(denser_entries: int, sparser_entries: int, *, lines: int) -> int:
    """Lines of the denser engine in proportion to its entries, rounded half up.

    Args:
        denser_entries: Entries that the denser engine executes.
        sparser_entries: Nonzeros that the sparser engine executes.
        lines: All lines, at least 2 when both have entries.

    Returns:
        From 1 to lines − 1 when both have entries, else all lines or none.

    Source: ``dense_ratio`` of the simulator of You et al. 2023 (ViTCoD), which rounds down.
    """
    if not denser_entries or not sparser_entries:
        return lines if denser_entries else 0
    total = denser_entries + sparser_entries
    share = (2 * lines * denser_entries + total) // (2 * total)
    return max(1, min(share, lines - 1))


def settled_lines(
    gemm: Gemm, accelerator: Accelerator, *, denser_entries: int, sparser_entries: int
) -> int | None:
    """Lines of the denser engine where no search is needed; None: ``auto``, and both have work.

    Args:
        gemm: For messages.
        accelerator: The rule and the lines.
        denser_entries: Entries that the denser engine executes and does not share with the other.
        sparser_entries: Nonzeros that the sparser engine executes.

    Raises:
        InputError: Both engines have work and one of them would get no line.
    """
    lines, denser, sparser = accelerator.lines, denser_entries, sparser_entries
    if isinstance(accelerator.denser_lines, int):
        chosen = accelerator.denser_lines
        if (denser and not chosen) or (sparser and chosen == lines):
            raise InputError(
                f"{gemm.name}: denser_lines = {chosen} of {lines} leaves no line for "
                f"{'the dense columns or the low-rank part' if denser and not chosen else 'S'}; "
                f"use 1 to {lines - 1}, auto or proportional"
            )
        return chosen
    if denser and sparser and lines < 2:
        raise InputError(
            f"{gemm.name}: one line cannot serve two engines; use lines = 2 or more, or "
            "dense_threshold = 1.0 with the sequential schedule"
        )
    if accelerator.denser_lines == "proportional" or not denser or not sparser:
        return proportional_lines(denser, sparser, lines=lines)
    return None


def denser_entries(gemm: Gemm, accelerator: Accelerator, *, dense_columns: int, rank: int) -> int:
    """Entries that only the denser engine executes: dense columns, and U where it overlaps S."""
    overlapped = accelerator.schedule == "overlapped"
    return int(gemm.m * (dense_columns + (rank if overlapped else 0)))


def choose_denser_lines(tiled: TiledProjection, accelerator: Accelerator, *, flow: Flow) -> int:
    """Lines of the denser engine at a tile, by the accelerator's rule.

    Args:
        tiled: The projection in tiles.
        accelerator: The rule, the lines and how they are timed.
        flow: Whose arithmetic a row takes.

    Raises:
        InputError: As for ``settled_lines``.
    """
    settled = settled_lines(
        tiled.gemm,
        accelerator,
        denser_entries=denser_entries(
            tiled.gemm, accelerator, dense_columns=tiled.dense_columns, rank=tiled.rank
        ),
        sparser_entries=tiled.sparse_nonzeros,
    )
    if settled is not None:
        return settled
    return _cheapest(_engine_cycles(tiled, accelerator, flow), accelerator.lines)


def _engine_cycles(
    tiled: TiledProjection, accelerator: Accelerator, flow: Flow
) -> Callable[[int], tuple[int, int]]:
    """Busy cycles of the denser and of the sparser engine, by the lines of the denser engine.

    S on both; U on the denser engine when it overlaps. What runs on all lines has no say.
    """
    sizes, times = np.unique(tiled.token_sizes, return_counts=True)
    blocks = list(zip(sizes.tolist(), times.tolist(), strict=True))
    columns = tiled.dense
    if accelerator.schedule == "overlapped" and tiled.rank:
        columns = np.append(columns, block_sizes(tiled.rank, tiled.tile.columns))

    def cycles(denser_lines: int) -> tuple[int, int]:
        denser = sparser = 0
        for tokens, repeats in blocks:
            rows, macs = tiled.row_sizes[:, None], accelerator.macs_per_line
            tiles = dense_cycles(
                rows, columns, tokens=tokens, lines=denser_lines, macs=macs, flow=flow
            )
            denser += repeats * int(tiles.sum())
            lines = accelerator.lines - denser_lines
            timed = sparse_tiles(tiled, accelerator, tokens=tokens, lines=lines, flow=flow)
            sparser += repeats * int(timed.cycles.sum())
        return denser, sparser

    return cycles


def _cheapest(cycles: Callable[[int], tuple[int, int]], lines: int) -> int:
    """Bisect to where the denser engine stops being the slower one; the better neighbour."""
    low, high = 1, lines - 1
    while low < high:
        middle = (low + high) // 2
        denser, sparser = cycles(middle)
        if denser <= sparser:
            high = middle
        else:
            low = middle + 1
    candidates = sorted({max(low - 1, 1), low})
    return min(candidates, key=lambda count: (max(cycles(count)), count))
