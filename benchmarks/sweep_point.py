"""CPU time of a sweep's points, beside other checkouts of this repository: one LLaMA2-7B block.

python -m benchmarks.sweep_point [CHECKOUT ...]

Every checkout, this one first, sweeps the same machines in a process of its own, again and again
in turn; a ratio is the median over the rounds, since a busy machine is now faster, now slower.
Machines differ in bandwidth, latency and weight buffer, so
that all after the first share the timing of their tiles. ``on`` has all effects that presets may
have; only this checkout runs it.
"""

import contextlib
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROUNDS = 15
POINTS = 64
SPACE = """
accelerator = "array-64x64"
cycle_model = "compiled"
tokens = 1
objectives = ["cycles"]
batch_points = 64

[workload]
model = "llama2-7b"
kept_fraction = 0.5
rank = 128

[fields]
tile.rows = 64
tile.columns = 64
dram.bytes_per_second = {{ start = 20e9, stop = {stop}e12, count = 8, scale = "log" }}
weight_buffer.capacity_bytes = [32_768, 129_024]
"""
OLD = """
dram.latency_cycles = [10, 25, 50, 100]
weight_buffer.buffering = "double"
"""
OFF = """
dram.latency_ns = [20, 50, 100, 200]
dram.efficiency = 1.0
dram.refresh_share = 0.0
weight_buffer.slots = 2
activation_buffer.slots = 2
output_buffer.slots = 2
index.decode = "ideal"
gather = "ideal"
pipeline_cycles = 0
dram.requests_per_cycle = "unlimited"
dram.outstanding_requests = "unlimited"
"""
ON = """
dram.latency_ns = [20, 50, 100, 200]
weight_buffer.slots = "auto"
activation_buffer.slots = "auto"
output_buffer.slots = "auto"
index.decode = "queue"
gather = "banked"
pipeline_cycles = 4
dram.requests_per_cycle = 1
dram.outstanding_requests = 4
"""
HOMES = (
    ("accelerator_sim.design_space.space", "accelerator_sim.design_space.evaluation"),
    ("accelerator_sim.space", "accelerator_sim.sweep"),
)
"""Modules of ``load_space`` and ``run_sweep``, today and in earlier states of the repository."""


def main(others: list[str]) -> None:
    here = Path(__file__).parents[1]
    runs = [(here, "off"), (here, "on"), *((Path(other), "old") for other in others)]
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(_child(*run)) for run in runs]
        seconds = [[next_pass() for next_pass in children] for _ in range(ROUNDS)]
    passes = dict(zip(runs, zip(*seconds, strict=True), strict=True))
    for run, taken in passes.items():
        ratios = [
            f"{_ratio(taken, passes[other]):.2f} of {other[0]}"
            for other in runs[2:]
            if other != run
        ]
        point = 1e3 * min(taken) / POINTS
        print(f"{run[0]} {run[1]}: least {point:.2f} CPU ms a point; {', '.join(ratios)}")


def _ratio(taken: tuple[float, ...], others: tuple[float, ...]) -> float:
    return statistics.median(a / b for a, b in zip(taken, others, strict=True))


@contextlib.contextmanager
def _child(checkout: Path, effects: str) -> Iterator[Callable[[], float]]:
    """A process that imports from a checkout; each call makes a pass and gives its CPU seconds."""
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, __file__, "--passes", effects],
        env=environment,
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    sender, receiver = child.stdin, child.stdout
    assert sender is not None
    assert receiver is not None

    def next_pass() -> float:
        sender.write("\n")
        sender.flush()
        return float(receiver.readline())

    try:
        next_pass()
        yield next_pass
    finally:
        sender.close()
        child.wait()


def _passes(effects: str) -> None:
    """A pass for every line that comes in; no two have the same machines."""
    load_space, run_sweep = _functions()
    with tempfile.TemporaryDirectory() as folder:
        for number, _ in enumerate(sys.stdin):
            file, out = Path(folder, f"{number}.toml"), Path(folder, f"{number}")
            stop = 2 + number / 100
            file.write_text(SPACE.format(stop=stop) + {"on": ON, "off": OFF, "old": OLD}[effects])
            start = time.process_time()
            run_sweep(load_space(file), out, workers=_one_worker())
            print(time.process_time() - start, flush=True)


def _functions() -> tuple[Any, Any]:
    for space, sweep in HOMES:
        with contextlib.suppress(ModuleNotFoundError):
            load_space = importlib.import_module(space).load_space
            return load_space, importlib.import_module(sweep).run_sweep
    raise SystemExit(f"{Path.cwd()}: has no sweep that this benchmark knows")


def _one_worker() -> Any:
    """A number in older checkouts."""
    with contextlib.suppress(ModuleNotFoundError):
        return importlib.import_module("accelerator_sim.design_space.backends").Workers(1)
    return 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--passes"]:
        _passes(sys.argv[2])
    else:
        main(sys.argv[1:])
