"""A calibrated machine, and predicted beside measured times: tables."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from workloads.results.table import Cell, Column, Table

if TYPE_CHECKING:
    from reports.measuring.prediction import PredictedRuntime, Prediction
    from reports.measuring.this_machine import Calibration

_US_PER_SECOND = 1e6
_MODELS = {"roofline": "Roofline", "compiled": "Event"}


def calibration_table(calibration: "Calibration") -> Table:
    """What was measured of a processor, and what of the machine it became."""
    machine = calibration.machine
    lanes = f"{machine.lines} x {machine.macs_per_line} MACs at {machine.clock_hz / 1e6:,.0f} MHz"
    buffers = f"weights {machine.weight_buffer.capacity_bytes / 2**20:,.1f} MiB"
    rows: tuple[tuple[Cell, ...], ...] = (
        ("GMAC/s of a bf16 product", calibration.macs_per_second / 1e9, lanes),
        ("Stream, GB/s", calibration.stream_bytes_per_second / 1e9, "DRAM bandwidth"),
        ("Latency, ns", calibration.latency_seconds * 1e9, f"{machine.read_latency_cycles} cycles"),
        (
            "Positions of S in cache, 1/ns",
            calibration.positions_per_second / 1e9,
            f"{machine.index.decode_per_cycle} bits a cycle and line",
        ),
        ("L2 of a core, KiB", calibration.cache_bytes[0] / 2**10, buffers),
        (
            "L3, MiB",
            calibration.cache_bytes[1] / 2**20,
            "half for activations, half for outputs",
        ),
        ("Smallest call, us", calibration.call_seconds * _US_PER_SECOND, "added to predictions"),
    )
    columns = (Column("Measured"), Column("Value", ",.1f"), Column("In the machine"))
    note = (
        f"Measured on: {calibration.device}, {calibration.threads} threads, {calibration.features}."
    )
    return Table("calibration", "This machine, calibrated", columns, rows, (note,))


def prediction_tables(prediction: "Prediction") -> list[Table]:
    """Errors by product and tokens, and every product."""
    return [_errors(prediction.products), _products(prediction.products)]


def _errors(products: "Sequence[PredictedRuntime]") -> Table:
    groups: dict[tuple[str, object], list[PredictedRuntime]] = {}
    for one in products:
        for key in ((one.product, one.tokens), (one.product, "all")):
            groups.setdefault(key, []).append(one)
    rows: list[tuple[Cell, ...]] = []
    for (product, tokens), members in sorted(groups.items(), key=lambda item: str(item[0])):
        cells: list[Cell] = [product, str(tokens), len(members)]
        for model in _MODELS:
            errors = [one.error(model) for one in members]
            cells += [
                statistics.median(errors),
                statistics.median(map(abs, errors)),
                max(errors, key=abs),
            ]
        rows.append(tuple(cells))
    heading = [Column("Product"), Column("Tokens"), Column("Products")]
    for name in _MODELS.values():
        heading += [
            Column(f"{name}: median error", "+.0%"),
            Column(f"{name}: median of its size", ".0%"),
            Column(f"{name}: worst", "+.0%"),
        ]
    note = "Error: predicted over measured time, less one; below zero the prediction is too fast."
    title = "Predicted against measured time"
    return Table("prediction-errors", title, tuple(heading), tuple(rows), (note,))


def _products(products: "Sequence[PredictedRuntime]") -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in products:
        cells: list[Cell] = [f"{one.m}x{one.n}", one.product, one.kept_fraction, one.tokens]
        cells += [one.backend, one.measured_seconds * _US_PER_SECOND]
        for model in _MODELS:
            cells += [one.predicted_seconds[model] * _US_PER_SECOND, one.error(model)]
        rows.append(tuple(cells))
    heading = [Column(name) for name in ("Shape", "Product")]
    heading += [Column("Kept", ".0%"), Column("Tokens"), Column("Backend")]
    heading += [Column("Measured (us)", ",.1f")]
    for name in _MODELS.values():
        heading += [Column(f"{name} (us)", ",.1f"), Column(f"{name}: error", "+.0%")]
    notes = (
        "Measured: lower quartile. Predicted: cycles over the clock, and the smallest call. Event: "
        "its compiled form, the same numbers.",
    )
    title = "Every product, predicted and measured"
    return Table("prediction", title, tuple(heading), tuple(rows), notes)
