"""How well the simulator predicts this machine: dense and compressed products, timed and run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

import accelerator_sim
from accelerator_sim.models.by_name import Model
from reports.measuring.operands import MeasuredSource, Operands, synthetic_operands
from reports.measuring.runtimes import measure_source
from reports.measuring.this_machine import Calibration
from workloads.masks.packed import SparseLowRankGemm
from workloads.results.identity import Subject
from workloads.results.runtime import Product, ProjectionRuntime, RuntimeResult, best
from workloads.support.progress import Progress, silent

SHAPES = ((1024, 1024), (4096, 1024), (4096, 4096), (11008, 4096))
KEPT = (0.3, 0.5, 0.7)
TOKENS = (1, 4, 16, 128)
RANK_SHARE = 0.0625
MODELS: tuple[Model, ...] = ("roofline", "compiled")


@dataclass(frozen=True)
class PredictedRuntime:
    """One product, timed and predicted.

    Attributes:
        m: Rows of W.
        n: Columns of W.
        kept_fraction: Of the parameters, factors included; 1 for the dense product.
        tokens: Columns of X.
        product: ``dense`` or ``compressed``.
        backend: That was timed: the fastest dense one, or ours.
        measured_seconds: Lower quartile.
        predicted_seconds: By cycle model: its cycles, and the call.
    """

    m: int
    n: int
    kept_fraction: float
    tokens: int
    product: Product
    backend: str
    measured_seconds: float
    predicted_seconds: Mapping[str, float]

    def error(self, model: str) -> float:
        """Predicted over measured, less one."""
        return self.predicted_seconds[model] / self.measured_seconds - 1


@dataclass(frozen=True)
class Prediction:
    """A calibrated machine and how it does.

    Attributes:
        calibration: The machine.
        runtimes: What was timed.
        products: Timed and predicted.
    """

    calibration: Calibration
    runtimes: RuntimeResult
    products: tuple[PredictedRuntime, ...]


def predict(
    calibration: Calibration,
    *,
    shapes: tuple[tuple[int, int], ...] = SHAPES,
    kept: tuple[float, ...] = KEPT,
    tokens: tuple[int, ...] = TOKENS,
    seconds: float = 0.1,
    progress: Progress = silent,
) -> Prediction:
    """Time and predict dense and compressed products.

    Args:
        calibration: Of the processor at hand.
        shapes: Rows and columns of W.
        kept: Kept fractions of the compressed ones.
        tokens: Columns of X.
        seconds: Measuring time of each backend.
        progress: Told after every projection.
    """
    cases = [(m, n, share) for m, n in shapes for share in kept]

    def projections() -> Iterator[Operands]:
        for place, (m, n, share) in enumerate(cases):
            yield synthetic_operands(m, n, kept_fraction=share, rank_share=RANK_SHARE, seed=place)

    subject = Subject("synthetic", "synthetic", sum(kept) / len(kept), "wanda_lognormal", "")
    source = MeasuredSource((0,), len(cases), projections, lambda: subject)
    result = measure_source(
        source, tokens=tokens, backends=("kernel cpu",), device=torch.device("cpu"),
        threads=calibration.threads, seconds=seconds, progress=progress,
    )  # fmt: skip
    measured = iter(result.projections)
    products: dict[tuple[object, ...], PredictedRuntime] = {}
    for (m, n, share), operands in zip(cases, projections(), strict=True):
        for count in sorted(set(tokens)):
            for one in _predicted(calibration, operands, next(measured), share):
                products.setdefault((m, n, one.kept_fraction, count, one.product), one)
    return Prediction(calibration, result, tuple(products.values()))


def _predicted(
    calibration: Calibration, operands: Operands, measured: ProjectionRuntime, kept_fraction: float
) -> Iterator[PredictedRuntime]:
    item = SparseLowRankGemm(operands.gemm, operands.mask, operands.rank)
    machine, tokens = calibration.machine, measured.tokens
    simulated = accelerator_sim.simulate(item, machine, models=MODELS, tokens=tokens)
    modules = {
        result.identity.cycle_model: result.total[operands.gemm.module] for result in simulated
    }
    dense = {name: cycles.dense_cycles for name, cycles in modules.items()}
    compressed = {name: cycles.sum_cycles for name, cycles in modules.items()}
    runs: tuple[tuple[Product, float, Mapping[str, float]], ...] = (
        ("dense", 1.0, dense),
        ("compressed", kept_fraction, compressed),
    )
    for product, share, cycles in runs:
        timed = best(measured.runtimes, product)
        if timed is not None:
            yield PredictedRuntime(
                measured.m,
                measured.n,
                share,
                tokens,
                product,
                timed.backend,
                timed.lower_quartile_seconds,
                {
                    name: count / machine.clock_hz + calibration.call_seconds
                    for name, count in cycles.items()
                },
            )
