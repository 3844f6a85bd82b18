"""Figure 5: how the decomposition's loss falls from iteration to iteration, at several depths."""

import functools
import itertools
from collections.abc import Mapping, Sequence

import torch

from reports.reproduce.block_results import BlockLosses, mean_losses
from reports.reproduce.comparison import version_notes
from reports.reproduce.figures.losses import losses_figure
from reports.reproduce.recipes import studied_blocks
from reports.reproduce.study import Reproduced, Study
from reports.reproduce.walk import Walk, measure_blocks, subject
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
    walk = Walk("figure5", method, functools.partial(_losses, method))
    blocks = depths(studied_blocks(study))
    results = measure_blocks(study, walk, blocks=blocks, cls=BlockLosses)
    losses = {index: result.projections for index, result in results.items()}
    where = subject(study, f"blocks {', '.join(str(index) for index in blocks)} (from 0)")
    figure = losses_figure({index: r.mean_losses for index, r in results.items()}, where)
    made = tuple(results.values())
    table = losses_table(losses, where, notes=version_notes(made))
    return Reproduced((table,), made, {"figure5": figure})


def _losses(method: Sslc, weight: torch.Tensor, statistics: InputStatistics) -> tuple[float, ...]:
    return tuple(method.losses(weight, statistics))


def depths(blocks: int) -> list[int]:
    """The first block, the last, and those at the quarters; fewer when there are fewer."""
    return sorted({round(depth * (blocks - 1)) for depth in _DEPTHS})


def rises(losses: Sequence[float]) -> int:
    """How often a loss is larger than the one before it by more than rounding."""
    return sum(after > before * (1 + _ROUNDING) for before, after in itertools.pairwise(losses))


def losses_table(
    losses: Mapping[int, Mapping[str, Sequence[float]]], where: str, *, notes: Sequence[str] = ()
) -> Table:
    """Mean losses after some iterations, and how often a projection's loss rose.

    Args:
        losses: By block and projection, after each iteration.
        where: Model and settings.
        notes: More footnotes.
    """
    iterations = len(next(iter(next(iter(losses.values())).values())))
    shown = [*(count for count in _SHOWN if count < iterations), iterations]
    rows: list[tuple[Cell, ...]] = []
    for index, projections in losses.items():
        means = mean_losses(projections)
        fall = 1 - means[-1] / means[0] if means[0] else 0.0
        risen = sum(rises(steps) for steps in projections.values())
        rows.append((index, len(projections), *(means[count - 1] for count in shown), fall, risen))
    columns = (
        Column("Block"),
        Column("Projections"),
        *(Column("after 1" if count == 1 else f"{count}", ".4f") for count in shown),
        Column("Fall", ".1%"),
        Column("Rises"),
    )
    title = "Loss of the decomposition by iteration (as Figure 5)"
    footnotes = (*_notes(losses, iterations, where), *notes)
    return Table("figure5", title, columns, tuple(rows), footnotes)


def _notes(
    losses: Mapping[int, Mapping[str, Sequence[float]]], iterations: int, where: str
) -> tuple[str, ...]:
    lines = [steps for projections in losses.values() for steps in projections.values()]
    risen, steps = sum(map(rises, lines)), len(lines) * (iterations - 1)
    held = f"held in all {steps:,}" if risen == 0 else f"failed in {risen:,} of {steps:,}"
    return (
        where + ".",
        "Relative loss ‖W̃ − L̃ − S̃‖_F / ‖W̃‖_F after so many iterations, W̃ = W diag(d); mean over "
        "the block's projections. Fall: from the first to the last. The paper prints no numbers.",
        f"By Appendix A the loss never rises, which the warm start is built for. It {held} "
        f"steps; a rise is one of more than {_ROUNDING:g} of the loss.",
    )
