"""Kept fractions of blocks by their outliers: OWL (Yin et al. 2023, arXiv 2310.05175)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from sslc.calibration.windows import Calibration, calibration_windows, load_calibration
from sslc.compression.plan import DENSE, Choice, Override, Plan
from sslc.compression.preparation import prepare
from sslc.compression.projections import input_statistics
from sslc.methods.base import Method
from sslc.methods.scores import wanda
from sslc.model.blocks import BlockwiseModel
from sslc.model.checkpoint import Checkpoint
from sslc.model.names import full_name, pattern_name, weight_name
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent


@dataclass(frozen=True)
class Owl:
    """How OWL divides a budget.

    Attributes:
        outliers: A score this many times the block's mean score is an outlier; its M.
        width: Between the largest and the smallest kept fraction; twice its λ.

    Source: Yin et al. 2023 with M = 5 (or 7) and λ = 0.08. Their text bounds each block's
    fraction to λ around the mean, their program the distance between the outermost two to 2λ: here
    as the program has it.
    """

    outliers: float = 5.0
    width: float = 0.16

    def __post_init__(self) -> None:
        if not self.outliers > 0:
            raise ValueError(f"outliers must be above 0, got {self.outliers}")
        if not 0 <= self.width <= 1:
            raise ValueError(f"width must be from 0 to 1, got {self.width}")

    def fractions(
        self, shares: Sequence[float], parameters: Sequence[int], kept_fraction: float
    ) -> tuple[float, ...]:
        """Kept fractions of blocks, whose mean over all parameters is that of the run.

        Args:
            shares: Of outliers, block by block.
            parameters: Of each block's compressed projections, none 0.
            kept_fraction: Of the whole.

        Returns:
            Equal ones where all shares are.

        Raises:
            InputError: A fraction would be below 0 or above 1.
        """
        low, high = min(shares), max(shares)
        scale = self.width / (high - low) if high > low else 0.0
        raised = [(share - low) * scale for share in shares]
        weighted = zip(raised, parameters, strict=True)
        mean = sum(rise * count for rise, count in weighted) / sum(parameters)
        fractions = tuple(kept_fraction + rise - mean for rise in raised)
        if min(fractions) < 0 or max(fractions) > 1:
            raise InputError(
                f"owl: kept fractions from {min(fractions):.3f} to {max(fractions):.3f} around "
                f"{kept_fraction:g} leave 0 to 1; use a smaller width than {self.width:g}"
            )
        return fractions


def outlier_share(scores: Sequence[torch.Tensor], times: float) -> float:
    """Share of scores above so many times their mean, over all matrices together.

    Args:
        scores: Of each projection's weights.
        times: The mean.
    """
    count = sum(each.numel() for each in scores)
    threshold = times * sum(float(each.sum(dtype=torch.float64)) for each in scores) / count
    return sum(int((each > threshold).sum()) for each in scores) / count


def owl_overrides(
    checkpoint: Checkpoint,
    method: Method,
    *,
    owl: Owl,
    calibration: Calibration,
    choice: Choice,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> tuple[Override, ...]:
    """One kept fraction for each block in which something is compressed.

    Scores are Wanda's, with inputs from the dense model. Memory holds one block and the scores of
    its projections.

    Args:
        checkpoint: The dense model.
        method: Of the run; its kept fraction is the mean.
        owl: How the budget is divided.
        calibration: Text and windows.
        choice: Projections that stay dense, which are not looked at.
        device: Where the arithmetic runs; the CPU by default.
        progress: Told after every block.

    Returns:
        Overrides, to stand before those of the user.

    Raises:
        InputError: As ``compress_checkpoint``; or a fraction would leave 0 to 1.
    """
    prepared = prepare(checkpoint, method, dtype="auto", device=device, choice=choice)
    text = load_calibration(checkpoint, calibration, device=device, progress=progress)
    windows = calibration_windows(checkpoint, text, calibration=calibration)
    model, plan = prepared.model, prepared.plan
    hidden = model.embed(windows)
    shares: dict[int, float] = {}
    parameters: dict[int, int] = {}
    for index, names in _compressed(plan):
        progress("outliers", index, model.blocks)
        scores = list(_scores(model, index, names, hidden))
        if names:
            shares[index] = outlier_share(scores, owl.outliers)
            parameters[index] = sum(each.numel() for each in scores)
    progress("outliers", model.blocks, model.blocks)
    fractions = owl.fractions(
        list(shares.values()), list(parameters.values()), method.kept_fraction
    )
    return tuple(
        Override(pattern_name(index, "*"), {"kept_fraction": fraction}, f"owl: block {index}")
        for index, fraction in zip(shares, fractions, strict=True)
    )


def _compressed(plan: Plan) -> Iterator[tuple[int, list[str]]]:
    for index, block in enumerate(plan.blocks):
        yield index, [name for name, method in block.items() if method is not DENSE]


def _scores(
    model: BlockwiseModel, index: int, names: Sequence[str], hidden: torch.Tensor
) -> Iterator[torch.Tensor]:
    """Wanda's scores of a block's projections; the hidden states become the block's outputs."""
    methods = dict.fromkeys(names, DENSE)
    statistics = input_statistics(model, index, methods=methods, hidden=hidden, keep=True)
    for name in names:
        yield wanda(statistics[name])(model.read(weight_name(full_name(index, name))))
