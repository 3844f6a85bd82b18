"""Decode kernels on this CPU against the better of our own dense product and torch's, paired.

In every round each candidate runs once on its next copy of the weights; copies together are larger
than the last-level cache. Ratios compare lower quartiles, which a busy machine disturbs least;
medians stand beside them.

python -m benchmarks.decode_kernels [--quick] [--rounds ROUNDS] [--in-cache] [--json FILE]
"""

import argparse
import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch
from llvmlite import binding
from numpy.typing import NDArray

from reports.measuring.clock import paired_seconds
from reports.measuring.memory import (
    CACHE_FACTOR,
    copies_needed,
    last_level_cache_bytes,
    stream_bytes_per_second,
)
from reports.measuring.this_machine import in_cache_positions_per_second
from sslc.runtime import features
from sslc.runtime.bitmap import BF16, FP32, INT8, BitmapMatrix, SparseRows, ValueType, encode_bitmap
from sslc.runtime.cpu import DenseMatrix, dense_matrix, multiply, multiply_dense
from sslc.runtime.memory import huge_zeros
from sslc.runtime.quantize import quantize_rows

KEPT = (0.5, 0.4, 0.3)
RANK_SHARE = 0.0625
SHAPES = ((11008, 4096), (4096, 4096))


@dataclass(frozen=True)
class Case:
    """What is measured side by side.

    Attributes:
        name: S alone, or a whole projection with the rank inside the budget.
        rows: m.
        columns: n.
        rank_share: Of all parameters, taken from what is kept.
        kind: How values are stored.
        tokens: In a call.
        threads: That share a call.
    """

    name: str
    rows: int
    columns: int
    rank_share: float = 0.0
    kind: ValueType = BF16
    tokens: int = 1
    threads: int = 1

    @property
    def rank(self) -> int:
        """r, rounded down."""
        shape = self.rows * self.columns
        return int(self.rank_share * shape / (self.rows + self.columns))


@dataclass(frozen=True)
class Measured:
    """One candidate of a case.

    Attributes:
        case: Its name.
        shape: Rows × columns.
        kind: How values are stored.
        tokens: In a call.
        threads: That share a call.
        candidate: Dense, torch, or the level of instructions.
        sparsity: Share of parameters left out; of S and the factors together where there are some.
        lower_quartile_seconds: Of a call.
        median_seconds: Of a call.
        weight_bytes: Read by a call.
        bandwidth_share: Of the measured stream, at the lower quartile.
        ratio: Best dense / this, lower quartiles.
        median_ratio: Likewise, medians.
        bytes_bound: Dense bytes / bytes.
    """

    case: str
    shape: str
    kind: str
    tokens: int
    threads: int
    candidate: str
    sparsity: float
    lower_quartile_seconds: float
    median_seconds: float
    weight_bytes: int
    bandwidth_share: float
    ratio: float
    median_ratio: float
    bytes_bound: float


def cases(quick: bool) -> list[Case]:
    if quick:
        return [Case("S alone", 4096, 4096)]
    main = [Case("S alone", *shape) for shape in SHAPES]
    whole = [Case("whole", *shape, rank_share=RANK_SHARE) for shape in SHAPES]
    tokens = [Case("S alone", *SHAPES[1], tokens=count) for count in (2, 4)]
    integers = [Case("S alone", *shape, kind=INT8) for shape in SHAPES]
    threads = [Case("S alone", *shape, threads=2) for shape in SHAPES]
    return main + whole + tokens + integers + threads


def copies_for(size: int) -> int:
    return copies_needed(size, CACHE_FACTOR * last_level_cache_bytes(), least=6)


def make_dense(case: Case, generator: np.random.Generator) -> list[DenseMatrix]:
    weight: NDArray[Any]
    if case.kind is INT8:
        weight = generator.integers(-127, 128, (case.rows, case.columns), dtype=np.int8)
        scales = np.ones((case.rows, case.columns // 128), np.float32)
    else:
        weight, scales = generator.standard_normal((case.rows, case.columns), np.float32), None
    size = case.rows * case.columns * case.kind.bytes
    first = dense_matrix(weight, case.kind, scales=scales)
    return [first, *(_copied(first, "rows") for _ in range(copies_for(size) - 1))]


def make_sparse(case: Case, kept: float, generator: np.random.Generator) -> list[BitmapMatrix]:
    mask = generator.random((case.rows, case.columns), np.float32) < kept - case.rank_share
    values = generator.standard_normal(int(mask.sum()), np.float32)
    sparse = SparseRows(np.packbits(mask, axis=1, bitorder="little"), values, case.columns)
    if case.kind is INT8:
        sparse = quantize_rows(sparse)
    u = generator.standard_normal((case.rows, case.rank), np.float32)
    v = generator.standard_normal((case.columns, case.rank), np.float32)
    first = encode_bitmap(sparse, case.kind, u=u, v=v)
    count = copies_for(first.bytes)
    return [first, *(_copied(first, "stream", "v_rows") for _ in range(count - 1))]


def _copied(matrix: Any, *names: str) -> Any:
    """The same matrix with arrays of its own."""
    arrays = {}
    for name in names:
        array = getattr(matrix, name)
        arrays[name] = huge_zeros(array.size, array.dtype).reshape(array.shape)
        arrays[name][...] = array
    return dataclasses.replace(matrix, **arrays)


def measure(case: Case, rounds: int, stream: float) -> list[Measured]:
    generator = np.random.default_rng(0)
    dense = make_dense(case, generator)
    sparse = {kept: make_sparse(case, kept, generator) for kept in KEPT}
    dtype = np.float32 if case.kind is INT8 else ml_dtypes.bfloat16
    x = generator.standard_normal((case.tokens, case.columns)).astype(dtype)
    wide = {"avx512": x.astype(np.float32), "avx2": x.astype(np.float32)}
    highest = features.host_level()
    calls: dict[tuple[str, float], Callable[[int], Any]] = {
        ("own dense", 0.0): lambda turn: multiply_dense(
            dense[turn % len(dense)], x, threads=case.threads
        )
    }
    if case.kind is BF16:
        calls["torch dense", 0.0] = _torch_call(dense, x)
    for number, level in enumerate(features.LEVELS):
        if highest is None or not level.features <= highest.features:
            continue
        for kept, matrices in sparse.items():
            others = matrices[2 * number :] + matrices[: 2 * number]  # not what another just read
            calls[level.name, 1 - kept] = _sparse_call(
                others, wide.get(level.name, x), case.threads
            )
    torch.set_num_threads(case.threads)
    seconds = paired_seconds(calls, rounds=rounds, before=_show_level)
    sizes = {("own dense", 0.0): dense[0].rows.nbytes, ("torch dense", 0.0): dense[0].rows.nbytes}
    sizes |= {key: sparse[round(1 - key[1], 3)][0].bytes for key in calls if key not in sizes}
    return _results(case, seconds, sizes, stream)


def _torch_call(dense: list[DenseMatrix], x: NDArray[Any]) -> Callable[[int], Any]:
    weights = [torch.from_numpy(one.rows.view(np.int16)).view(torch.bfloat16) for one in dense]
    numbers = torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
    return lambda turn: torch.nn.functional.linear(numbers, weights[turn % len(weights)])


def _sparse_call(
    matrices: list[BitmapMatrix], x: NDArray[Any], threads: int
) -> Callable[[int], Any]:
    return lambda turn: multiply(matrices[turn % len(matrices)], x, threads=threads)


def _show_level(key: tuple[str, float]) -> None:
    """Let a candidate see its own level of instructions."""
    level = key[0] if key[0].startswith("avx") else features.LEVELS[-1].name
    os.environ[features.VARIABLE] = level


def _results(
    case: Case,
    seconds: dict[tuple[str, float], NDArray[np.float64]],
    sizes: dict[tuple[str, float], int],
    stream: float,
) -> list[Measured]:
    quartiles = {key: float(np.quantile(times, 0.25)) for key, times in seconds.items()}
    medians = {key: float(np.median(times)) for key, times in seconds.items()}
    dense = [key for key in seconds if not key[1]]
    best, best_median = min(quartiles[key] for key in dense), min(medians[key] for key in dense)
    shape = f"{case.rows}×{case.columns}"
    return [
        Measured(
            case=case.name,
            shape=shape,
            kind=case.kind.name,
            tokens=case.tokens,
            threads=case.threads,
            candidate=key[0],
            sparsity=key[1],
            lower_quartile_seconds=quartiles[key],
            median_seconds=medians[key],
            weight_bytes=sizes[key],
            bandwidth_share=sizes[key] / quartiles[key] / stream,
            ratio=best / quartiles[key],
            median_ratio=best_median / medians[key],
            bytes_bound=sizes[dense[0]] / sizes[key],
        )
        for key in seconds
    ]


def print_in_cache() -> None:
    highest = features.host_level()
    print("| level | kind | tokens | positions in cache, a nanosecond |")
    print("|---|---|---|---|")
    for level in features.LEVELS:
        if highest is None or not level.features <= highest.features:
            continue
        for kind, tokens in ((BF16, 1), (BF16, 4), (FP32, 1), (INT8, 1)):
            os.environ[features.VARIABLE] = level.name
            rate = 1e-9 * in_cache_positions_per_second(kind, tokens=tokens)
            print(f"| {level.name} | {kind.name} | {tokens} | {rate:.1f} |", flush=True)


def print_table(results: list[Measured]) -> None:
    head = ("case", "shape", "kind", "tokens", "threads", "candidate", "sparsity", "ms")
    print("| " + " | ".join((*head, "ratio", "of medians", "bytes bound", "of stream")) + " |")
    print("|" + "---|" * (len(head) + 4))
    for one in results:
        row = (one.case, one.shape, one.kind, one.tokens, one.threads, one.candidate)
        numbers = f"{one.sparsity:.0%} | {1e3 * one.lower_quartile_seconds:.3f} | {one.ratio:.2f}"
        rest = f"{one.median_ratio:.2f} | {one.bytes_bound:.2f} | {one.bandwidth_share:.0%}"
        print("| " + " | ".join(map(str, row)) + f" | {numbers} | {rest} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one shape, few rounds")
    parser.add_argument("--rounds", type=int, default=60, help="calls of each candidate")
    parser.add_argument("--in-cache", action="store_true", help="only the rates in cache")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    if options.in_cache:
        print_in_cache()
        return
    rounds = 12 if options.quick else options.rounds
    streams = {threads: stream_bytes_per_second(threads) for threads in (1, 2)}
    load = os.getloadavg()[0]
    print(f"{binding.get_host_cpu_name()}, {os.cpu_count()} cores, load {load:.1f} at the start")
    print("stream:", ", ".join(f"{n} threads {1e-9 * b:.1f} GB/s" for n, b in streams.items()))
    results = []
    for case in cases(options.quick):
        some = measure(case, rounds, streams[case.threads])
        print_table(some)
        results += some
    if options.json:
        document = {
            "cpu": binding.get_host_cpu_name(),
            "load": load,
            "stream_bytes_per_second": streams,
            "results": [dataclasses.asdict(one) for one in results],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
