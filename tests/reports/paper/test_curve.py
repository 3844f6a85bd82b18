"""The published model over its threshold: sums over a module, what is said of the printed rows."""

from pathlib import Path

import numpy as np
import pytest

from reports.figures.style import write_figure
from reports.paper.curve import THRESHOLDS, Curve, block_curves, curve_figure, curve_table
from reports.paper.published import PublishedCycles
from tests.accelerator_sim.machines import block_by, random_mask, small_machine
from workloads.masks.packed import PackedMask, SparseLowRankGemm
from workloads.results.table import to_dict
from workloads.shapes.gemm import Gemm


def block(density: float = 0.5) -> list[SparseLowRankGemm]:
    items = []
    for seed, module in enumerate(("MHA", "MHA", "FFN")):
        mask = random_mask(24, 32, density, seed)
        mask[:, :8] |= random_mask(24, 8, 0.7, seed + 9)
        gemm = Gemm(f"p{seed}", module, 24, 32, 1)  # type: ignore[arg-type]
        items.append(SparseLowRankGemm(gemm, PackedMask.pack(mask), rank=0))
    return items


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.7, 1.0])
def test_block_curves_points_are_the_published_model_at_that_threshold(threshold: float) -> None:
    machine = small_machine(dense_threshold=threshold)
    modules = block_by("published", block(), machine).modules
    for curve in block_curves("m", "any", block(), machine):
        assert curve.at(threshold) == modules[curve.module].sparse_cycles
        assert curve.dense_cycles == modules[curve.module].dense_cycles


def test_block_curves_no_threshold_beats_no_dense_column() -> None:
    for curve in block_curves("m", "any", block(), small_machine()):
        assert min(curve.cycles) == curve.cycles[-1]
        assert curve.cycles[0] > curve.cycles[-1]


def curve_of(reading: str, least: int) -> Curve:
    steps = np.linspace(100, least, len(THRESHOLDS)).astype(int)
    return Curve("m", "MHA", reading, 100.0, tuple(steps.tolist()))


def test_curve_table_says_which_reading_a_printed_row_is_below() -> None:
    printed = [PublishedCycles("m", "MHA", 100, 45, 5, 50, 2)]
    table = to_dict(curve_table([curve_of("low", 40), curve_of("high", 50)], printed))
    row = table["rows"][1]
    assert (row["S, printed"], row["S, G = 0"], row["t = 0.5"]) == (45, 50, 75)
    notes = [note for note in table["notes"] if "printed S" in note]
    assert len(notes) == 1
    assert notes[0].startswith("m MHA: the printed S, 45.0% of dense, is below 50, the least that")
    assert notes[0].endswith('"high" can give at any t.')


def test_curve_figure_shows_both_readings_and_the_printed_row(tmp_path: Path) -> None:
    printed = [PublishedCycles("m", module, 100, 45, 5, 50, 2) for module in ("MHA", "FFN")]
    curves = [
        curve
        for reading, density in (("low", 0.3), ("high", 0.5))
        for curve in block_curves("m", reading, block(density), small_machine())
    ]
    figure = curve_figure(curves, printed)
    assert len(figure.axes) == 2
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["low", "high", "dense", "S, as printed"]
    assert len(write_figure(figure, tmp_path, "curve")) == 2
