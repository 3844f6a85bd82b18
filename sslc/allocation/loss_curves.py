"""What each projection loses at each of some shares: measured with the run's method on its inputs.

The inputs are those of the dense model. Memory holds one block, its X Xᵀ, and what the workers of
one share hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from sslc.calibration.statistics import InputStatistics
from sslc.calibration.windows import Calibration, calibration_windows, load_calibration
from sslc.compression.plan import DENSE
from sslc.compression.preparation import Prepared
from sslc.compression.projections import compress_block, default_workers, input_statistics
from sslc.methods.base import Method
from sslc.model.blocks import BlockwiseModel
from sslc.model.checkpoint import Checkpoint
from sslc.model.names import full_name, pattern_name, weight_name
from sslc.model.weights import dense_weight, row_chunks
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent


@dataclass(frozen=True)
class LossCurve:
    """What a projection loses.

    Attributes:
        output: ‖W X‖_F² of the dense projection over the calibration text.
        errors: ‖(W − Ŵ) X‖_F² by the position of the method that gave Ŵ, of those whose budget
            fits the projection's shape.
    """

    output: float
    errors: Mapping[int, float]

    def relative(self) -> dict[int, float]:
        """Errors over the output's square; as they are where the output is zero throughout."""
        return {which: error / (self.output or 1.0) for which, error in self.errors.items()}


def loss_curves(
    checkpoint: Checkpoint,
    prepared: Prepared,
    methods: Sequence[Method],
    *,
    names: Mapping[int, Sequence[str]],
    calibration: Calibration,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, LossCurve]:
    """Loss curves of some projections, block by block.

    Args:
        checkpoint: The dense model.
        prepared: The run; its dtype is what Ŵ is rounded to.
        methods: One for each share, alike in all else.
        names: Of the projections to measure, by block.
        calibration: Text and windows.
        workers: Projections at once; None for one per core. Their number changes no value.
        progress: Told after every block.

    Returns:
        Curves by name, such as ``layers.3.self_attn.q_proj``.

    Raises:
        InputError: The text or a weight cannot be used, or the method needs gradients.
    """
    if any(method.needs_gradients for method in methods):
        raise InputError(
            f"loss curves: {methods[0].name} needs gradients of the weights, which are not "
            "collected here; another method would do"
        )
    model = prepared.model
    text = load_calibration(checkpoint, calibration, device=model.device, progress=progress)
    hidden = model.embed(calibration_windows(checkpoint, text, calibration=calibration))
    used = workers or default_workers(model.device)
    curves: dict[str, LossCurve] = {}
    for index in range(max(names, default=-1) + 1):
        progress("loss curves", index, model.blocks)
        chosen = dict.fromkeys(names.get(index, ()), DENSE)
        statistics = input_statistics(
            model, index, methods=chosen, hidden=hidden, keep=True, products=True
        )
        step = _Step(model, index, statistics, prepared.dtype, used)
        errors = [_errors(step, method) for method in methods]
        for name in chosen:
            curves[pattern_name(index, name)] = LossCurve(
                _squared(model.read(weight_name(full_name(index, name))), statistics[name]),
                {i: each[name] for i, each in enumerate(errors) if name in each},
            )
    progress("loss curves", model.blocks, model.blocks)
    return curves


@dataclass(frozen=True, eq=False)
class _Step:
    """One block and what flows into its projections."""

    model: BlockwiseModel
    index: int
    statistics: Mapping[str, InputStatistics]
    dtype: str
    workers: int


def _errors(step: _Step, method: Method) -> dict[str, float]:
    """Squared output errors by projection, of those whose shape the method's budget fits."""
    linears = step.model.linears()
    fitting = {n: method for n in step.statistics if fits(method, *linears[n].weight.shape)}
    made = compress_block(
        step.model, step.index, methods=fitting,
        statistics={name: step.statistics[name] for name in fitting},
        dtype=step.dtype, workers=step.workers,
    )  # fmt: skip
    errors = {}
    for name, (_, stored) in made.items():
        weight = step.model.read(weight_name(full_name(step.index, name)))
        lost = weight - dense_weight(stored).to(weight.device)
        errors[name] = _squared(lost, step.statistics[name])
    return errors


def fits(method: Method, m: int, n: int) -> bool:
    """Whether a method's budget can be met for an m×n projection."""
    try:
        method.budget(m, n)
    except ValueError:
        return False
    return True


def _squared(matrix: torch.Tensor, statistics: InputStatistics) -> float:
    """‖M X‖_F² = tr(M X Xᵀ Mᵀ): products in float32, their sum in float64."""
    products = statistics.hessian
    assert products is not None
    parts = (matrix[rows] for rows in row_chunks(*matrix.shape))
    return max(0.0, sum(float(((p @ products) * p).sum(dtype=torch.float64)) for p in parts))
