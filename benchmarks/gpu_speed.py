"""How fast: launch shapes, and every projection of two models by every way to multiply.

A part of benchmarks.gpu, which runs it.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from benchmarks.gpu_projections import (
    SHAPES,
    SPARSITIES,
    TOKENS,
    Shape,
    cuda_calls,
    random_operands,
    rotation,
    time_dense,
    time_two_of_four,
    triton_calls,
)
from reports.measuring.cuda_clock import Timing, time_calls
from sslc.runtime.cuda_kernels import FEW_TOKENS, MANY_TOKENS, LaunchShape, kernel_cubin

Report = dict[str, Any]
CANDIDATES = tuple(
    LaunchShape(*numbers)
    for numbers in (
        (16, 2, 2, 2), (16, 3, 2, 2), (16, 4, 2, 2), (16, 5, 2, 2), (16, 6, 2, 2), (32, 1, 1, 1),
        (32, 2, 1, 1), (32, 4, 1, 1), (16, 1, 3, 3), (16, 2, 3, 3), (8, 4, 4, 4), (12, 6, 2, 2),
    )
)  # fmt: skip
MODULES = {
    "MHA": ("q_k_v_o", "q_o", "k_v"),
    "FFN": ("gate_up", "down"),
    "block": ("q_k_v_o", "q_o", "k_v", "gate_up", "down"),
}


def tuning() -> Report:
    """Every launch shape on every matrix, at 60% with the low-rank part."""
    kinds = [(t, shape, False) for t in TOKENS for shape in CANDIDATES]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda kind: kernel_cubin(*kind), kinds))
    generator = torch.Generator("cuda").manual_seed(1)
    rows: list[Report] = []
    for shape in SHAPES:
        copies = rotation(random_operands(shape, 0.6, shape.rank, generator))
        for tokens in TOKENS:
            x = torch.randn(tokens, shape.columns, device="cuda", dtype=torch.bfloat16)
            for candidate in CANDIDATES:
                for overlap in (False, True):
                    calls = cuda_calls(copies, x, candidate, overlap=overlap)
                    seconds = time_calls(calls, replays=5).seconds
                    size = {"rows": shape.rows, "columns": shape.columns, "tokens": tokens}
                    how = {"overlap": overlap, **dataclasses.asdict(candidate)}
                    rows.append({**size, **how, "microseconds": seconds * 1e6})
    return {"rows": rows, "best": best_shapes(rows)}


def best_shapes(rows: list[Report]) -> list[Report]:
    """The fastest row of each matrix, token count and way of launching."""
    best: dict[tuple[int, int, int, bool], Report] = {}
    for row in rows:
        key = row["rows"], row["columns"], row["tokens"], row["overlap"]
        if key not in best or row["microseconds"] < best[key]["microseconds"]:
            best[key] = row
    return list(best.values())


def launch_shape(report: Report, shape: Shape, tokens: int, overlap: bool) -> LaunchShape:
    """What the tuning chose; without one, the package's default."""
    key = (shape.rows, shape.columns, tokens, overlap)
    for row in report.get("tuning", {}).get("best", []):
        if (row["rows"], row["columns"], row["tokens"], row["overlap"]) == key:
            return LaunchShape(row["warps"], row["unroll"], row["blocks"], row["resident"])
    return FEW_TOKENS if tokens <= 4 else MANY_TOKENS


def projections(report: Report) -> Report:
    """Every shape, sparsity, token count and backend, and the totals of modules."""
    generator = torch.Generator("cuda").manual_seed(2)
    rows: list[Report] = []
    for shape in SHAPES:
        for row in shape_rows(report, shape, generator):
            rows.append({**dataclasses.asdict(shape), **row})
    return {"rows": rows, "modules": module_totals(rows)}


def shape_rows(report: Report, shape: Shape, generator: torch.Generator) -> list[Report]:
    """The rows of one shape: dense, 2:4, and ours at every sparsity without and with U Vᵀ."""
    bandwidth = max(report["device"]["stream_bytes_per_second"].values())
    dense = {tokens: time_dense(shape, tokens, generator) for tokens in TOKENS}
    size = 2 * shape.rows * shape.columns
    rows: list[Report] = []
    for tokens, timings in dense.items():
        for name, timing in timings.items():
            rows.append({"tokens": tokens, "backend": name, **numbers(timing, size, bandwidth)})
        work = functools.partial(two_of_four_row, shape, tokens, bandwidth, generator)
        rows.append({"tokens": tokens, "backend": "two_of_four", **attempt(work)})
    for sparsity in SPARSITIES:
        for rank in (0, shape.rank):
            kind = {"sparsity": sparsity, "rank": rank}
            rows += [{**kind, **r} for r in sparse_rows(report, shape, sparsity, rank, generator)]
    return [with_speedups(row, dense[row["tokens"]]) for row in rows]


def two_of_four_row(
    shape: Shape, tokens: int, bandwidth: float, generator: torch.Generator
) -> Report:
    """torch's 2:4 product; two of four values and 2 bits for each."""
    timing = time_two_of_four(shape, tokens, generator)
    return numbers(timing, shape.rows * shape.columns * 9 // 8, bandwidth)


def with_speedups(row: Report, dense: dict[str, Timing]) -> Report:
    """A row with its speedup over the best dense product and over torch's best."""
    if "seconds" not in row:
        return row
    best = min(timing.seconds for timing in dense.values())
    torchs = min(dense[name].seconds for name in ("dense_linear", "dense_mv") if name in dense)
    return {**row, "speedup": best / row["seconds"], "speedup_over_torch": torchs / row["seconds"]}


def attempt(work: Callable[[], Report]) -> Report:
    """What work gives, or why it was not measured."""
    try:
        return work()
    except Exception as error:
        return {"not_measured": f"{type(error).__name__}: {error}"[:300]}


def numbers(timing: Timing, size: int, bandwidth: float) -> Report:
    """Seconds with their spread, and what they mean in bytes."""
    return {
        **timing.row(),
        "bytes": size,
        "bytes_per_second": size / timing.seconds,
        "share_of_bytes_bound": size / bandwidth / timing.seconds,
    }


def sparse_rows(
    report: Report, shape: Shape, sparsity: float, rank: int, generator: torch.Generator
) -> list[Report]:
    """Our kernels on one compressed projection."""
    copies = rotation(random_operands(shape, sparsity, rank, generator))
    bandwidth = max(report["device"]["stream_bytes_per_second"].values())
    rows = []
    for tokens in TOKENS:
        x = torch.randn(tokens, shape.columns, device="cuda", dtype=torch.bfloat16)
        calls = {"triton": triton_calls(copies, x, 0)}
        for overlap, name in ((False, "cuda"), (True, "cuda_overlapped")):
            chosen = launch_shape(report, shape, tokens, overlap)
            calls[name] = cuda_calls(copies, x, chosen, overlap=overlap)
        for name, call in calls.items():
            timing = time_calls(call)
            row = numbers(timing, copies[0].bytes, bandwidth)
            rows.append({"tokens": tokens, "backend": name, **row})
    return rows


def module_totals(rows: list[Report]) -> list[Report]:
    """Seconds of a block's projections, MHA, FFN and both, and the speedups over dense."""
    totals = []
    ours = ("cuda", "cuda_overlapped", "triton")
    for model in dict.fromkeys(row["model"] for row in rows):
        for tokens in TOKENS:
            for module, names in MODULES.items():
                part = [row for row in rows if (row["model"], row["tokens"]) == (model, tokens)
                        and row["name"] in names and "seconds" in row]  # fmt: skip
                dense = [row for row in part if row["backend"].startswith("dense")]
                torchs = [row for row in dense if row["backend"] in ("dense_linear", "dense_mv")]
                for row in (row for row in part if row["backend"] in ours):
                    row["key"] = (row["sparsity"], row["rank"] > 0, row["backend"])
                for key in sorted({row["key"] for row in part if "key" in row}):
                    seconds = total(row for row in part if row.get("key") == key)
                    where = {"model": model, "tokens": tokens, "module": module}
                    kind = dict(zip(("sparsity", "with_low_rank", "backend"), key, strict=True))
                    speedups = {"speedup": total(dense) / seconds,
                                "speedup_over_torch": total(torchs) / seconds}  # fmt: skip
                    totals.append({**where, **kind, "seconds": seconds, **speedups})
    for row in rows:
        row.pop("key", None)
    return totals


def total(rows: Iterable[Report]) -> float:
    """Seconds summed over projections, each by its fastest backend, as often as a block has it."""
    fastest: dict[str, float] = {}
    for row in rows:
        seconds = row["seconds"] * row["count"]
        fastest[row["name"]] = min(seconds, fastest.get(row["name"], seconds))
    return sum(fastest.values())
