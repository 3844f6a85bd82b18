"""Weights and inputs of the dense model's projections, for those who study them.

Compression collects inputs that have passed through compressed blocks; here all are dense.
"""

from collections.abc import Callable

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.compression.plan import DENSE
from sslc.compression.projections import input_statistics, projection_names
from sslc.model.blocks import BlockwiseModel
from sslc.model.finite import not_finite
from sslc.model.names import full_name, weight_name
from sslc.model.source import WeightSource

Projections = dict[str, tuple[torch.Tensor, InputStatistics]]


def _ignore(_block: int) -> None:
    """Tell nobody."""


class DenseInputs:
    """The blocks of a dense model, asked for in rising order.

    Nothing is read before the first is asked for, and no block after the last. Memory holds one
    block and the activations.

    Args:
        source: The dense model.
        windows: Makes the calibration windows when they are needed: token ids, shape (w, L).
        device: Where blocks run; the CPU by default.
        passed: Told how many blocks lie behind after each.
    """

    def __init__(
        self,
        source: WeightSource,
        windows: Callable[[], torch.Tensor],
        device: torch.device | None = None,
        passed: Callable[[int], None] = _ignore,
    ) -> None:
        self._source, self._windows, self._device = source, windows, device
        self._passed = passed
        self._reached = 0
        self._begun: tuple[BlockwiseModel, torch.Tensor] | None = None

    def at(self, index: int) -> Projections:
        """Weight (m×n, float32) and input statistics of a block's projections, by dotted name.

        Args:
            index: Which block; not one before the last that was asked for.

        Raises:
            InputError: A weight is missing or of the wrong shape, or values are not finite.
            ValueError: The walk is past this block.
        """
        if index < self._reached:
            raise ValueError(f"block {index} is asked for after block {self._reached}")
        model, hidden = self._walk_to(index)
        methods = dict.fromkeys(projection_names(model), DENSE)
        projections = {}
        for name, statistics in input_statistics(
            model, index, methods=methods, hidden=hidden
        ).items():
            if not torch.isfinite(statistics.norms).all():
                raise not_finite(self._source, f"the input of block {index}, {name}")
            projections[name] = model.read(weight_name(full_name(index, name))), statistics
        return projections

    def _walk_to(self, index: int) -> tuple[BlockwiseModel, torch.Tensor]:
        """The model, and the inputs of one of its blocks."""
        if self._begun is None:
            model = BlockwiseModel(self._source, self._device)
            self._begun = model, model.embed(self._windows())
        model, hidden = self._begun
        while self._reached < index:
            with model.block(self._reached) as block:
                model.run(self._reached, block, hidden)
            self._reached += 1
            self._passed(self._reached)
        return model, hidden
