"""What a run will give and take, from shapes alone: kept entries, bytes on disk, peak memory.

Nothing here reads a weight. The peak is meant as an upper bound that is not far above the truth: of
the moments in a run that could be the highest, the highest.
"""

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sslc.compression.plan import Plan
from sslc.methods.base import Method
from sslc.methods.rounded import precision_of
from sslc.model.blocks import TOKENS_AT_ONCE, BlockwiseModel
from sslc.model.checkpoint import Checkpoint
from sslc.model.names import EMBEDDING, weight_name
from sslc.model.weights import CHUNK_ENTRIES
from sslc.refinement.stages import LogitDistillation
from workloads.artifact.storage import FLOAT_BYTES, Storage
from workloads.shapes.gemm import Module
from workloads.shapes.transformer import PROJECTION_MODULES
from workloads.support.errors import InputError

_ALLOCATOR = 1.05
"""Room for what the allocator keeps; an assumption."""
_LOADED_LATER = 192 * 2**20
"""Room for the tokenizer, its text and compiled code; an assumption."""


@dataclass(frozen=True)
class ProjectionEstimate:
    """What one projection will get.

    Attributes:
        block: Its block.
        name: Its name in the block.
        module: ``MHA`` or ``FFN``.
        m: Rows.
        n: Columns.
        method: Name of its method; ``dense`` when it stays as it is.
        kept_fraction: As asked for.
        rank: Of U Vᵀ.
        nonzeros: Of S.
        storage: Formats in which it will be stored.
        dtype: Of the run, in which a dense copy would be.
    """

    block: int
    name: str
    module: Module
    m: int
    n: int
    method: str
    kept_fraction: float
    rank: int
    nonzeros: int
    storage: Storage
    dtype: str

    @property
    def parameters(self) -> int:
        """Kept entries: nonzeros of S, U and V."""
        return self.nonzeros + self.rank * (self.m + self.n)

    @property
    def stored_bytes(self) -> int:
        """Mask bits, values, scales and factors."""
        return self.storage.stored_bytes(self.m, self.n, rank=self.rank, nonzeros=self.nonzeros)

    @property
    def dense_bytes(self) -> int:
        """Of the dense matrix in the stored dtype."""
        return self.m * self.n * FLOAT_BYTES[self.dtype]


class CalibrationShape(Protocol):
    """How much calibration there is."""

    @property
    def windows(self) -> int:
        """Windows."""
        ...

    @property
    def window_tokens(self) -> int:
        """Tokens in each."""
        ...


def estimate_projections(
    model: BlockwiseModel, plan: Plan, *, dtype: str
) -> tuple[ProjectionEstimate, ...]:
    """What every projection will get.

    Args:
        model: For the shapes.
        plan: Method of every projection.
        dtype: Stored dtype.

    Raises:
        InputError: A budget does not fit a projection.
    """
    linears = model.linears()
    estimates = []
    for block, name, method in plan:
        m, n = linears[name].weight.shape
        try:
            rank, nonzeros = method.budget(m, n)
        except ValueError as error:
            raise InputError(f"block {block}, {name}: {error}") from error
        module = PROJECTION_MODULES[name.rpartition(".")[2]]
        kept = method.kept_fraction
        storage = precision_of(method).storage(dtype, full=nonzeros == m * n)
        estimates.append(
            ProjectionEstimate(
                block, name, module, m, n, method.name, kept, rank, nonzeros, storage, dtype
            )
        )
    return tuple(estimates)


def peak_bytes(
    model: BlockwiseModel,
    plan: Plan,
    *,
    estimates: tuple[ProjectionEstimate, ...],
    calibration: CalibrationShape,
    workers: int,
    trained: bool = False,
) -> int:
    """Upper estimate of the process's resident memory at its highest.

    Args:
        model: For shapes and the stored dtypes.
        plan: Method of every projection.
        estimates: Of ``estimate_projections``.
        calibration: Windows.
        workers: Projections at once.
        trained: Whether blocks are trained once they are compressed.

    Returns:
        Bytes when everything runs on the CPU: what the process has now and room for its tokenizer;
        hidden states; one float32 block and its activations, or its statistics and what the
        workers hold, or a block that is trained; the compressed block; file-backed pages of the
        tensor being read.
    """
    config = model.config
    hidden = 4 * calibration.windows * calibration.window_tokens * config.hidden_size
    highest = 0.0
    for index, methods in enumerate(plan.blocks):
        block = [estimate for estimate in estimates if estimate.block == index]
        stored = sum(estimate.stored_bytes for estimate in block)
        whole = 4 * sum(estimate.m * estimate.n for estimate in block)
        widest = max(4 * estimate.m * estimate.n for estimate in block)
        statistics = _statistics_bytes(block, methods)
        gradients = any(method.needs_gradients for method in methods.values())
        jobs = sorted((_job_bytes(e, methods[e.name]) for e in block), reverse=True)
        forward = whole + 2 * widest + _activation_bytes(config, calibration)
        moments = [
            forward + statistics,
            statistics + stored + sum(jobs[:workers]) + (whole if gradients else 0),
            forward + stored,
        ]
        if gradients:
            moments.append(3 * whole + 3 * _activation_bytes(config, calibration) + 2 * hidden)
        if trained:
            training = _training_bytes(block) + 3 * _activation_bytes(config, calibration)
            moments.append(training + statistics + 2 * stored)
        highest = max(highest, *moments)
    streams = (3 if trained else 2) * hidden
    return _resident_bytes() + int(_ALLOCATOR * max(highest + streams, _largest_rest(model)))


def fit_workers(
    model: BlockwiseModel,
    plan: Plan,
    *,
    estimates: tuple[ProjectionEstimate, ...],
    calibration: CalibrationShape,
    workers: int,
    max_memory_bytes: int | None,
    trained: bool = False,
) -> int:
    """The most workers, up to a number, whose estimated peak stays within a limit.

    Only this depends on the limit: the number of workers changes no byte.

    Raises:
        InputError: One worker would already need more.
    """
    if max_memory_bytes is None:
        return workers
    for count in range(workers, 0, -1):
        needed = peak_bytes(
            model,
            plan,
            estimates=estimates,
            calibration=calibration,
            workers=count,
            trained=trained,
        )
        if needed <= max_memory_bytes:
            return count
    raise InputError(
        f"--max-memory {max_memory_bytes / 2**30:.2f} GiB: even with one worker this run may need "
        f"{needed / 2**30:.2f} GiB; that much would do, as would fewer or shorter windows where "
        "calibration takes most of it"
    )


def _resident_bytes() -> int:
    """What the process has now, and room for the tokenizer and code that is not loaded yet."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        now = pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return now + _LOADED_LATER


def whole_model_bytes(
    model: BlockwiseModel,
    estimates: tuple[ProjectionEstimate, ...],
    calibration: CalibrationShape,
    distillation: LogitDistillation,
) -> int:
    """Upper estimate of the process's resident memory while the whole model is trained.

    Args:
        model: For shapes.
        estimates: Of ``estimate_projections``.
        calibration: For the length of windows.
        distillation: For their number.

    Returns:
        What the process has now; every projection with gradients and moments; embeddings and head;
        the activations of one window, which all blocks keep; the dense model's states.
    """
    config, length = model.config, calibration.window_tokens
    per_token = 6 * config.intermediate_size + 12 * config.hidden_size
    activations = 4 * length * per_token * model.blocks
    logits = 8 * 4 * min(length, 128) * config.vocab_size
    states = 2 * 4 * distillation.windows * length * config.hidden_size
    embeddings = 2 * 4 * config.vocab_size * config.hidden_size
    parts = _training_bytes(list(estimates)) + activations + logits + states + embeddings
    return _resident_bytes() + int(_ALLOCATOR * parts)


def _training_bytes(block: list[ProjectionEstimate]) -> int:
    """Projections that are trained: S with its zeros, U, V, gradients and moments, and the mask.

    The gradient of S exists twice while zeros are put at the other places of it.
    """
    entries = sum(e.m * e.n for e in block)
    factors = sum(e.rank * (e.m + e.n) for e in block)
    widest = max(e.m * e.n for e in block)
    return 4 * (4 * entries + 4 * factors + 2 * widest) + entries


def _statistics_bytes(block: list[ProjectionEstimate], methods: Mapping[str, Method]) -> int:
    """Float32 Hessians of the distinct inputs, and vectors that hardly count."""
    shapes = {e.name: e.n for e in block if methods[e.name].needs_hessian}
    vectors = sum(40 * e.n for e in block)
    return vectors + sum(4 * n * n for n in shapes.values())


def _job_bytes(estimate: ProjectionEstimate, method: Method) -> float:
    """One worker: W as read and in float32, the method's working copies, rounding."""
    copies = method.working_copies
    entries = estimate.m * estimate.n
    chunk = 40 * min(entries, CHUNK_ENTRIES)
    return entries * (4 + 4 + 4 * copies.weights) + 8 * copies.hessians * estimate.n**2 + chunk


def _activation_bytes(config: Any, calibration: CalibrationShape) -> int:
    """Of one batch through a block: the FFN's, the attention's, and scores if they are formed."""
    length = calibration.window_tokens
    batch = min(calibration.windows, max(1, TOKENS_AT_ONCE // length))
    per_token = 6 * config.intermediate_size + 12 * config.hidden_size
    scores = 2 * config.num_attention_heads * length
    return int(4 * batch * length * (per_token + scores))


def _largest_rest(model: BlockwiseModel) -> int:
    """The largest tensor outside blocks; it is copied to the artifact page by page."""
    config = model.config
    width = 4
    if isinstance(model.source, Checkpoint):
        dtype = model.source.dtypes.get(weight_name(EMBEDDING), "F32")
        width = FLOAT_BYTES.get(dtype, 4)
    return int(config.vocab_size * config.hidden_size * width)
