"""Whole numbers of a machine have upper limits, and at the limits the counts still hold."""

import contextlib
import dataclasses
import itertools
import warnings
from pathlib import Path

import pytest

from accelerator_sim.machine.catalog import load_accelerator
from accelerator_sim.machine.hardware import (
    MAX_BYTES,
    MAX_BYTES_PER_SECOND,
    MAX_HERTZ,
    MAX_NANOSECONDS,
    MAX_PER_CYCLE,
    MAX_PIPELINE,
    MAX_UNITS,
)
from accelerator_sim.models.by_name import Model
from tests.accelerator_sim.machine.test_catalog import preset_text
from tests.accelerator_sim.machines import projection, projection_by, random_mask
from workloads.support.errors import InputError, InputWarning

MODELS: tuple[Model, ...] = ("event", "compiled")
LIMITS = {
    "clock_hz": MAX_HERTZ,
    "lines": MAX_UNITS,
    "macs_per_line": MAX_UNITS,
    "link_elements_per_cycle": MAX_PER_CYCLE,
    "softmax_elements_per_cycle": MAX_PER_CYCLE,
    "index.decode_per_cycle": MAX_PER_CYCLE,
    "tile.rows": MAX_PER_CYCLE,
    "tile.columns": MAX_PER_CYCLE,
    "tile.tokens": MAX_PER_CYCLE,
    "weight_buffer.capacity_bytes": MAX_BYTES,
    "activation_buffer.capacity_bytes": MAX_BYTES,
    "output_buffer.capacity_bytes": MAX_BYTES,
    "dram.bytes_per_second": MAX_BYTES_PER_SECOND,
    "dram.burst_bytes": MAX_PER_CYCLE,
    "dram.channels": MAX_UNITS,
    "dram.requests_per_cycle": MAX_UNITS,
    "dram.outstanding_requests": MAX_UNITS,
    "weight_buffer.slots": MAX_UNITS,
    "activation_banks": MAX_UNITS,
    "activation_ports": MAX_UNITS,
    "pipeline_cycles": MAX_PIPELINE,
    "dram.latency_ns": MAX_NANOSECONDS,
    "dram.write_latency_ns": MAX_NANOSECONDS,
}


@pytest.mark.parametrize(("key", "limit"), LIMITS.items())
def test_load_accelerator_beyond_a_limit_is_refused_by_field(key: str, limit: int) -> None:
    for value in (limit + 1, 2**63 - 1, 2**63, 10**400, -(2**70)):
        with pytest.raises(InputError, match=key.rpartition(".")[2]):
            load_accelerator("vitcod", {key: value})


def test_limits_at_any_two_of_them_the_models_agree_or_refuse() -> None:
    """Accounts are lines times cycles: none is negative, and each engine's sum to it."""
    item = projection(random_mask(24, 40, 0.5, seed=1), rank=3, tokens=2)
    compared = 0
    for pair in itertools.combinations(LIMITS, 2):
        try:
            machine = load_accelerator("vitcod", {key: LIMITS[key] for key in pair})
            event, compiled = (projection_by(model, item, machine) for model in MODELS)
        except InputError:
            continue
        assert dataclasses.replace(compiled, model="event") == event
        assert event.sum_run is not None
        for engine, lines in (
            (event.sum_run.denser, event.sum_run.denser_lines),
            (event.sum_run.sparser, machine.lines - event.sum_run.denser_lines),
        ):
            accounts = dataclasses.astuple(engine)
            assert min(accounts) >= 0, pair
            assert sum(accounts) == lines * event.sum_run.cycles
        compared += 1
    assert compared > 50


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bytes_per_second = 76_800_000_000", "bytes_per_second = 76", ":51.* 76 GB/s .* 7.6e"),
        ("clock_hz = 500_000_000", "clock_hz = 500", ":6: .*500 MHz is written 5e"),
    ],
)
def test_load_accelerator_a_rate_in_another_unit_warns(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    text = preset_text("vitcod")
    assert old in text
    (tmp_path / "m.toml").write_text(text.replace(old, new))
    with pytest.warns(InputWarning, match=message), contextlib.suppress(InputError):
        load_accelerator(tmp_path / "m.toml")


def test_load_accelerator_plausible_rates_do_not_warn(tmp_path: Path) -> None:
    text = preset_text("vitcod").replace("76_800_000_000", "76.8e9")
    (tmp_path / "m.toml").write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_accelerator(tmp_path / "m.toml") == load_accelerator("vitcod")


def test_plan_without_room_says_which_operand_needs_how_many_bytes() -> None:
    item = projection(random_mask(24, 40, 0.5, seed=1), tokens=1)
    changes = {"weight_buffer.capacity_bytes": 1, "tile.rows": "auto", "tile.columns": "auto"}
    with pytest.raises(InputError, match=r"weights need \d+ bytes and a slot has 1"):
        projection_by("compiled", item, load_accelerator("vitcod", changes))
