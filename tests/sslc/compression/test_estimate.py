"""Estimates from shapes: counts by hand, and memory that follows what costs it."""

from pathlib import Path
from typing import Any

import pytest

from sslc.calibration.windows import Calibration
from sslc.compression import estimate
from sslc.compression.estimate import (
    ProjectionEstimate,
    estimate_projections,
    fit_workers,
    peak_bytes,
)
from sslc.compression.plan import Choice, Plan, make_plan
from sslc.methods.registry import load_method
from sslc.model.blocks import BlockwiseModel
from sslc.model.opening import open_checkpoint
from workloads.artifact.storage import Storage
from workloads.support.errors import InputError


def test_projection_estimate_counts_by_hand() -> None:
    """6 x 10 with rank 2 and 20 nonzeros in two bytes: 20 + 2·16 values, 2 mask bytes a row."""
    plain = Storage.plain("BF16")
    one = ProjectionEstimate(0, "mlp.up_proj", "FFN", 6, 10, "sslc", 0.9, 2, 20, plain, "BF16")
    assert (one.parameters, one.stored_bytes, one.dense_bytes) == (52, 6 * 2 + 104, 120)


def _planned(model: BlockwiseModel, method: str, **settings: object) -> Plan:
    named = load_method(method, settings)
    return make_plan(Choice(), named, names=model.linear_names(), blocks=model.blocks)


def test_peak_bytes_rises_with_workers_windows_and_hessians(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside what the process holds already, which is left out here."""
    monkeypatch.setattr(estimate, "_resident_bytes", lambda: 0)
    model = BlockwiseModel(open_checkpoint(str(llama)))

    def peak(method: str, windows: int, workers: int) -> int:
        plan = _planned(model, method)
        estimates = estimate_projections(model, plan, dtype="F32")
        cut = Calibration(windows=windows, window_tokens=2)
        return peak_bytes(model, plan, estimates=estimates, calibration=cut, workers=workers)

    least = peak("magnitude", 1, 1)
    assert peak("magnitude", 1, 4) > least
    assert peak("magnitude", 4096, 1) - least > 2 * 4 * 4095 * 2 * 64
    assert peak("alps", 1, 1) > least


def test_fit_workers_takes_what_fits_and_refuses_less_than_one(llama: Path) -> None:
    model = BlockwiseModel(open_checkpoint(str(llama)))
    plan = _planned(model, "sslc", low_rank="exact")
    cut: dict[str, Any] = {
        "estimates": estimate_projections(model, plan, dtype="F32"),
        "calibration": Calibration(),
    }
    assert fit_workers(model, plan, workers=3, max_memory_bytes=None, **cut) == 3
    assert fit_workers(model, plan, workers=3, max_memory_bytes=2**50, **cut) == 3
    with pytest.raises(InputError, match="even with one worker"):
        fit_workers(model, plan, workers=3, max_memory_bytes=2**20, **cut)


def test_estimate_projections_budget_without_room_names_the_projection(llama: Path) -> None:
    model = BlockwiseModel(open_checkpoint(str(llama)))
    plan = _planned(model, "sslc", rank=30)
    with pytest.raises(InputError, match=r"block 0, self_attn.q_proj: .*rank 30"):
        estimate_projections(model, plan, dtype="F32")
