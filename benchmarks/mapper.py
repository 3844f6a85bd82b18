"""How far the planner's tile is from the best of an exhaustive search.

Small: random projections up to 96 x 96 and 16 tokens, every extent of rows, columns (whole groups
of N:M) and tokens, every dataflow and split. Large: up to 768 x 768 and 64 tokens, all multiples of
a quarter of the lines and of the MACs of a line. Each dense and compressed. Simulated is every
tiling that could be better: one whose estimate, times the least that a run ever took of its
estimate (``LEAST``), is not above the planner's cycles; of large ones the ``MOST`` best estimates.
Then: what a buffer of twice the size loses, and what ``auto`` loses to any fixed split.

python -m benchmarks.mapper [SMALL] [LARGE] [SEED]
"""

import itertools
import math
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import Accelerator, LineSplit
from accelerator_sim.mapping.candidates import candidate_plan
from accelerator_sim.mapping.search import Search
from accelerator_sim.mapping.tile_search import Candidate, Ranked, estimated
from accelerator_sim.mapping.tiling import TileShape
from accelerator_sim.planning.trials import best_of
from accelerator_sim.simulation.compiled import run_compiled
from benchmarks.mapper_cases import case, with_buffer
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm, largest_rank
from workloads.support.errors import InputError

SMALL, LARGE = (96, 96, 16), (768, 768, 64)
LEAST = 0.75
MOST = 200
FARTHEST = 64
"""Quarters of the lines or of the MACs that an extent has at most, unless it is the whole."""
BUFFERS = ("weight_buffer", "activation_buffer", "output_buffer")


def main(small: int, large: int, seed: int) -> None:
    for name, count, most in (("small", small, SMALL), ("large", large, LARGE)):
        start = time.process_time()
        rows = [row for number in range(count) for row in _distances(seed + number, most)]
        for kind in ("compressed", "dense"):
            _print(f"{name}, {kind}", [distance for of, distance, _ in rows if of == kind])
        print(
            f"  {sum(runs for _, _, runs in rows):,} runs, "
            f"{time.process_time() - start:.0f} CPU seconds"
        )
    numbers = range(seed, seed + small)
    _print("twice a buffer", [loss for number in numbers for loss in _buffer_losses(number)])
    _print("auto against fixed splits", [loss for n in numbers for loss in _split_losses(n)])
    for text, search in _named():
        distance, runs = _distance(search, _fractions(search))
        print(f"{text}: {100 * distance:.2f}% above the best of {runs} runs")


def _print(name: str, losses: list[float]) -> None:
    if losses:
        mean, worst = 100 * float(np.mean(losses)), 100 * max(losses)
        above = sum(loss > 0.01 for loss in losses)
        print(
            f"{name}: {len(losses)} cases, mean {mean:.2f}%, worst {worst:.2f}%, {above} above 1%",
            flush=True,
        )


def searches(item: SparseLowRankGemm, machine: Accelerator) -> dict[str, Search]:
    """The compressed and the dense run."""
    bits = machine.bits.weight
    return {
        "compressed": Search(item.gemm, machine, bits, item.mask, item.rank),
        "dense": Search(item.gemm, machine, bits),
    }


def _distances(seed: int, most: tuple[int, int, int]) -> Iterator[tuple[str, float, int]]:
    for kind, search in searches(*case(seed, most)).items():
        try:
            tilings = every_tiling(search) if most == SMALL else _fractions(search)
            distance, runs = _distance(search, tilings)
        except InputError:  # nothing fits
            continue
        yield kind, distance, runs
        if distance > 0.03:
            print(f"  case {seed}, {kind}: {100 * distance:.2f}%", flush=True)


def _distance(search: Search, tilings: Iterable[Candidate]) -> tuple[float, int]:
    """Cycles of the planner's choice over the fewest of all tilings, less 1; and runs."""
    found = cycles(search)
    least, runs = found, 0
    for item in _worth(search, estimated(search, tilings), found):
        plan = candidate_plan(search, item.candidate)
        if plan is not None:
            least, runs = min(least, run_compiled(plan).cycles), runs + 1
    return found / least - 1, runs


def _worth(search: Search, items: list[Ranked], found: int) -> list[Ranked]:
    worth = [item for item in items if item.cycles * LEAST <= found]
    small = search.gemm.m <= SMALL[0] and search.gemm.n <= SMALL[1]
    return worth if small else worth[:MOST]


def cycles(search: Search) -> int:
    """Of the planner's choice.

    Raises:
        InputError: Nothing fits.
    """
    plan = best_of(search)
    if plan is None:
        raise InputError("nothing fits")
    return run_compiled(plan).cycles


def every_tiling(search: Search) -> Iterator[Candidate]:
    """Every extent, whole groups, every dataflow and split."""
    gemm = search.gemm
    return _tilings(search, *(range(1, extent + 1) for extent in (gemm.m, gemm.n, gemm.tokens)))


def _fractions(search: Search) -> Iterator[Candidate]:
    """Multiples of a quarter of the lines and of the MACs of a line; tokens by equal blocks."""
    gemm, machine = search.gemm, search.accelerator
    tokens = sorted({math.ceil(gemm.tokens / count) for count in range(1, gemm.tokens + 1)})
    rows, columns = (
        [*range(step, min(extent, FARTHEST * step), step), extent]
        for extent, step in (
            (gemm.m, max(machine.lines // 4, 1)),
            (gemm.n, max(machine.macs_per_line // 4, 1)),
        )
    )
    return _tilings(search, rows, columns, tokens)


def _tilings(
    search: Search, rows: Iterable[int], columns: Iterable[int], tokens: Iterable[int]
) -> Iterator[Candidate]:
    pattern = search.accelerator.index.n_of_m if search.mask is not None else None
    group = pattern[1] if pattern else 1
    whole = [width for width in columns if width % group == 0 or width == search.gemm.n]
    for r, c, t in itertools.product(rows, whole, tokens):
        for flow in search.flows:
            for lines in search.splits:
                yield Candidate(TileShape(r, c, t), flow, lines)


def _buffer_losses(seed: int) -> Iterator[float]:
    item, machine = case(seed, SMALL)
    for name in BUFFERS:
        larger = with_buffer(machine, name, 2)
        pairs = (searches(item, machine), searches(item, larger))
        for kind in pairs[0]:
            try:
                before, after = (cycles(pair[kind]) for pair in pairs)
            except InputError:
                continue
            yield max(after / before - 1, 0.0)


def _split_losses(seed: int) -> Iterator[float]:
    item, machine = case(seed, SMALL)
    machine = replace(machine, denser_lines="auto")
    try:
        search = searches(item, machine)["compressed"]
        splits = search.splits
        found = cycles(search)
        others: list[LineSplit] = [*splits, "proportional"]
        fixed = [
            cycles(searches(item, replace(machine, denser_lines=lines))["compressed"])
            for lines in others
        ]
    except InputError:
        return
    if len(splits) > 1:
        yield max(found / min(fixed) - 1, 0.0)


def _named() -> Iterator[tuple[str, Search]]:
    """Projections that a search over powers of two missed."""
    machine = load_accelerator("array-64x64")
    for size, tokens in ((4096, 16), (4096, 32), (1024, 16)):
        gemm = Gemm("q_proj", "MHA", size, size, tokens)
        mask = PackedMask.pack(np.random.default_rng(0).random((size, size)) < 0.5)
        item = SparseLowRankGemm(gemm, mask, largest_rank(size, size, 0.0625))
        for kind, search in searches(item, machine).items():
            yield f"{size} x {size}, {tokens} tokens, {kind}", search


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(200, 50, 0)[len(given) :])
