"""The simulator's machine, filled from the processor at hand; every value says what was measured.

Assumed: a line is a thread; the peak is that of a large product by torch; a line decodes bitmap
bits as fast as our kernel takes positions of S from the cache; the second-level caches hold
weights, the halves of the last-level cache activations and outputs. Decode, gathers, pipelines and
requests are ideal: the measured rates of kernel and memory have them in already.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from accelerator_sim.machine.catalog import accelerator_table
from accelerator_sim.machine.hardware import (
    Accelerator,
    Bits,
    Buffer,
    Dram,
    Index,
    TileChoice,
)
from reports.measuring import memory
from reports.measuring.operands import synthetic_operands
from reports.measuring.sites import cpu_macs_per_second, smallest_call_seconds
from sslc.runtime.bitmap import BF16, INT8, SparseRows, ValueType, encode_bitmap
from sslc.runtime.cpu import multiply
from sslc.runtime.features import NotAvailableError, required_level
from sslc.runtime.quantize import quantize_rows
from workloads.support.devices import cpu_name
from workloads.support.errors import InputError

_COLUMNS = 2048
_ROWS = (24, 120)
_CALLS = 5000
_MEGA = 10**6
_BURST_BYTES = 64


@dataclass(frozen=True)
class Calibration:
    """What was measured of a processor.

    Attributes:
        device: Its name.
        features: Level of instructions.
        threads: Used.
        macs_per_second: Of a large bf16 product by torch.
        stream_bytes_per_second: Memory read and summed.
        latency_seconds: Of a load that memory answers.
        positions_per_second: Of S that one thread takes from the cache, bf16, one token.
        call_seconds: Of the smallest product.
        cache_bytes: Of levels 2 and 3, of one core.
        machine: The simulator's.
    """

    device: str
    features: str
    threads: int
    macs_per_second: float
    stream_bytes_per_second: float
    latency_seconds: float
    positions_per_second: float
    call_seconds: float
    cache_bytes: tuple[int, int]
    machine: Accelerator


def calibrate(*, threads: int | None = None) -> Calibration:
    """Measure this processor.

    Args:
        threads: torch's number for None.

    Raises:
        InputError: It has no AVX2, or it is hidden: there would be no compressed product.
    """
    try:
        level = required_level()
    except NotAvailableError as error:
        raise InputError(f"measure --calibrate: {error}") from error
    used, before = threads or torch.get_num_threads(), torch.get_num_threads()
    torch.set_num_threads(used)
    try:
        peak = cpu_macs_per_second("bf16")
        call = smallest_call_seconds(torch.device("cpu"))
    finally:
        torch.set_num_threads(before)
    measured = {
        "macs_per_second": peak,
        "stream_bytes_per_second": memory.stream_bytes_per_second(used),
        "latency_seconds": memory.latency_seconds(),
        "positions_per_second": in_cache_positions_per_second(BF16),
        "call_seconds": call or 0.0,
    }
    caches = (memory.cache_bytes(2), memory.last_level_cache_bytes())
    lanes = 2 * level.lanes * (2 if level.multiplies_bf16 else 1)
    machine = _machine(measured, caches, used, lanes)
    return Calibration(
        cpu_name(), level.name, used, **measured, cache_bytes=caches, machine=machine
    )


def in_cache_positions_per_second(
    kind: ValueType, *, tokens: int = 1, calls: int = _CALLS
) -> float:
    """Positions of S a second where nothing waits for memory: 120 rows of 2,048 less 24 rows.

    Args:
        kind: How values are stored.
        tokens: In a call.
        calls: Of which the fastest counts.
    """
    seconds = []
    for rows in _ROWS:
        operands = synthetic_operands(rows, _COLUMNS, kept_fraction=0.5, rank_share=0.0, seed=0)
        sparse = SparseRows(operands.mask.bits, operands.values, _COLUMNS)
        matrix = encode_bitmap(quantize_rows(sparse) if kind is INT8 else sparse, kind)
        takes_bf16 = required_level().multiplies_bf16 and kind is BF16
        x = np.ones((tokens, _COLUMNS), BF16.dtype if takes_bf16 else np.float32)
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            multiply(matrix, x)
            times.append(time.perf_counter() - start)
        seconds.append(min(times))
    return (_ROWS[1] - _ROWS[0]) * _COLUMNS / (seconds[1] - seconds[0])


def _machine(
    measured: dict[str, float], caches: tuple[int, int], threads: int, lanes: int
) -> Accelerator:
    # whole MHz and MB/s keep the bytes of a cycle an exact, short fraction
    clock = max(1, round(measured["macs_per_second"] / (threads * lanes) / _MEGA)) * _MEGA
    half = Buffer(caches[1] // 2, 2)
    positions = max(1, round(measured["positions_per_second"] / clock))
    return Accelerator(
        name="this-machine",
        clock_hz=clock,
        lines=threads,
        macs_per_line=lanes,
        dataflow="auto",
        denser_lines="auto",
        dense_threshold=1.0,
        row_assignment="next_free",
        schedule="sequential",
        link_elements_per_cycle=lanes,
        handoff_cycles=0,
        tile=TileChoice(),
        bits=Bits(weight=16, activation=16, factor=16, accumulator=32),
        index=Index("bitmap", positions, decode="ideal"),
        weight_buffer=Buffer(caches[0] * threads, 2),
        activation_buffer=half,
        output_buffer=half,
        dram=Dram(
            bytes_per_second=round(measured["stream_bytes_per_second"] / _MEGA) * _MEGA,
            efficiency=1.0,
            latency_ns=round(measured["latency_seconds"] * 1e9, 1),
            burst_bytes=_BURST_BYTES,
            channels=1,
            requests_per_cycle="unlimited",
            outstanding_requests="unlimited",
        ),
        pipeline_cycles=0,
        gather="ideal",
        description=f"{cpu_name()}, {threads} threads, bf16, as sslc measure --calibrate found it",
    )


def machine_toml(calibration: Calibration) -> str:
    """The machine as a TOML file that ``sslc simulate --accelerator`` takes."""
    table = accelerator_table(calibration.machine)
    measured = {k: v for k, v in asdict(calibration).items() if k != "machine"}
    head = [f"# {key}: {value}" for key, value in measured.items()]
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = ["# Measured by sslc measure --calibrate; docs/validation.md says how.", *head]
    lines += [_entry(key, value) for key, value in plain.items()]
    for name, values in table.items():
        if isinstance(values, dict):
            given = {key: value for key, value in values.items() if value is not None}
            lines += ["", f"[{name}]", *(_entry(key, value) for key, value in given.items())]
    return "\n".join(lines) + "\n"


def _entry(key: str, value: Any) -> str:
    return f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
