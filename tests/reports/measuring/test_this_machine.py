"""The machine that calibration makes: a file that the simulator takes, filled from what it says."""

import statistics
from pathlib import Path

import pytest

from accelerator_sim.machine.catalog import load_accelerator
from reports.measuring.prediction import predict
from reports.measuring.this_machine import Calibration, calibrate, machine_toml
from reports.tables.predicted import calibration_table, prediction_tables
from sslc.runtime import features
from workloads.results.table import to_dict
from workloads.support.errors import InputError


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate(threads=1)


def test_machine_toml_is_read_back_as_the_same_machine(
    calibration: Calibration, tmp_path: Path
) -> None:
    path = tmp_path / "here.toml"
    path.write_text(machine_toml(calibration))
    assert load_accelerator(path) == calibration.machine


def test_calibrate_machine_has_the_measured_peak_and_bandwidth(calibration: Calibration) -> None:
    machine = calibration.machine
    peak = machine.clock_hz * machine.peak_macs
    half_a_megahertz = 500_000 * machine.peak_macs  # clocks are whole megahertz
    assert abs(peak - calibration.macs_per_second) <= half_a_megahertz
    stream = float(machine.bytes_per_cycle) * machine.clock_hz
    assert stream == pytest.approx(calibration.stream_bytes_per_second, rel=1e-3)
    latency = machine.dram.latency_ns / 1e9
    assert latency == pytest.approx(calibration.latency_seconds, rel=0.02)
    rows = to_dict(calibration_table(calibration))["rows"]
    assert rows[1]["Value"] == pytest.approx(stream / 1e9, rel=1e-3)


def test_predict_has_dense_once_and_compressed_at_each_density(calibration: Calibration) -> None:
    made = predict(calibration, shapes=((96, 128),), kept=(0.3, 0.6), tokens=(1, 2), seconds=1e-4)
    products = [(one.product, one.kept_fraction, one.tokens) for one in made.products]
    assert sorted(products) == [
        ("compressed", 0.3, 1), ("compressed", 0.3, 2), ("compressed", 0.6, 1),
        ("compressed", 0.6, 2), ("dense", 1.0, 1), ("dense", 1.0, 2),
    ]  # fmt: skip
    for one in made.products:
        roofline, event = (one.predicted_seconds[name] for name in ("roofline", "compiled"))
        assert calibration.call_seconds < roofline <= event
    errors, every = prediction_tables(made)
    dense = [row for row in to_dict(every)["rows"] if row["Product"] == "dense"]
    [total] = [
        row
        for row in to_dict(errors)["rows"]
        if (row["Product"], row["Tokens"]) == ("dense", "all")
    ]
    assert total["Event: median error"] == statistics.median(row["Event: error"] for row in dense)


def test_calibrate_without_avx2_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(features.VARIABLE, "none")
    with pytest.raises(InputError, match="needs AVX2"):
        calibrate()
