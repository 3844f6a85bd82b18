"""How long a run will take, estimated from samples taken now on this machine.

A method is timed on random matrices of a projection's shape scaled down, larger and larger until a
sample takes a noticeable time or has the full size. Costs grow with the square of the scale (passes
over the entries) and with its cube (products, factorisations); the two shares are fitted to the
last two samples. A block is read once for a sample; a run reads it twice, and rounds, hashes and
writes it, which takes about as long again.

Every time is processor time, and the least of several samples: what other programs take of a busy
machine, and what happens only once (imports, compilation), is no part of it.
"""

import time
from collections.abc import Callable, Iterable, Mapping

import torch

from sslc.calibration.generated import TOGETHER
from sslc.calibration.statistics import InputStatistics
from sslc.compression.estimate import CalibrationShape
from sslc.compression.plan import Plan
from sslc.compression.projections import one_thread_each
from sslc.methods.base import Method
from sslc.model.blocks import BlockwiseModel
from sslc.refinement.stages import NO_REFINEMENT, Refinement

_SMALLEST_SIDE = 256
_ENOUGH_SECONDS = 0.4
_SAMPLES = 3
_PRODUCT_SIDE = 1024
_READINGS = 3
"""Of a block: for its statistics, projection by projection, and once more as it is stored."""
_MATRIX = (2048, 8192)
"""Larger than a processor's caches: what is written token by token reads every weight anew."""
_MULTIPLE = 32
"""Scaled sides are multiples of it, so that N:M patterns divide them."""


def estimate_seconds(
    model: BlockwiseModel,
    plan: Plan,
    *,
    calibration: CalibrationShape,
    workers: int,
    refinement: Refinement = NO_REFINEMENT,
) -> float:
    """Estimated wall time of a run on the CPU, with its cores to itself.

    Args:
        model: For the shapes.
        plan: Method of every projection.
        calibration: Windows.
        workers: Projections at once.
        refinement: What is trained afterwards.
    """
    shapes: dict[str, tuple[int, int]] = {
        name: (linear.out_features, linear.in_features) for name, linear in model.linears().items()
    }
    pace = _multiplications_per_second()
    known: dict[tuple[Method, int, int], float] = {}
    seconds = 0.0
    for methods in plan.blocks:
        jobs = []
        for name, method in methods.items():
            key = (method, *shapes[name])
            if key not in known:
                known[key] = sample_seconds(*key)
            jobs.append((shapes[name], known[key]))
        order = sorted(jobs, key=lambda job: -job[0][0] * job[0][1])
        seconds += _makespan((time for _, time in order), workers)
        passes = 2 + 4 * any(method.needs_gradients for method in methods.values())
        passes += 3 * refinement.blocks.epochs + 2 if refinement.blocks else 0
        products = passes * sum(m * n for m, n in shapes.values())
        products += sum(
            shapes[name][1] ** 2 for name, method in methods.items() if method.needs_hessian
        )
        seconds += calibration.windows * calibration.window_tokens * products / pace
    seconds += _distillation_products(model, shapes, calibration, refinement) / pace
    return seconds + model.blocks * _READINGS * _reading_seconds(model)


def passing_seconds(model: BlockwiseModel, *, tokens: int) -> float:
    """Estimated wall time of a text that passes through a model once, its head included.

    Args:
        model: For the shapes.
        tokens: Of the text.
    """
    block = sum(linear.weight.numel() for linear in model.linears().values())
    head = model.config.hidden_size * model.config.vocab_size
    products = float(tokens * (model.blocks * block + head))
    return products / _multiplications_per_second() + model.blocks * _reading_seconds(model)


def writing_seconds(model: BlockwiseModel, *, batches: int, length: int) -> float:
    """Estimated wall time of text that the model writes, with the CPU's cores to itself.

    A token of a batch is a product of a few rows with every matrix, the head's too, and a sort of
    the vocabulary for every row.

    Args:
        model: For the shapes.
        batches: Of windows.
        length: Tokens in each window.
    """
    if not batches:
        return 0.0
    rows, matrix = torch.ones(TOGETHER, _MATRIX[0]), torch.ones(_MATRIX)
    logits = torch.rand(TOGETHER, model.config.vocab_size)
    block = sum(linear.weight.numel() for linear in model.linears().values())
    weights = model.blocks * block + model.config.hidden_size * model.config.vocab_size
    with one_thread_each():
        product = _least_seconds(lambda: rows @ matrix) * weights / matrix.numel()
        seconds = product + _least_seconds(logits.sort)
    return float(batches * length * seconds / torch.get_num_threads())


def _distillation_products(
    model: BlockwiseModel,
    shapes: Mapping[str, tuple[int, int]],
    calibration: CalibrationShape,
    refinement: Refinement,
) -> float:
    """Multiplications of the whole-model pass: three passes a step, one of the dense model, heads.

    The head is multiplied by both models' states, and once more by the gradient.
    """
    logits = refinement.logits
    if logits is None:
        return 0
    block = sum(m * n for m, n in shapes.values())
    head = model.config.hidden_size * model.config.vocab_size
    tokens = logits.steps * logits.batch_windows * calibration.window_tokens
    whole = model.blocks * block
    dense = logits.windows * calibration.window_tokens * whole
    return float(tokens * (3 * whole + 3 * head) + dense)


def _reading_seconds(model: BlockwiseModel) -> float:
    """Processor time to read a block and to make its weights real."""

    def read() -> None:
        with model.block(0):
            pass

    return _least_seconds(read)


def sample_seconds(method: Method, m: int, n: int) -> float:
    """Estimated seconds that a method takes for one m×n projection on one thread."""
    side, timed = _SMALLEST_SIDE, list[tuple[float, float]]()
    with one_thread_each():
        while True:
            scale = min(1.0, side / max(m, n))
            try:
                seconds = _timed(method, _scaled(m, scale), _scaled(n, scale))
            except ValueError:  # a constant rank does not fit a small shape
                seconds = None
            if scale == 1.0:
                return seconds or 0.0
            if seconds is not None:
                timed.append((scale, seconds))
                if seconds > _ENOUGH_SECONDS:
                    return _extrapolated(timed[-2:])
            side *= 2


def _scaled(side: int, scale: float) -> int:
    return side if scale == 1.0 else max(1, round(side * scale / _MULTIPLE)) * _MULTIPLE


def _extrapolated(samples: list[tuple[float, float]]) -> float:
    """a + b for seconds = a·scale² + b·scale³, neither negative, through the last samples."""
    (s, t) = samples[-1]
    if len(samples) == 1:
        return t / s**3
    (s0, t0) = samples[0]
    b = (t / s**2 - t0 / s0**2) / (s - s0)
    if b < 0:
        return t / s**2
    return max(t / s**2 - b * s, 0.0) + min(b, t / s**3)


def _timed(method: Method, m: int, n: int) -> float:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(m, n, generator=generator)
    inputs = torch.randn(n, 2 * n, generator=generator) if method.needs_hessian else None
    statistics = InputStatistics(
        norms=torch.rand(n, generator=generator) + 0.5,
        means=torch.randn(n, generator=generator),
        variances=torch.rand(n, generator=generator) + 0.5,
        hessian=None if inputs is None else inputs @ inputs.T,
        gradient=torch.rand(m, n, generator=generator) if method.needs_gradients else None,
        module="MHA",
    )
    return _least_seconds(lambda: method.compress(weight, statistics))


def _least_seconds(work: Callable[[], object]) -> float:
    """Processor time of some work on one thread: the least of several samples."""
    samples = []
    for _ in range(_SAMPLES):
        start = time.process_time()
        work()
        samples.append(time.process_time() - start)
    return min(samples)


def _multiplications_per_second() -> float:
    """Of all threads together, each as fast as one alone."""
    square = torch.ones(_PRODUCT_SIDE, _PRODUCT_SIDE)
    with one_thread_each():
        seconds = _least_seconds(lambda: square @ square)
    return torch.get_num_threads() * float(_PRODUCT_SIDE**3 / seconds)


def _makespan(seconds: Iterable[float], workers: int) -> float:
    """When the last of some jobs ends if each goes to the next free worker."""
    ends = [0.0] * workers
    for duration in seconds:
        ends[ends.index(min(ends))] += duration
    return max(ends)
