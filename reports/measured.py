"""Runtimes measured on the device at hand: the dense product against what the artifact runs.

The compressed side is a CSR product with S (torch.sparse: MKL on the CPU, cuSPARSE on CUDA) plus
the two thin products Vᵀ X and U (Vᵀ X). Nothing is assumed: where the sparse kernel is slower
than the dense product, the ratio is below one.
"""

import warnings
from collections.abc import Sequence

import torch
from torch.utils.benchmark import Timer

from sslc.model.devices import device_name
from sslc.model.weights import dense_weight, sparse_part, to_torch
from workloads.artifact.read import Artifact, CompressedTensors
from workloads.results.identity import provenance
from workloads.results.kinds import ProjectionRuntime, RuntimeIdentity, RuntimeResult
from workloads.results.subject import subject_of
from workloads.support.errors import InputError
from workloads.support.progress import Progress, silent

KERNEL = "torch CSR"
"""What runs S."""


def measure_artifact(
    artifact: Artifact,
    *,
    tokens: Sequence[int] = (1, 128),
    blocks: Sequence[int] = (0,),
    device: torch.device,
    seconds: float = 0.1,
    progress: Progress = silent,
) -> RuntimeResult:
    """Measure every projection of some blocks, in float32.

    Args:
        artifact: The compressed model.
        tokens: Numbers of tokens; repeated ones are measured once.
        blocks: Block indices, likewise.
        device: Where.
        seconds: Measuring time per kernel.
        progress: Told after every projection.

    Raises:
        InputError: A block index or a number of tokens is out of range.
    """
    counts, indices = sorted(set(tokens)), sorted(set(blocks))
    _check(artifact, counts, indices)
    threads = 1 if device.type == "cuda" else torch.get_num_threads()
    name = device_name(device)
    identity = RuntimeIdentity(
        subject=subject_of(artifact),
        blocks=tuple(indices),
        tokens=tuple(counts),
        dtype="F32",
        device=name,
        threads=threads,
        libraries={"torch": torch.__version__},
        kernel=KERNEL,
    )
    projections = _projections(artifact, counts, indices, device, seconds, progress)
    return RuntimeResult(identity, provenance(device=name, threads=threads), projections)


def _check(artifact: Artifact, tokens: Sequence[int], blocks: Sequence[int]) -> None:
    for index in blocks:
        if not 0 <= index < len(artifact.blocks):
            raise InputError(
                f"block {index}: the artifact has blocks 0 to {len(artifact.blocks) - 1}"
            )
    if not tokens or tokens[0] < 1:
        raise InputError(f"tokens must be at least 1, got {list(tokens)}")


def _projections(
    artifact: Artifact,
    tokens: Sequence[int],
    blocks: Sequence[int],
    device: torch.device,
    seconds: float,
    progress: Progress,
) -> tuple[ProjectionRuntime, ...]:
    runtimes = []
    records = [(index, record) for index in blocks for record in artifact.blocks[index].projections]
    for done, (index, record) in enumerate(records):
        progress("measure", done, len(records))
        stored = artifact.read(index, record.name)
        for count in tokens:
            times = _measure_projection(stored, count, device, seconds)
            runtimes.append(ProjectionRuntime(index, record.name, record.module, count, *times))
    progress("measure", len(records), len(records))
    return tuple(runtimes)


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
