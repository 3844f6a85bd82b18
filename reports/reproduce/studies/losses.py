"""Figure 5: how the decomposition's loss falls from iteration to iteration, at several depths."""

import functools
import itertools
from collections.abc import Mapping, Sequence

import torch

from reports.reproduce.figures.losses import losses_figure
from reports.reproduce.study import Reproduced, Study
from reports.reproduce.walk import measure_blocks, method_settings, studied_blocks, subject
from sslc.calibration.statistics import InputStatistics
from sslc.methods.sslc import Sslc
from workloads.results.table import Cell, Column, Table

_DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SHOWN = (1, 2, 5, 10, 20)
_ROUNDING = 1e-6
"""A rise by less than this share of a loss is rounding: losses are sums in float32."""


def figure5(study: Study) -> Reproduced:
    """Relative loss ‖W̃ − L̃ − S̃‖_F / ‖W̃‖_F after each iteration of SSLC.

    Args:
        study: Its blocks within the limits: the first, the last, and those at the quarters.

    Returns:
        A line and a row per block, each the mean over the block's projections; every projection
        in the results.

    Raises:
        InputError: Bad weights, a text that is too short, or a budget that does not fit.

    Source: SSLC Figure 5 and Appendix A, by which the loss never rises. Which blocks and how a
        block's projections are put together is open there.
    """
    method = Sslc(kept_fraction=study.kept_fraction)
    measure = functools.partial(_losses, method)
    blocks = depths(studied_blocks(study))
    found = measure_blocks(study, "figure5", blocks, method_settings(method), measure)
    means = {index: mean_losses(projections) for index, projections in found.items()}
    where = subject(study, f"blocks {', '.join(str(index) for index in blocks)} (from 0)")
    results = [
        {"block": index, "mean_losses": means[index], "losses": found[index]} for index in found
    ]
    return Reproduced(
        (losses_table(found, where),), {"figure5": losses_figure(means, where)}, results
    )


def _losses(method: Sslc, weight: torch.Tensor, statistics: InputStatistics) -> list[float]:
    return method.losses(weight, statistics)


def depths(blocks: int) -> list[int]:
    """The first block, the last, and those at the quarters; fewer when there are fewer."""
    return sorted({round(depth * (blocks - 1)) for depth in _DEPTHS})


def mean_losses(projections: Mapping[str, Sequence[float]]) -> list[float]:
    """After each iteration, the mean over a block's projections."""
    return [sum(each) / len(each) for each in zip(*projections.values(), strict=True)]


def rises(losses: Sequence[float]) -> int:
    """How often a loss is larger than the one before it by more than rounding."""
    return sum(after > before * (1 + _ROUNDING) for before, after in itertools.pairwise(losses))


def losses_table(found: Mapping[int, Mapping[str, Sequence[float]]], where: str) -> Table:
    """Mean losses after some iterations, and how often a projection's loss rose.

    Args:
        found: Losses by block and projection.
        where: Model and settings.
    """
    iterations = len(next(iter(next(iter(found.values())).values())))
    shown = [*(count for count in _SHOWN if count < iterations), iterations]
    rows: list[tuple[Cell, ...]] = []
    for index, projections in found.items():
        losses = mean_losses(projections)
        rows.append(
            (
                index,
                len(projections),
                *(losses[count - 1] for count in shown),
                1 - losses[-1] / losses[0] if losses[0] else 0.0,
                sum(rises(each) for each in projections.values()),
            )
        )
    columns = (
        Column("Block"),
        Column("Projections"),
        *(Column("after 1" if count == 1 else f"{count}", ".4f") for count in shown),
        Column("Fall", ".1%"),
        Column("Rises"),
    )
    return Table(
        "figure5",
        "Loss of the decomposition by iteration (as Figure 5)",
        columns,
        tuple(rows),
        _notes(rows, iterations, where),
    )


def _notes(rows: Sequence[tuple[Cell, ...]], iterations: int, where: str) -> tuple[str, ...]:
    risen = sum(int(row[-1] or 0) for row in rows)
    steps = sum(int(row[1] or 0) for row in rows) * (iterations - 1)
    held = f"held in all {steps:,}" if risen == 0 else f"failed in {risen:,} of {steps:,}"
    return (
        where + ".",
        "Relative loss ‖W̃ − L̃ − S̃‖_F / ‖W̃‖_F after so many iterations, W̃ = W diag(d); mean over "
        "the block's projections. Fall: from the first to the last. The paper prints no numbers.",
        f"By Appendix A the loss never rises, which the warm start is built for. It {held} "
        f"steps; a rise is one of more than {_ROUNDING:g} of the loss.",
    )
