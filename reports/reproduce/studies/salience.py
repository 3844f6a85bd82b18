"""Figures 1 and 4: salience before and after the low-rank part, and what it takes to keep it."""

import csv
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any

import torch

from reports.reproduce.figures.salience import heat_maps_figure, needed_figure
from reports.reproduce.studies.salience_tables import PublishedNeeded, needed_table, spread_table
from reports.reproduce.study import Reproduced, Study
from reports.reproduce.walk import measure_blocks, method_settings, studied_blocks, subject
from sslc.calibration.statistics import InputStatistics
from sslc.evaluation.salience import SALIENCE_KEPT, Needed, needed, pooled, salience, spread
from sslc.methods.sslc import Sslc

_CELLS = 256
_MAPPED = ("q_proj", "down_proj")
_SIDES = ("before", "after")
_READINGS = {"|W̃|": 1, "|W̃|²": 2}


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
    index = studied_blocks(study) // 2
    about = {**method_settings(method), "cells": _CELLS}
    measure = functools.partial(_maps, method)
    found = measure_blocks(study, "figure1", [index], about, measure, _MAPPED)[index]
    where = subject(study, f"block {index} (from 0)")
    spreads = {
        name: {side: sides[side]["spread"] for side in _SIDES} for name, sides in found.items()
    }
    return Reproduced(
        (spread_table(spreads, where),),
        {"figure1": heat_maps_figure(found, where)},
        {"block": index, "projections": spreads},
    )


def _maps(method: Sslc, weight: torch.Tensor, statistics: InputStatistics) -> dict[str, Any]:
    before, after, _ = _low_rank_taken(method, weight, statistics)
    return {
        side: {
            "shape": list(matrix.shape),
            "spread": asdict(spread(matrix)),
            "cells": _cells(matrix),
        }
        for side, matrix in zip(_SIDES, (before, after), strict=True)
    }


def _cells(matrix: torch.Tensor) -> list[list[float]]:
    """Pooled, with more digits than a colour can show."""
    return [[float(f"{value:.4g}") for value in row] for row in pooled(matrix, _CELLS).tolist()]


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
    about = {**method_settings(method), "kept": SALIENCE_KEPT, "readings": list(_READINGS)}
    count = studied_blocks(study)
    measure = functools.partial(_needed, method)
    found = measure_blocks(study, "figure4", range(count), about, measure)
    where = subject(study, "1 block" if count == 1 else f"{count} blocks")
    readings = {name: _by_projection(found.values(), name) for name in _READINGS}
    figure = needed_figure(next(iter(readings.values())), published(), where)
    blocks = [{"block": index, "projections": each} for index, each in found.items()]
    return Reproduced(
        (needed_table(readings, published(), where),),
        {"figure4": figure},
        {"published": asdict(published()), "blocks": blocks},
    )


def _needed(
    method: Sslc, weight: torch.Tensor, statistics: InputStatistics
) -> dict[str, dict[str, float]]:
    before, after, share = _low_rank_taken(method, weight, statistics)
    found = needed(before, after, low_rank=share, powers=tuple(_READINGS.values()))
    return {name: asdict(each) for name, each in zip(_READINGS, found, strict=True)}


def _by_projection(
    blocks: Iterable[Mapping[str, Mapping[str, Mapping[str, float]]]], reading: str
) -> dict[str, Sequence[Needed]]:
    """One reading's shares over the blocks, by projection."""
    shares: dict[str, list[Needed]] = {}
    for projections in blocks:
        for name, readings in projections.items():
            shares.setdefault(name, []).append(Needed(**readings[reading]))
    return dict(shares)


def published() -> PublishedNeeded:
    """The published numbers of Figure 4, as shares."""
    path = resources.files("reports.paper") / "data" / "figure4.csv"
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    percent = {row["quantity"]: float(row["percent"]) for row in rows}
    return PublishedNeeded(
        *(
            percent[f"{name}_parameters"] / 100
            for name in (
                "pruning_only",
                "synergistic_sparse",
                "synergistic_low_rank",
                "synergistic_total",
            )
        )
    )
