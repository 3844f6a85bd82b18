"""Sweeps: every point once, the same shards whoever makes them, nothing done twice."""

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest

from accelerator_sim.block import simulate_block
from accelerator_sim.design_space import evaluation as sweep
from accelerator_sim.design_space.backends import Workers
from accelerator_sim.design_space.evaluation import Share, estimate, run_share, run_sweep
from accelerator_sim.design_space.objectives import OBJECTIVES
from accelerator_sim.design_space.space import Space
from accelerator_sim.design_space.sweep_result import sweep_result
from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.models.by_name import Model
from tests.accelerator_sim.machines import block_by
from tests.accelerator_sim.spaces import BASE, FIELDS, space_from
from tests.workloads.results.results import PROVENANCE
from workloads.masks.synthetic import synthetic_block
from workloads.shapes.attention import ContextAttention, Heads
from workloads.shapes.transformer import load_model
from workloads.support.errors import InputError

MODELS: tuple[Model, ...] = ("roofline",)
TIGHT = BASE.replace("published", "event").replace("[1, 4]", "2") + (
    "[fields]\ntile.rows = [64, 4096]\ntile.columns = 64\nlines = [32, 64]\n"
    "weight_buffer.slots = 2\n"
)


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "shards").iterdir())}


def test_run_sweep_every_row_is_the_simulated_block(tmp_path: Path) -> None:
    space = space_from(tmp_path, 'objectives = ["cycles", "speedup"]\n' + BASE + FIELDS)
    rows = run_sweep(space, tmp_path / "out", workers=Workers(1)).to_pylist()
    assert [row["point"] for row in rows] == list(range(12))
    for row in rows:
        settings = {key: row[key] for key in ("lines", "dense_threshold")}
        block = synthetic_block(load_model("smollm2-135m"), 0.5, 16, row["tokens"], 0)
        found = block_by("published", block, load_accelerator("array-64x64", settings))
        assert row["cycles"] == found.total.sum_cycles
        assert row["speedup"] == found.total.speedup
        assert row["feasible"]


def test_run_sweep_event_model_counts_bytes_and_keeps_infeasible_points(tmp_path: Path) -> None:
    rows = run_sweep(space_from(tmp_path, TIGHT), tmp_path / "out", workers=Workers(1)).to_pylist()
    assert [row["feasible"] for row in rows] == [True, True, False, False]
    assert "does not fit" in rows[2]["reason"]
    assert "would fit" in rows[2]["reason"]
    measured = [
        name
        for name, objective in OBJECTIVES.items()
        if objective.always and not objective.of_model
    ]
    assert list(rows[2])[-len(measured) :] == measured
    assert [rows[2][name] for name in measured] == [None] * len(measured)
    changes = {"tile.rows": 64, "tile.columns": 64, "lines": 32, "weight_buffer.slots": 2}
    machine = load_accelerator("array-64x64", changes)
    block = synthetic_block(load_model("smollm2-135m"), 0.5, 16, 2, 0)
    found = block_by("event", block, machine)
    runs = [part.sum_run for part in found.projections]
    assert rows[0]["dram_bytes"] == sum(run.traffic.total for run in runs if run is not None)
    assert rows[0]["cycles"] == sum(run.cycles for run in runs if run is not None)
    energies = [module["sum"].total_pj for module in found.energy.values()]
    assert rows[0]["energy_pj"] == pytest.approx(sum(energies))
    seconds = rows[0]["cycles"] / machine.clock_hz
    assert rows[0]["seconds"] == pytest.approx(seconds)
    assert rows[0]["tokens_per_second"] == pytest.approx(2 / seconds)
    assert rows[0]["energy_delay"] == pytest.approx(sum(energies) / 1e12 * seconds)
    assert rows[0]["power_watts"] == pytest.approx(sum(energies) / 1e12 / seconds)
    assert found.area is not None
    assert rows[0]["area_mm2"] == found.area.total_mm2
    assert rows[1]["area_mm2"] > rows[0]["area_mm2"]


def test_run_sweep_any_number_of_workers_gives_the_same_bytes(tmp_path: Path) -> None:
    space = space_from(tmp_path)
    tables = [
        run_sweep(space, tmp_path / str(workers), workers=Workers(workers)) for workers in (1, 2, 3)
    ]
    assert tables[0].equals(tables[1])
    assert len(shards(tmp_path / "1")) == 4
    assert shards(tmp_path / "1") == shards(tmp_path / "2") == shards(tmp_path / "3")


def interrupted(space: Space, out: Path, batches: int) -> None:
    """A sweep that ends after so many batches."""

    def stop(stage: str, done: int, total: int) -> None:
        del stage, total
        if done >= batches * space.batch_points:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(space, out, workers=Workers(1), progress=stop)


def test_run_sweep_restarted_repeats_no_finished_batch(tmp_path: Path) -> None:
    space = space_from(tmp_path)
    run_sweep(space, tmp_path / "whole", workers=Workers(1))
    out = tmp_path / "out"
    interrupted(space, out, 2)
    assert sorted(shards(out)) == ["000000.parquet", "000001.parquet"]
    assert estimate(space, out, workers=1).finished == 6
    with mock.patch.object(sweep, "_row", wraps=sweep._row) as row:
        run_sweep(space, out, workers=Workers(1))
    assert [call.args[2] for call in row.call_args_list] == list(range(6, 12))
    assert shards(out) == shards(tmp_path / "whole")


def test_run_sweep_finished_evaluates_nothing(tmp_path: Path) -> None:
    space = space_from(tmp_path)
    first = run_sweep(space, tmp_path / "out", workers=Workers(1))
    with mock.patch.object(sweep, "_row", side_effect=AssertionError):
        assert run_sweep(space, tmp_path / "out", workers=Workers(1)).equals(first)


def test_run_sweep_another_space_is_refused_and_nothing_touched(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_sweep(space_from(tmp_path), out, workers=Workers(1))
    before = shards(out)
    other = space_from(tmp_path, (BASE + FIELDS).replace("rank = 16", "rank = 8"))
    with pytest.raises(InputError, match=r"another space \(space\.toml"):
        run_sweep(other, out, workers=Workers(1))
    with pytest.raises(InputError, match=r"another space \(space\.toml"):
        estimate(other, out, workers=1)
    assert shards(out) == before


def test_run_sweep_foreign_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not a sweep's directory and not empty"):
        run_sweep(space_from(tmp_path), tmp_path, workers=Workers(1))
    assert not (tmp_path / "shards").exists()


def test_run_sweep_damaged_shard_is_named(tmp_path: Path) -> None:
    space, out = space_from(tmp_path), tmp_path / "out"
    run_sweep(space, out, workers=Workers(1))
    path = out / "shards" / "000001.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"000001\.parquet: .*delete it and run the sweep again"):
        run_sweep(space, out, workers=Workers(1))
    path.write_bytes((out / "shards" / "000002.parquet").read_bytes())
    with pytest.raises(InputError, match="holds other points"):
        run_sweep(space, out, workers=Workers(1))


def test_run_sweep_second_writer_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with (out / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another run is writing there"):
            run_sweep(space_from(tmp_path), out, workers=Workers(1))
    assert len(run_sweep(space_from(tmp_path), out, workers=Workers(1))) == 12


def test_run_share_every_batch_is_in_one_share_and_the_last_run_has_all(tmp_path: Path) -> None:
    space, out = space_from(tmp_path), tmp_path / "out"
    left = [
        run_share(space, out, share=Share(number, 3), workers=Workers(1)) for number in (2, 3, 1)
    ]
    assert left == [9, 6, 0]  # 4 batches of 3 points: shares of 2, 1 and 1 batches
    whole = tmp_path / "whole"
    table = run_sweep(space, whole, workers=Workers(1))
    assert shards(out) == shards(whole)
    with mock.patch.object(sweep, "_row", side_effect=AssertionError):
        assert run_sweep(space, out, workers=Workers(1)).equals(table)


def test_run_share_of_another_share_may_write_at_the_same_time(tmp_path: Path) -> None:
    space, out = space_from(tmp_path), tmp_path / "out"
    out.mkdir()
    with (out / ".lock-1-of-2").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another run is writing there"):
            run_share(space, out, share=Share(1, 2), workers=Workers(1))
        assert run_share(space, out, share=Share(2, 2), workers=Workers(1)) == 6


@pytest.mark.parametrize(("number", "of_shares"), [(0, 4), (5, 4), (1, 0)])
def test_share_outside_its_number_is_refused(number: int, of_shares: int) -> None:
    with pytest.raises(InputError, match=rf"such as 1/4; got {number}/{of_shares}"):
        Share(number, of_shares)


def test_run_sweep_mixed_words_and_numbers_are_text(tmp_path: Path) -> None:
    text = BASE + '[fields]\ntile.rows = ["auto", 64]\n"dram.efficiency" = [1, 0.5]\n'
    table = run_sweep(space_from(tmp_path, text), tmp_path / "out", workers=Workers(1))
    assert table.schema.field("tile.rows").type == pa.string()
    assert table.column("tile.rows").to_pylist()[::2] == ["auto", "64"] * 2
    assert table.column("dram.efficiency").to_pylist()[:2] == [1.0, 0.5]


def test_estimate_writes_nothing_and_counts_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a load that leaves half of the cores two workers take twice as long as alone."""
    monkeypatch.setattr(sweep, "crowding", lambda _workers: 2.0)
    found = estimate(space_from(tmp_path), tmp_path / "out", workers=2)
    assert (found.points, found.finished, found.timed_points, found.workers) == (12, 0, 3, 2)
    assert found.seconds == pytest.approx(2 * (found.setup_seconds + 6 * found.point_seconds))
    assert not (tmp_path / "out").exists()


def test_run_sweep_batch_and_context_are_attention_of_every_sequence(tmp_path: Path) -> None:
    """Products take the tokens of all sequences; each sequence has its own keys and values."""
    text = "batch = 3\ncontext = 32\n" + BASE.replace("published", "roofline")
    space = space_from(tmp_path, text.replace("[1, 4]", "2"))
    [row] = run_sweep(space, tmp_path / "out", workers=Workers(1)).to_pylist()
    items = synthetic_block(load_model("smollm2-135m"), 0.5, 16, 6, 0)
    block, one = (
        simulate_block(items, space.accelerator, models=MODELS, attention=attention)["roofline"]
        for attention in (
            ContextAttention(Heads(9, 3, 64), 2, 32, sequences=3),
            ContextAttention(Heads(9, 3, 64), 2, 32),
        )
    )
    assert row["cycles"] == block.total.sum_cycles
    names = ("qk", "softmax", "av")
    three, single = (
        sum(part.sum_cycles for part in cycles.projections if part.name in names)
        for cycles in (block, one)
    )
    assert three == 3 * single
    assert row["tokens_per_second"] == pytest.approx(6 / row["seconds"])


def test_run_sweep_mask_is_the_projection_of_its_file(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.random.default_rng(0).random((32, 48)) < 0.5)
    text = BASE.replace('model = "smollm2-135m"\nkept_fraction = 0.5\nrank = 16', 'mask = "m.npy"')
    space = space_from(tmp_path, text.replace("published", "roofline") + "[fields]\nlines = 64\n")
    rows = run_sweep(space, tmp_path / "out", workers=Workers(1)).to_pylist()
    assert [row["feasible"] for row in rows] == [True, True]
    result = sweep_result(space, pa.Table.from_pylist(rows), provenance=PROVENANCE)
    expected = {"mask": "m.npy", "blocks": 1, "masks": "real (m.npy)"}
    assert result.identity.workload == expected


def test_sweep_result_tolerance_thins_the_front_and_the_knee_is_marked(tmp_path: Path) -> None:
    fields = "[fields]\nlines = [8, 16, 32, 64]\n"
    text = BASE.replace("[1, 4]", "64") + fields
    fronts = []
    for tolerance in (0, 0.6):
        space = space_from(tmp_path, f"tolerance = {tolerance}\n" + text)
        points = run_sweep(space, tmp_path / "out", workers=Workers(1))
        fronts.append(sweep_result(space, points, provenance=PROVENANCE).front)
    whole, thin = fronts
    assert [row["lines"] for row in whole] == [64, 32, 16, 8]
    assert 1 <= len(thin) < len(whole)
    assert sum(row["knee"] for row in whole) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_run_sweep_that_loses_a_worker_is_one_sentence_and_goes_on(
    tmp_path: Path, workers: int
) -> None:
    """One worker without memory; two of which one is killed, as joblib tells it."""
    space, out = space_from(tmp_path), tmp_path / "out"
    numbered = sweep._numbered

    def short(batch: int, task: sweep._Task) -> tuple[int, bytes]:
        if batch:
            raise MemoryError
        return numbered(batch, task)

    def killed(jobs: Iterator[tuple[Callable[..., object], tuple[object, ...], object]]) -> object:
        function, arguments, _ = next(jobs)
        yield function(*arguments)
        raise BrokenExecutor

    with (
        mock.patch.object(sweep, "_numbered", short),
        mock.patch("joblib.Parallel", return_value=killed),
        pytest.raises(InputError, match=r"killed, or had too little memory; finished batches stay"),
    ):
        run_sweep(space, out, workers=Workers(workers))
    assert len(shards(out)) == 1
    assert run_sweep(space, out, workers=Workers(1)) == run_sweep(
        space, tmp_path / "whole", workers=Workers(1)
    )


def test_sweep_result_front_is_of_points_that_keep_the_constraints(tmp_path: Path) -> None:
    text = 'objectives = ["cycles", "area_mm2"]\n' + BASE + FIELDS
    out = tmp_path / "out"
    free = space_from(tmp_path, text)
    rows = run_sweep(free, out, workers=Workers(1)).to_pylist()
    limit = sorted(row["area_mm2"] for row in rows)[5]
    held = space_from(tmp_path, text + f"[constraints]\narea_mm2 = {{ most = {limit} }}\n")
    result = sweep_result(held, run_sweep(held, out, workers=Workers(1)), provenance=PROVENANCE)
    allowed = [row for row in rows if row["area_mm2"] <= limit]
    assert (result.outside, result.infeasible) == (12 - len(allowed), 0)
    for row in allowed:
        rivals = [other for other in allowed if other["tokens"] == row["tokens"]]
        beaten = any(
            other["cycles"] <= row["cycles"] and other["area_mm2"] <= row["area_mm2"]
            and (other["cycles"], other["area_mm2"]) != (row["cycles"], row["area_mm2"])
            for other in rivals
        )  # fmt: skip
        assert beaten == (row["point"] not in [best["point"] for best in result.front])
    none = space_from(tmp_path, text + "[constraints]\narea_mm2 = { most = 0 }\n")
    result = sweep_result(none, run_sweep(none, out, workers=Workers(1)), provenance=PROVENANCE)
    assert (result.front, result.outside) == ((), 12)
