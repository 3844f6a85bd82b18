"""Runtimes measured on the device at hand: the dense product against what the artifact runs.

The compressed side is a CSR product with S (torch.sparse: MKL on the CPU, cuSPARSE on CUDA) plus
the two thin products Vᵀ X and U (Vᵀ X). Nothing is assumed: where the sparse kernel is slower
than the dense product, the ratio is below one.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.utils.benchmark import Timer

from sslc.model.devices import device_name
from sslc.model.weights import dense_weight, sparse_part, to_torch
from workloads.artifact.read import Artifact, CompressedTensors
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent


@dataclass(frozen=True)
class ProjectionRuntime:
    """Median seconds of one projection at one number of tokens, float32.

    Attributes:
        block: Which block.
        name: Projection.
        module: MHA or FFN.
        tokens: Columns of X.
        dense_seconds: W' X as one dense product.
        sparse_seconds: S X.
        low_rank_seconds: U (Vᵀ X); 0 when the rank is 0.
    """

    block: int
    name: str
    module: str
    tokens: int
    dense_seconds: float
    sparse_seconds: float
    low_rank_seconds: float


@dataclass(frozen=True)
class Device:
    """Where runtimes were measured."""

    name: str
    threads: int
    torch_version: str


def describe_device(device: torch.device) -> Device:
    """The device at hand by the name that its vendor gives it."""
    threads = 1 if device.type == "cuda" else torch.get_num_threads()
    return Device(device_name(device), threads, torch.__version__)


def measure(
    artifact: Artifact,
    tokens: Sequence[int],
    blocks: Sequence[int],
    device: torch.device,
    seconds_each: float = 0.1,
    progress: Progress = silent,
) -> list[ProjectionRuntime]:
    """Measure every projection of some blocks.

    Args:
        artifact: The compressed model.
        tokens: Numbers of tokens.
        blocks: Block indices.
        device: Where.
        seconds_each: Measuring time per kernel.
        progress: Told after every projection.

    Raises:
        InputError: A block index or a number of tokens is out of range.
    """
    for index in blocks:
        if not 0 <= index < len(artifact.blocks):
            raise InputError(
                f"block {index}: the artifact has blocks 0 to {len(artifact.blocks) - 1}"
            )
    if not tokens or min(tokens) < 1:
        raise InputError(f"tokens must be at least 1, got {list(tokens)}")
    runtimes = []
    places = [(index, record) for index in blocks for record in artifact.blocks[index].projections]
    for done, (index, record) in enumerate(places):
        progress("measure", done, len(places))
        stored = artifact.read(index, record.name)
        for count in tokens:
            dense, sparse, low_rank = _measure_projection(stored, count, device, seconds_each)
            runtimes.append(
                ProjectionRuntime(index, record.name, record.module, count, dense, sparse, low_rank)
            )
    progress("measure", len(places), len(places))
    return runtimes


@torch.inference_mode()
def _measure_projection(
    stored: CompressedTensors, tokens: int, device: torch.device, seconds: float
) -> tuple[float, float, float]:
    dense = dense_weight(stored).to(device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")
        sparse = sparse_part(stored).to(device).to_sparse_csr()
    u, v_transposed = to_torch(stored.u).float().to(device), to_torch(stored.v).float().to(device).T
    x = torch.randn(dense.shape[1], tokens, generator=torch.Generator().manual_seed(0)).to(device)
    times = [_median("a @ x", seconds, a=matrix, x=x) for matrix in (dense, sparse)]
    thin = _median("u @ (v @ x)", seconds, u=u, v=v_transposed, x=x) if u.shape[1] else 0.0
    return times[0], times[1], thin


def _median(statement: str, seconds: float, **names: torch.Tensor) -> float:
    timer = Timer(statement, globals=names, num_threads=torch.get_num_threads())
    return float(timer.blocked_autorange(min_run_time=seconds).median)
