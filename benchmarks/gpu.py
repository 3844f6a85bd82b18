"""Our GPU kernels on the device at hand: right, how fast, and against what. One JSON.

Needs torch and Triton for CUDA. Sections run in turn until the seconds are used up; what failed or
found no time says so in the JSON, which is written after every section.

python -m benchmarks.gpu OUT.json [--seconds 420] [--only SECTION ...]
"""

import argparse
import functools
import json
import platform
import re
import subprocess
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import triton

from benchmarks.gpu_checks import correctness
from benchmarks.gpu_generation import generation
from benchmarks.gpu_speed import attempt, projections, tuning
from reports.measuring.cuda_clock import stream_bytes_per_second, time_calls

Report = dict[str, Any]
CLOCKS = "clocks.sm,clocks.max.sm,clocks.mem,power.limit"


def device() -> Report:
    """The device, its software, its clocks under load, and what a read and a small launch take."""
    properties = torch.cuda.get_device_properties(0)
    tiny = torch.zeros(1, device="cuda")
    return {
        "name": properties.name,
        "multiprocessors": properties.multi_processor_count,
        "memory_bytes": properties.total_memory,
        "l2_bytes": properties.L2_cache_size,
        "driver": nvidia_smi("driver_version")["driver_version"],
        "cuda": torch.version.cuda,
        "torch": torch.__version__,
        "triton": triton.__version__,
        "python": platform.python_version(),
        "stream_bytes_per_second": stream_bytes_per_second(),
        "small_launch_seconds": time_calls([lambda: tiny.add_(1)]).seconds,
        "under_load": clocks_under_load(),
    }


def clocks_under_load() -> dict[str, str]:
    """Clocks while the device reads memory."""
    words = torch.zeros(2**28, device="cuda")
    for _ in range(2000):
        words.sum()
    clocks = nvidia_smi(CLOCKS)
    torch.cuda.synchronize()
    return clocks


def nvidia_smi(query: str) -> dict[str, str]:
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(zip(query.split(","), outcome.stdout.strip().split(", "), strict=True))


def iterations() -> Report:
    """Seconds of one SSLC iteration on the device, from runs of 2 and of 12."""
    rows = []
    for m, n in ((4096, 4096), (11008, 4096)):
        work = functools.partial(iteration_seconds, m, n)
        rows.append({"rows": m, "columns": n, **attempt(work)})
    return {"rows": rows}


def iteration_seconds(m: int, n: int) -> Report:
    from sslc.calibration.statistics import InputStatistics
    from sslc.methods.registry import method_class

    weight = torch.randn(m, n, device="cuda")
    norms = torch.rand(n, device="cuda") + 0.5
    statistics = InputStatistics(norms, torch.zeros_like(norms), torch.ones_like(norms))
    seconds = {}
    for count in (2, 2, 12, 12):
        torch.cuda.synchronize()
        start = time.perf_counter()
        method_class("sslc")(iterations=count).compress(weight, statistics)
        torch.cuda.synchronize()
        seconds[count] = time.perf_counter() - start
    return {"seconds_per_iteration": (seconds[12] - seconds[2]) / 10}


SECTIONS: dict[str, Callable[[Report], Report]] = {
    "device": lambda _: device(),
    "correctness": lambda _: correctness(),
    "tuning": lambda _: tuning(),
    "projections": projections,
    "generation_4_blocks": functools.partial(generation, blocks=4, tokens=128),
    "generation_32_blocks": functools.partial(generation, blocks=32, tokens=128),
    "sslc_iteration": lambda _: iterations(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=420.0)
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    report: Report = {}
    for name in arguments.only:
        began = time.perf_counter()
        if began - start > arguments.seconds:
            report[name] = {"not_measured": f"no time left after {arguments.seconds:g} s"}
        else:
            report[name] = run_section(name, report)
        report[name]["took_seconds"] = time.perf_counter() - began
        arguments.out.write_text(text(report))
        print(f"{name}: {report[name]['took_seconds']:.1f} s", flush=True)


def text(report: Report) -> str:
    """JSON with six digits and a line for each row of a table."""
    whole = json.dumps(rounded(report), indent=1)
    rows = re.compile(r"\{\n {4}[^{}]*\n {3}\}")
    return rows.sub(lambda row: re.sub(r"\n *", " ", row.group()), whole) + "\n"


def rounded(value: Any) -> Any:
    """Floats with six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def run_section(name: str, report: Report) -> Report:
    try:
        return SECTIONS[name](report)
    except Exception as error:
        traceback.print_exc()
        return {"not_measured": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
