"""Runs of the benchmarks on other devices, as ``docs/measured`` keeps them, read as typed rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.results.envelope import FORMAT, result_from_json
from workloads.results.runtime import RuntimeResult
from workloads.support.errors import InputError
from workloads.support.files import read_json

S_ALONE, WITH_FACTORS = "S alone", "S + U V^T"
_CASES = {"S alone": S_ALONE, "whole": WITH_FACTORS}


@dataclass(frozen=True)
class RecordedProduct:
    """Time of a projection, or of a module's projections, by one backend at one sparsity.

    Attributes:
        part: A shape, or a model and its module.
        operands: ``S alone`` or ``S + U V^T``.
        dtype: Of the weights.
        tokens: In a call.
        threads: On a processor; None on a GPU.
        backend: That ran it.
        sparsity: Share of the parameters left out.
        seconds: Of a call.
        speedup: Over the fastest dense product of the same run.
    """

    part: str
    operands: str
    dtype: str
    tokens: int
    threads: int | None
    backend: str
    sparsity: float
    seconds: float
    speedup: float


@dataclass(frozen=True)
class RecordedGeneration:
    """Tokens made one by one by a stack of blocks.

    Attributes:
        blocks: Of the stack.
        weights: Dense or compressed, and by which backend.
        seconds_per_token: Without the head.
        seconds_per_token_with_head: The head is dense.
        speedup: Over the fastest dense stack, without the head.
        speedup_with_head: Likewise, with it.
    """

    blocks: int
    weights: str
    seconds_per_token: float
    seconds_per_token_with_head: float
    speedup: float
    speedup_with_head: float


@dataclass(frozen=True)
class Recorded:
    """One run of a benchmark.

    Attributes:
        file: Its name.
        device: As its vendor calls it.
        driver: Of a GPU.
        software: Versions by name.
        stream_bytes_per_second: Measured in the run, by what read it: threads, or ``read``.
        load: Processes that ran or waited at its start; None where nobody looked.
        products: What was timed.
        generations: Likewise.
    """

    file: str
    device: str
    driver: str | None
    software: Mapping[str, str]
    stream_bytes_per_second: Mapping[str, float]
    load: float | None
    products: tuple[RecordedProduct, ...]
    generations: tuple[RecordedGeneration, ...]

    @property
    def label(self) -> str:
        """Device and driver."""
        return self.device if self.driver is None else f"{self.device}, driver {self.driver}"


def read_recorded(path: Path) -> Recorded | RuntimeResult:
    """A file of ``benchmarks/gpu.py`` or ``decode_kernels.py``, or a result of ``sslc measure``.

    Raises:
        InputError: It is none of these, or not whole.
    """
    value = read_json(path)
    if isinstance(value, dict) and value.get("format") == FORMAT:
        result: RuntimeResult = result_from_json(value, (RuntimeResult,), str(path))
        return result
    try:
        if isinstance(value, dict) and "projections" in value:
            return _gpu(value, path)
        if isinstance(value, dict) and "cpu" in value:
            return _cpu(value, path)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not whole, {error} is missing or of another kind") from error
    raise InputError(
        f"{path}: not a measurement; give what benchmarks/gpu.py, benchmarks/decode_kernels.py "
        "--json or sslc measure wrote"
    )


def _gpu(value: Mapping[str, Any], path: Path) -> Recorded:
    device = value["device"]
    stream = {str(k): float(v) for k, v in device["stream_bytes_per_second"].items()}
    sections = [part for name, part in value.items() if name.startswith("generation_")]
    return Recorded(
        file=path.name,
        device=str(device["name"]),
        driver=str(device["driver"]),
        software={name: str(device[name]) for name in ("cuda", "torch", "triton")},
        stream_bytes_per_second=stream,
        load=None,
        products=tuple(_gpu_product(row) for row in value["projections"].get("modules", ())),
        generations=tuple(one for part in sections for one in _generations(part)),
    )


def _gpu_product(row: Mapping[str, Any]) -> RecordedProduct:
    return RecordedProduct(
        part=f"{row['model']} {row['module']}",
        operands=WITH_FACTORS if row["with_low_rank"] else S_ALONE,
        dtype="bf16",
        tokens=int(row["tokens"]),
        threads=None,
        backend=str(row["backend"]).replace("_", ", "),
        sparsity=float(row["sparsity"]),
        seconds=float(row["seconds"]),
        speedup=float(row["speedup"]),
    )


def _generations(part: Mapping[str, Any]) -> Iterator[RecordedGeneration]:
    for row in part.get("rows", ()):
        yield RecordedGeneration(
            blocks=int(part["blocks"]),
            weights=_weights(row),
            seconds_per_token=float(row["seconds_per_token"]),
            seconds_per_token_with_head=float(row["seconds_per_token_with_head"]),
            speedup=float(row["speedup"]),
            speedup_with_head=float(row["speedup_with_head"]),
        )


def _weights(row: Mapping[str, Any]) -> str:
    name = str(row["weights"]).replace("_", " ")
    return f"{row['sparsity']:.0%} left out, {name}" if row.get("sparsity") else name


def _cpu(value: Mapping[str, Any], path: Path) -> Recorded:
    streams: Mapping[str, float] = value["stream_bytes_per_second"]
    rows: Sequence[Mapping[str, Any]] = value["results"]
    return Recorded(
        file=path.name,
        device=str(value["cpu"]),
        driver=None,
        software={},
        stream_bytes_per_second={f"{name} threads": float(v) for name, v in streams.items()},
        load=float(value["load"]),
        products=tuple(_cpu_product(row) for row in rows if row["sparsity"]),
        generations=(),
    )


def _cpu_product(row: Mapping[str, Any]) -> RecordedProduct:
    return RecordedProduct(
        part=str(row["shape"]).replace("×", "x"),
        operands=_CASES[row["case"]],
        dtype=str(row["kind"]),
        tokens=int(row["tokens"]),
        threads=int(row["threads"]),
        backend=str(row["candidate"]),
        sparsity=float(row["sparsity"]),
        seconds=float(row["lower_quartile_seconds"]),
        speedup=float(row["ratio"]),
    )
