"""How far the planner's tiling is from the best of an exhaustive search, case by case.

Small: random projections up to 96 x 96 and 16 tokens, every extent of rows, columns (whole groups
of N:M) and tokens, every dataflow and split (``mapper_search`` says which are run). Large: up to
768 x 768 and 64 tokens, all multiples of a quarter of the lines and of the MACs of a line. Then
what a buffer of twice the size loses, what ``auto`` loses to any fixed split, and projections by
name.

python -m benchmarks.mapper FILE [SMALL] [LARGE] [SEED]
python -m benchmarks.mapper FILE again FORMER

Every finished case is a line of FILE (JSON) at once, and is not run again; a run that was cut goes
on. The summary is of all lines of FILE: with SMALL = LARGE = 0 nothing is run but the named cases.
``again`` plans the cases of another file anew and holds them against the best tiling found there,
which a change of the planner leaves as it is.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from accelerator_sim.machine.catalog import WITHOUT_EFFECTS, load_accelerator
from accelerator_sim.machine.hardware import LineSplit
from accelerator_sim.mapping.search import Search
from benchmarks.mapper_cases import LARGE, SMALL, case, named_cases, searches, with_buffer
from benchmarks.mapper_search import Distance, cycles, distance
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError

BUFFERS = ("weight_buffer", "activation_buffer", "output_buffer")
CAPACITIES = tuple(1024 * kib for kib in (16, 20, 24, 32, 40, 48, 56, 64))
_BUFFER_MACHINES: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("array-64x64", "array-64x64", {}),
    ("array-64x64-ideal-dram", "array-64x64-ideal-dram", {}),
    ("array-64x64 without effects", "array-64x64", WITHOUT_EFFECTS),
)
_Line = dict[str, Any]
_Job = Callable[[], list[_Line]]


def main(file: Path, jobs: Iterable[tuple[str, _Job]]) -> None:
    done = {line["case"] for line in _lines(file)}
    with file.open("a", encoding="utf-8") as out:
        for name, job in jobs:
            if name not in done:
                start = time.process_time()
                found = job()
                line = {"case": name, "found": found, "seconds": time.process_time() - start}
                print(json.dumps(line), file=out, flush=True)
    _summary(_lines(file))


def _jobs(small: int, large: int, seed: int) -> Iterator[tuple[str, _Job]]:
    """All cases by name; those of a number together, so that a run that is cut has some of each."""
    for number in range(seed, seed + max(small, large)):
        parts = ("small", "buffer", "split") if number < seed + small else ()
        for part in (*parts, *(("large",) if number < seed + large else ())):
            yield f"{part} {number}", _job(part, number)
    yield "larger weight buffer", _larger_weight_buffer
    for name, search in named_cases():
        yield f"named {name}", partial(_named, search)


def _job(part: str, seed: int) -> _Job:
    jobs: dict[str, _Job] = {
        "small": partial(_distances, seed, SMALL),
        "buffer": partial(_buffers, seed),
        "split": partial(_splits, seed),
        "large": partial(_distances, seed, LARGE),
    }
    return jobs[part]


def _again(former: Path) -> Iterator[tuple[str, _Job]]:
    """The cases of a file, planned anew: nothing but plans is run."""
    for line in _lines(former):
        part, _, number = line["case"].partition(" ")
        if part in ("small", "large"):
            most = SMALL if part == "small" else LARGE
            yield line["case"], partial(_planned, line["found"], int(number), most)
        elif part in ("buffer", "split"):
            yield line["case"], _job(part, int(number))
    yield "larger weight buffer", _larger_weight_buffer


def _planned(former: list[_Line], seed: int, most: tuple[int, int, int]) -> list[_Line]:
    at = searches(*case(seed, most))
    losses = (max(cycles(at[line["kind"]]) / line["fewest"] - 1, 0.0) for line in former)
    return [{**line, "loss": loss} for line, loss in zip(former, losses, strict=True)]


def _lines(file: Path) -> list[_Line]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _distances(seed: int, most: tuple[int, int, int]) -> list[_Line]:
    found = []
    for kind, search in searches(*case(seed, most)).items():
        try:
            result = distance(search, small=most == SMALL)
        except InputError:  # nothing fits
            continue
        found.append({"kind": kind, **result._asdict()})
    return found


def _named(search: Search) -> list[_Line]:
    return [{"kind": "", **distance(search, small=False)._asdict()}]


def _buffers(seed: int) -> list[_Line]:
    """What a run loses when one buffer has twice the room."""
    item, machine = case(seed, SMALL)
    found = []
    for name in BUFFERS:
        larger = with_buffer(machine, name, 2)
        pairs = (searches(item, machine), searches(item, larger))
        for kind in pairs[0]:
            try:
                before, after = (cycles(pair[kind]) for pair in pairs)
            except InputError:
                continue
            found.append({"kind": f"{name}, {kind}", "loss": max(after / before - 1, 0.0)})
    return found


def _splits(seed: int) -> list[_Line]:
    """What an open split loses to the best fixed one, tiles searched for each."""
    item, machine = case(seed, SMALL)
    machine = replace(machine, denser_lines="auto")
    try:
        search = searches(item, machine)["compressed"]
        splits = search.splits
        if len(splits) == 1:
            return []
        found = cycles(search)
        others: list[LineSplit] = [*splits, "proportional"]
        fixed = [
            cycles(searches(item, replace(machine, denser_lines=lines))["compressed"])
            for lines in others
        ]
    except InputError:
        return []
    return [{"kind": "compressed", "loss": max(found / min(fixed) - 1, 0.0)}]


def _larger_weight_buffer() -> list[_Line]:
    """256 x 384, density 0.5, rank 16, 64 tokens: every weight buffer beside the smaller ones."""
    gemm = Gemm("p", "MHA", 256, 384, 64)
    mask = PackedMask.pack(np.random.default_rng(0).random((256, 384)) < 0.5)
    item = SparseLowRankGemm(gemm, mask, 16)
    found = []
    for (name, preset, fields), slots in itertools.product(_BUFFER_MACHINES, (2, "auto")):
        fewest = None
        for capacity in CAPACITIES:
            buffer = {"weight_buffer.capacity_bytes": capacity, "weight_buffer.slots": slots}
            machine = load_accelerator(preset, {**fields, **buffer})
            taken = cycles(searches(item, machine)["compressed"])
            loss = 0.0 if fewest is None else max(taken / fewest - 1, 0.0)
            fewest = taken if fewest is None else min(fewest, taken)
            found.append({"kind": f"{name}, {slots}, {capacity}", "loss": loss, "cycles": taken})
    return found


def _summary(lines: list[_Line]) -> None:
    for part, kind in itertools.product(("small", "large"), ("compressed", "dense")):
        found = [item for item in _found(lines, part) if item["kind"] == kind]
        _print(f"{part}, {kind}", [item["loss"] for item in found])
        if found:
            print(_searched([Distance(**{n: item[n] for n in Distance._fields}) for item in found]))
    _print("twice a buffer", [item["loss"] for item in _found(lines, "buffer")])
    _print("auto against fixed splits", [item["loss"] for item in _found(lines, "split")])
    for line in lines:
        if line["case"].startswith(("named", "larger")):
            for item in line["found"]:
                more = f"best of {item['runs']:,}" if "runs" in item else f"{item['cycles']:,}"
                print(f"{line['case']} {item['kind']}: {100 * item['loss']:.2f}%, {more}")


def _found(lines: Iterable[_Line], part: str) -> Iterator[_Line]:
    for line in lines:
        if line["case"].split()[0] == part:
            yield from line["found"]


def _print(name: str, losses: list[float]) -> None:
    if losses:
        mean, worst = 100 * float(np.mean(losses)), 100 * max(losses)
        above = sum(loss > 0.01 for loss in losses)
        print(f"{name}: {len(losses)}, mean {mean:.2f}%, worst {worst:.2f}%, {above} above 1%")


def _searched(items: list[Distance]) -> str:
    whole = sum(item.tilings == item.runs for item in items)
    tilings, runs, audited, better = (
        sum(item.tilings for item in items),
        sum(item.runs for item in items),
        sum(item.audited for item in items),
        sum(item.audited_better for item in items),
    )
    return (
        f"  {tilings:,} tilings, {runs:,} run, every one in {whole} cases; least cycles over "
        f"estimate {min(item.least_ratio for item in items):.3f}; of {audited:,} drawn from the "
        f"others {better} were better"
    )


if __name__ == "__main__":
    if sys.argv[2:3] == ["again"]:
        main(Path(sys.argv[1]), _again(Path(sys.argv[3])))
    else:
        counts = [int(argument) for argument in sys.argv[2:]]
        main(Path(sys.argv[1]), _jobs(*counts, *(200, 50, 0)[len(counts) :]))
