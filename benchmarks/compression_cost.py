"""What compressing a matrix costs in CPU seconds of one thread: SSLC's iteration, every method.

Peak memory is in copies of the matrix, itself included.

python -m benchmarks.compression_cost
"""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from sslc.calibration.statistics import InputStatistics
from sslc.linalg.selection import keep_top
from sslc.methods.registry import METHODS, load_method
from sslc.methods.sslc import Sslc

RANK = 128
FULL, SMALL = (4096, 4096), (1024, 1024)
GROWTH = (FULL[0] // SMALL[0]) ** 3
CUBIC = ("alps", "oats", "rpca", "svd", "svd-llm")
"""With full decompositions: timed at SMALL and multiplied by the cube of the ratio of the sides."""


def main() -> None:
    torch.set_num_threads(1)
    for shape in (FULL, (4096, 11008)):
        iteration(*shape)
    selections(*FULL)
    square = torch.randn(SMALL)
    exact = best(lambda: torch.linalg.svd(square, full_matrices=False), 2) * GROWTH
    print(f"full SVD of 4096 x 4096: {exact:.0f} s (64 times that of 1024 x 1024)", flush=True)
    print("\n| method | CPU seconds at 4096 x 4096 | peak memory, copies of the matrix |")
    print("|---|---|---|")
    for name in METHODS:
        shape = SMALL if name in CUBIC else FULL
        seconds, copies = in_a_process(method_cost, name, shape)
        note = ""
        if name in CUBIC:
            seconds *= GROWTH
            note = " (64 times that of 1024 x 1024)"
        print(f"| {name} | {seconds:.1f}{note} | {copies:.1f} |", flush=True)


def iteration(m: int, n: int) -> None:
    """SSLC's iteration beside its three products and beside straightforward code."""
    weight, statistics = inputs(m, n)
    floor = products(m, n)
    blas = numpy_products(m, n)

    def run(iterations: int) -> float:
        return best(lambda: Sslc(iterations=iterations, rank=RANK).compress(weight, statistics), 3)

    ours = (run(14) - run(4)) / 10
    plain = best(plain_iteration(weight), 2)
    print(
        f"{m} x {n}, rank {RANK}: products {1e3 * floor:.0f} ms (torch), "
        f"{1e3 * blas:.0f} ms (numpy); "
        f"iteration {1e3 * ours:.0f} ms, {ours / floor:.2f} times torch's products and "
        f"{ours / min(floor, blas):.2f} times the faster; straightforward {1e3 * plain:.0f} ms",
        flush=True,
    )


def products(m: int, n: int) -> float:
    """Seconds of R V, Uᵀ R and U Vᵀ by torch, into tensors that are there."""
    residual, u, v = torch.randn(m, n), torch.randn(m, RANK), torch.randn(n, RANK)
    tall, wide, whole = torch.empty(m, RANK), torch.empty(RANK, n), torch.empty(m, n)
    return (
        best(lambda: torch.mm(residual, v, out=tall))
        + best(lambda: torch.mm(u.T, residual, out=wide))
        + best(lambda: torch.mm(u, v.T, out=whole))
    )


def numpy_products(m: int, n: int) -> float:
    """The same by numpy's BLAS."""
    residual, u, v = (
        np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        for shape in ((m, n), (m, RANK), (n, RANK))
    )
    tall, wide, whole = (np.empty(shape, np.float32) for shape in ((m, RANK), (RANK, n), (m, n)))
    return (
        best(lambda: np.matmul(residual, v, out=tall))
        + best(lambda: np.matmul(u.T, residual, out=wide))
        + best(lambda: np.matmul(u, v.T, out=whole))
    )


def plain_iteration(weight: torch.Tensor) -> Callable[[], None]:
    """An iteration as one would write it: QR, and torch.topk for the mask."""
    sparse, v = torch.zeros_like(weight), torch.randn(weight.shape[1], RANK)
    keep = weight.shape[1] * 7 // 16

    def run() -> None:
        residual = weight - sparse
        q, _ = torch.linalg.qr(residual @ v)
        error = weight - q @ (residual.T @ q).T
        places = error.abs().topk(keep, dim=1).indices
        torch.zeros_like(error).scatter_(1, places, 1.0) * error

    return run


def selections(m: int, n: int) -> None:
    """Half of each row selected: ours beside torch's."""
    scores = torch.rand(m, n)
    ways = {
        "ours": lambda: keep_top(scores, m * n // 2, group="row"),
        "torch.topk": lambda: scores.topk(n // 2, dim=1).indices,
        "torch.sort, stable": lambda: scores.sort(dim=1, stable=True).indices,
        "torch.kthvalue": lambda: scores.kthvalue(n // 2, dim=1).values,
    }
    times = ", ".join(f"{name} {1e3 * best(way, 2):.0f} ms" for name, way in ways.items())
    print(f"half of each row of {m} x {n}: {times}")


def method_cost(name: str, shape: tuple[int, int]) -> tuple[float, float]:
    """Seconds, and the peak of resident memory in copies of the matrix, itself included."""
    torch.set_num_threads(1)
    method = load_method(name, {})
    method.compress(*inputs(64, 96))
    weight, statistics = inputs(*shape)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = memory_bytes("VmRSS")
    seconds = best(lambda: method.compress(weight, statistics), 1)
    grown = memory_bytes("VmHWM") - before
    return seconds, 1 + grown / (weight.numel() * weight.element_size())


def memory_bytes(field: str) -> int:
    """A field of this process's memory, as Linux keeps it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def in_a_process(
    function: Callable[[str, tuple[int, int]], tuple[float, float]],
    name: str,
    shape: tuple[int, int],
) -> tuple[float, float]:
    """A method's cost in a process of its own, so that no other method's memory is counted."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (name, shape))


def inputs(m: int, n: int) -> tuple[torch.Tensor, InputStatistics]:
    """Gaussian weights, and the statistics of correlated inputs."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.exp(0.3 * torch.randn(n, generator=generator))
    samples = torch.randn(n + 64, n, generator=generator) * spread
    hessian = samples.T @ samples
    weight = torch.randn(m, n, generator=generator)
    gradient = torch.rand(m, n, generator=generator)
    norms, means = hessian.diagonal().sqrt(), samples.mean(dim=0)
    return weight, InputStatistics(norms, means, samples.var(dim=0), hessian, gradient, "MHA")


def best(function: Callable[[], object], repeats: int = 5) -> float:
    """CPU seconds of the fastest of some repeats."""
    fastest = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        function()
        fastest = min(fastest, time.process_time() - start)
    return fastest


if __name__ == "__main__":
    main()
