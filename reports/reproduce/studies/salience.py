"""Figures 1 and 4: salience before and after the low-rank part, and what it takes to keep it."""

import functools

import torch

from reports.reproduce.block_results import (
    READINGS,
    BlockMaps,
    BlockNeeded,
    MapPair,
    SalienceMap,
    needed_by_projection,
    spreads_of,
)
from reports.reproduce.comparison import version_notes
from reports.reproduce.figures.salience import heat_maps_figure, needed_figure
from reports.reproduce.recipes import studied_blocks
from reports.reproduce.studies.salience_tables import needed_table, published, spread_table
from reports.reproduce.study import Reproduced, Study
from reports.reproduce.walk import Walk, measure_blocks, subject
from sslc.calibration.statistics import InputStatistics
from sslc.evaluation.salience import SALIENCE_KEPT, needed, pooled, salience, spread
from sslc.methods.sslc import Sslc
from workloads.results.salience import Needed
from workloads.support.wording import counted

_CELLS = 256
_MAPPED = ("q_proj", "down_proj")


def figure1(study: Study) -> Reproduced:
    """Heat maps of |W̃|, and of |W̃ − L̃| from which the sparse part chooses.

    Args:
        study: Shown are q_proj and down_proj of the middle block within its limits.

    Returns:
        Four maps, each cell the mean over its entries, at most 256 cells a side, each pair in one
        colour scale; and how salience is spread in each. The results leave out the cells.

    Raises:
        InputError: Bad weights, a text that is too short, or a budget that does not fit.

    Source: SSLC Figure 1. Which matrices it shows, and at which settings, is open there.
    """
    method = Sslc(kept_fraction=study.kept_fraction)
    index, measure = studied_blocks(study) // 2, functools.partial(_maps, method)
    walk = Walk("figure1", method, measure, {"cells": _CELLS}, _MAPPED)
    maps = measure_blocks(study, walk, blocks=[index], cls=BlockMaps)[index]
    where, spreads = subject(study, f"block {index} (from 0)"), spreads_of(maps)
    table = spread_table(spreads, where, notes=version_notes([spreads]))
    figure = heat_maps_figure(maps.projections, where)
    return Reproduced((table,), (spreads,), {"figure1": figure})


def _maps(method: Sslc, weight: torch.Tensor, statistics: InputStatistics) -> MapPair:
    before, after, _ = _low_rank_taken(method, weight, statistics)
    return MapPair(_map(before), _map(after))


def _map(matrix: torch.Tensor) -> SalienceMap:
    m, n = matrix.shape
    return SalienceMap((m, n), spread(matrix), _cells(matrix))


def _cells(matrix: torch.Tensor) -> tuple[tuple[float, ...], ...]:
    """Pooled, with more digits than a colour can show."""
    rows = pooled(matrix, _CELLS).tolist()
    return tuple(tuple(float(f"{value:.4g}") for value in row) for row in rows)


def _low_rank_taken(
    method: Sslc, weight: torch.Tensor, statistics: InputStatistics
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """|W̃|, |W̃ − L̃|, and the share of the parameters that L takes."""
    made = method.compress(weight, statistics)
    rest = torch.addmm(weight, made.u, made.v.T, alpha=-1)
    taken = made.u.numel() + made.v.numel()
    return salience(weight, statistics), salience(rest, statistics), taken / weight.numel()


def figure4(study: Study) -> Reproduced:
    """Parameters needed to keep 80% of the salience: by pruning only, and beside a low-rank part.

    Args:
        study: Every projection of the blocks within its limits counts the same.

    Returns:
        Means and the spread over projections, beside the published numbers of LLaMA2-7B, for
        salience as it is and for its squares (table only); every projection in the results.

    Raises:
        InputError: Bad weights, a text that is too short, or a budget that does not fit.

    Source: SSLC Figure 4. The paper defines neither number; our definitions stand in
        ``sslc.evaluation.salience.needed``. L̃ is what SSLC finds at the study's kept fraction; S̃
        is chosen anew, the largest |W̃ − L̃| of the whole matrix.
    """
    method = Sslc(kept_fraction=study.kept_fraction)
    count, measure = studied_blocks(study), functools.partial(_needed, method)
    settings = {"kept": SALIENCE_KEPT, "readings": list(READINGS)}
    walk = Walk("figure4", method, measure, settings)
    results = tuple(measure_blocks(study, walk, blocks=range(count), cls=BlockNeeded).values())
    where = subject(study, counted(count, "block"))
    readings = {name: needed_by_projection(results, name) for name in READINGS}
    table = needed_table(readings, published(), where=where, notes=version_notes(results))
    figure = needed_figure(next(iter(readings.values())), published(), where=where)
    return Reproduced((table,), results, {"figure4": figure})


def _needed(method: Sslc, weight: torch.Tensor, statistics: InputStatistics) -> dict[str, Needed]:
    before, after, low_rank = _low_rank_taken(method, weight, statistics)
    shares = needed(before, after, low_rank=low_rank, powers=tuple(READINGS.values()))
    return dict(zip(READINGS, shares, strict=True))
