"""What ``auto`` finds: nearly the best of all tiles, whatever the buffers and the split."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accelerator_sim.machine.catalog import WITHOUT_EFFECTS, load_accelerator
from accelerator_sim.machine.hardware import (
    Accelerator,
    Buffer,
    Dram,
    Index,
    LineSplit,
    Slots,
    TileChoice,
)
from accelerator_sim.mapping.configuration import FLOWS, Flow
from accelerator_sim.planning import trials
from accelerator_sim.planning.planner import plan_dense, plan_projection
from accelerator_sim.simulation.compiled import run_compiled
from benchmarks.mapper_cases import LARGE, SMALL, case
from tests.accelerator_sim.machines import projection, random_mask, small_machine
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.shapes.gemm import Gemm
from workloads.support.errors import InputError


def machine(bytes_per_cycle: int, **changes: Any) -> Accelerator:
    """Tight buffers, one request a cycle; bound by bandwidth or by compute."""
    made = small_machine(
        lines=4,
        tile=TileChoice(),
        dataflow="auto",
        weight_buffer=Buffer(200, 2),
        activation_buffer=Buffer(60, 2),
        output_buffer=Buffer(600, 2),
        dram=Dram(
            1000 * bytes_per_cycle, 1.0, 8e6, 1, 1, requests_per_cycle=1, outstanding_requests=4
        ),
    )
    return replace(made, **changes)


def item(tokens: int = 3, rank: int = 2) -> SparseLowRankGemm:
    mask = random_mask(9, 12, 0.5, seed=3)
    mask[:, ::6] = True
    return projection(mask, rank=rank, tokens=tokens)


def cycles(work: SparseLowRankGemm, made: Accelerator, *, dense: bool = False) -> int:
    plan = plan_dense(work.gemm, made) if dense else plan_projection(work, made)
    return run_compiled(plan).cycles


def every_tile(work: SparseLowRankGemm, made: Accelerator, *, dense: bool) -> int:
    """The fewest cycles of all tiles and dataflows, each given and run."""
    gemm, found = work.gemm, []
    extents = (range(1, extent + 1) for extent in (gemm.m, gemm.n, gemm.tokens))
    for tile in itertools.product(*extents):
        for flow in FLOWS:
            given = replace(made, tile=TileChoice(*tile), dataflow=flow)
            try:
                found.append(cycles(work, given, dense=dense))
            except InputError:
                continue
    return min(found)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("rate", [1, 16])
def test_auto_is_nearly_the_best_of_all_tiles(
    rate: int, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, made = item(tokens=2), machine(rate)
    found = cycles(work, made, dense=dense)
    # a tile that does not fit is refused without a search for one that would
    monkeypatch.setattr("accelerator_sim.planning.planner._would_fit", lambda _: "")
    assert found <= 1.02 * every_tile(work, made, dense=dense)


@pytest.mark.parametrize("threshold", [0.5, 1.0])
@pytest.mark.parametrize("schedule", ["sequential", "overlapped"])
def test_auto_split_is_no_slower_than_any_fixed_one(threshold: float, schedule: str) -> None:
    made = machine(8, dense_threshold=threshold, schedule=schedule)
    work = item()
    fixed = []
    splits: tuple[LineSplit, ...] = (0, 1, 2, 3, "proportional")
    for lines in splits:
        try:
            fixed.append(cycles(work, replace(made, denser_lines=lines)))
        except InputError:
            continue
    assert cycles(work, made) <= 1.005 * min(fixed)


@pytest.mark.parametrize("slots", [2, "auto"])
@pytest.mark.parametrize("name", ["weight_buffer", "activation_buffer", "output_buffer"])
def test_larger_buffer_loses_no_more_than_one_percent(name: str, slots: Slots) -> None:
    made, taken = machine(4), []
    for size in (120, 240, 480, 960):
        changes: dict[str, Any] = {name: Buffer(size + 300 * (name[0] == "o"), slots)}
        taken.append(cycles(item(), replace(made, **changes)))
    for before, after in itertools.pairwise(taken):
        assert after <= 1.01 * before


@pytest.mark.parametrize("effects", [{}, WITHOUT_EFFECTS], ids=["preset", "without effects"])
@pytest.mark.parametrize("slots", [2, "auto"])
def test_larger_weight_buffer_of_a_256x384_mask_loses_no_more_than_one_percent(
    slots: Slots, effects: dict[str, Any]
) -> None:
    """The least lower bound once chose a tile 11% slower in the largest of these buffers."""
    mask = PackedMask.pack(np.random.default_rng(0).random((256, 384)) < 0.5)
    work = SparseLowRankGemm(Gemm("p", "MHA", 256, 384, 64), mask, 16)
    taken = []
    for kib in (16, 32, 64):
        fields = {"weight_buffer.capacity_bytes": 1024 * kib, "weight_buffer.slots": slots}
        taken.append(cycles(work, load_accelerator("array-64x64", effects | fields)))
    assert taken[1] <= 1.01 * taken[0]
    assert taken[2] <= 1.01 * min(taken[:2])


def test_equally_fast_plans_differ_in_energy_and_the_least_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = []
    run = trials._run

    def noted(*arguments: object) -> trials.Trial:
        runs.append(run(*arguments))  # type: ignore[arg-type]
        return runs[-1]

    monkeypatch.setattr(trials, "_run", noted)
    work, made = item(tokens=4), machine(1, handoff_cycles=0)
    chosen = run_compiled(plan_projection(work, made))
    fewest = min(trial.cycles for trial in runs)
    equals = [trial for trial in runs if trial.cycles <= trials.TIE * fewest]
    least = min(equals, key=lambda trial: trial.energy_pj * trial.cycles**trials.PATIENCE)
    assert chosen.cycles == least.cycles
    assert least.energy_pj < max(trial.energy_pj for trial in runs)


def test_fewer_slots_than_fit_are_tried_where_they_are_auto() -> None:
    """Tiles that are loaded far ahead go before the inputs of the first ones."""
    tight = Buffer(60, "auto")
    made = machine(2, weight_buffer=Buffer(4000, "auto"), activation_buffer=tight)
    with_auto = cycles(item(tokens=2), made)
    for slots in (2, 3, 4):
        fixed = replace(made, weight_buffer=Buffer(4000, slots))
        assert with_auto <= 1.005 * cycles(item(tokens=2), fixed)


def test_large_mask_is_cut_between_words_where_that_is_faster() -> None:
    """A tile of 208 columns is 4% faster than the best whose columns are whole words of 64."""
    mask = PackedMask.pack(np.random.default_rng(0).random((4096, 4096)) < 0.5)
    item = SparseLowRankGemm(Gemm("q_proj", "MHA", 4096, 4096, 32), mask, 128)
    given = {"tile.rows": 320, "tile.columns": 208, "tile.tokens": 32}
    between = run_compiled(plan_projection(item, load_accelerator("array-64x64", given))).cycles
    found = run_compiled(plan_projection(item, load_accelerator("array-64x64"))).cycles
    assert found <= 1.005 * between


def test_plan_dense_many_tokens_and_little_room_for_inputs_finds_a_tile() -> None:
    """Tiles whose inputs fit nowhere are few; beside them those that fit are not too many."""
    tight = load_accelerator("array-64x64", {"activation_buffer.capacity_bytes": 1024})
    plan = plan_dense(Gemm("p", "FFN", 64, 1024, 1024), tight)
    assert plan.storage.fits


@pytest.mark.parametrize(
    ("seed", "most", "tile", "flow", "denser_lines"),
    [
        pytest.param(
            2, LARGE, TileChoice(59, 20, 31), "token", 1, id="tokens of which estimates are high"
        ),
        pytest.param(
            3, LARGE, TileChoice(44, 16, 50), "reduction", 1, id="eleven quarters of the lines"
        ),
        pytest.param(
            11, LARGE, TileChoice(5, 201, 30), "reduction", 5, id="as many rows as its lines"
        ),
        pytest.param(34, SMALL, TileChoice(20, 26, 11), "token", 0, id="a slot that is filled"),
    ],
)
def test_auto_is_within_three_percent_of_tilings_it_once_missed(
    seed: int, most: tuple[int, int, int], tile: TileChoice, flow: Flow, denser_lines: int
) -> None:
    work, made = case(seed, most)
    best = replace(made, tile=tile, dataflow=flow, denser_lines=denser_lines)
    assert cycles(work, made) <= 1.03 * cycles(work, best)


def test_auto_split_is_no_slower_than_a_fixed_one_where_estimates_are_unequally_far_off() -> None:
    """Factors beside S: runs take 0.90 to 0.99 of their estimates."""
    work, made = case(14, SMALL)
    auto, fixed = (replace(made, denser_lines=lines) for lines in ("auto", 3))
    assert cycles(work, auto) <= 1.005 * cycles(work, fixed)


@pytest.mark.parametrize("columns", [10, 11, 13, 22, 31])
@pytest.mark.parametrize("macs_per_line", [4, 8, 12])
def test_auto_cuts_no_group_where_the_columns_are_no_whole_number_of_them(
    columns: int, macs_per_line: int
) -> None:
    mask = np.zeros((9, columns), dtype=np.bool_)
    mask[:, ::4] = mask[:, 1::4] = True
    made = small_machine(
        lines=4, macs_per_line=macs_per_line, tile=TileChoice(), dataflow="auto",
        index=Index("2:4", 4),
    )  # fmt: skip
    tiled = plan_projection(projection(mask, rank=2, tokens=3), made).program.tiled
    assert tiled.tile.columns % 4 == 0 or tiled.tile.columns == columns
