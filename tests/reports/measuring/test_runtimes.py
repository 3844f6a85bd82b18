"""Measuring tiny products: what a result holds. No time is asserted."""

import dataclasses

import pytest
import torch

from reports.measuring.clock import paired_seconds
from reports.measuring.memory import MOST_COPIES, cache_bytes, copies_needed
from reports.measuring.operands import MeasuredSource, shape_source, synthetic_operands
from reports.measuring.runtimes import measure_source
from sslc.runtime import features
from tests.workloads.results.results import projection_runtime, runtime
from workloads.results.identity import Subject
from workloads.results.runtime import RuntimeResult, best
from workloads.support.errors import InputError

CPU = torch.device("cpu")


def _source() -> MeasuredSource:
    operands = synthetic_operands(48, 130, kept_fraction=0.5, rank_share=0.1, seed=1)
    subject = Subject("tiny", "synthetic", 0.5, "synthetic", "ab" * 32)
    return MeasuredSource((0,), 1, lambda: iter([operands]), lambda: subject)


def _measure(**options: object) -> RuntimeResult:
    settings: dict[str, object] = {"tokens": (2, 1, 2), "device": CPU, "seconds": 1e-4}
    return measure_source(_source(), **{**settings, **options})  # type: ignore[arg-type]


def test_measure_source_every_backend_of_a_product_in_the_same_rounds() -> None:
    result = _measure(dtypes=("fp32",))
    assert [entry.tokens for entry in result.projections] == [1, 2]
    for entry in result.projections:
        names = {one.backend: one.product for one in entry.runtimes}
        assert names["kernel cpu"] == names["torch CSR"] == "compressed"
        assert names["own dense"] == names["torch dense"] == "dense"
        assert len({one.rounds for one in entry.runtimes}) == 1
        for one in entry.runtimes:
            assert 0 < one.lower_quartile_seconds <= one.median_seconds
            assert one.median_seconds <= one.upper_quartile_seconds
    assert result.limits.stream_bytes_per_second > 0
    assert {one.backend for one in result.not_measured} >= {"torch 2:4"}


def test_measure_source_avx2_hidden_measures_torch_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(features.VARIABLE, "none")
    result = _measure(tokens=(1,), backends=("kernel cpu",))
    assert result.identity.backends == ("own dense", "torch dense", "onnx dense", "kernel cpu")
    assert [one.backend for one in result.projections[0].runtimes] == ["torch dense"]
    reasons = {one.backend: one.reason for one in result.not_measured}
    assert reasons["kernel cpu"] == reasons["own dense"] == "needs AVX2"
    assert result.limits.call_seconds is None
    assert result.identity.device.features == "below AVX2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": ()}, "tokens must be at least 1"),
        ({"tokens": (0,)}, "tokens must be at least 1"),
        ({"dtypes": ("fp8",)}, "dtype"),
        ({"backends": ("MKL",)}, "backend"),
    ],
)
def test_measure_source_bad_settings_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _measure(**options)


def test_totals_leave_out_a_backend_that_misses_a_projection() -> None:
    first = projection_runtime(1, 1e-6, 1e-6)
    fewer = dataclasses.replace(first, name="k_proj", runtimes=first.runtimes[:2])
    totals = runtime(entries=(first, fewer)).totals("FFN", tokens=1, dtype="bf16")
    assert [one.backend for one in totals] == ["own dense", "torch dense"]
    assert totals[0].median_seconds == pytest.approx(2e-6)
    assert best(totals, "compressed") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kept_fraction": 0.05}, "paid for inside"),
        ({"blocks": (99,)}, "has blocks 0 to"),
    ],
)
def test_shape_source_impossible_settings_are_refused(
    options: dict[str, object], message: str
) -> None:
    settings: dict[str, object] = {"blocks": (0,), "kept_fraction": 0.5, "rank_share": 0.0625}
    with pytest.raises(InputError, match=message):
        shape_source("llama2-7b", **{**settings, **options})  # type: ignore[arg-type]


def test_paired_seconds_runs_candidates_in_turn_and_leaves_out_the_warm_up() -> None:
    order: list[tuple[str, int]] = []
    calls = {name: (lambda turn, name=name: order.append((name, turn))) for name in "ab"}
    seconds = paired_seconds(calls, rounds=3)
    assert order == [(name, turn) for turn in range(5) for name in "ab"]
    assert [len(times) for times in seconds.values()] == [3, 3]


@pytest.mark.parametrize(
    ("size", "rotation", "copies"), [(10, 100, 10), (40, 100, 3), (1000, 100, 3), (1, 10**6, 256)]
)
def test_copies_needed_fill_the_rotation_within_limits(
    size: int, rotation: int, copies: int
) -> None:
    assert copies_needed(size, rotation) == copies <= MOST_COPIES


def test_cache_bytes_grow_with_the_level() -> None:
    assert 0 < cache_bytes(1) <= cache_bytes(2) <= cache_bytes(3)
