"""Figures 1, 4 and 5 for a small model: what they show, and that nothing is measured twice."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from reports.reproduce.block_results import (
    BlockLosses,
    BlockNeeded,
    BlockSpreads,
    MapPair,
    SalienceMap,
)
from reports.reproduce.figures.losses import losses_figure
from reports.reproduce.figures.salience import heat_maps_figure, needed_figure
from reports.reproduce.recipes import calibration_of
from reports.reproduce.studies.losses import depths, figure5, losses_table, rises
from reports.reproduce.studies.salience import figure1, figure4
from reports.reproduce.studies.salience_tables import needed_table, published
from reports.reproduce.study import Limits, Reproduced, Study
from sslc.calibration.windows import calibration_windows, load_calibration
from sslc.compression.inputs import DenseInputs
from sslc.methods.sslc import Sslc
from sslc.model.opening import open_checkpoint
from workloads.results.envelope import result_to_json
from workloads.results.salience import Needed, Spread
from workloads.results.table import Table, to_dict
from workloads.shapes.transformer import SEPARATE
from workloads.support.errors import InputError

LIMITS = Limits(windows=2, window_tokens=24)
MADE: dict[str, Callable[[Study], Reproduced]] = {
    "figure1": figure1,
    "figure4": figure4,
    "figure5": figure5,
}
each_figure = pytest.mark.parametrize("name", MADE)


@pytest.fixture(scope="module")
def study(
    llama: Path, short_texts: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Study:
    directory, text = tmp_path_factory.mktemp("study"), str(short_texts[0])
    return Study(open_checkpoint(str(llama)), directory, LIMITS, calibration=text)


def _rows(table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = to_dict(table)["rows"]
    return rows


def _words(figure: Figure) -> str:
    figure.canvas.draw()
    return " ".join(figure.get_suptitle().split())


@each_figure
def test_figure_again_reads_the_cache_and_gives_the_same(
    study: Study, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = MADE[name](study)

    def refuse(*_: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(DenseInputs, "at", refuse)
    again = MADE[name](study)
    assert again.tables == first.tables
    assert again.results == first.results
    for changed in (
        replace(study, kept_fraction=0.4),
        replace(study, limits=replace(LIMITS, windows=3)),
        replace(study, calibration=__file__),
    ):
        with pytest.raises(AssertionError, match="measured again"):
            MADE[name](changed)


def test_figure_interrupted_goes_on_at_the_block_where_it_stopped(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted = replace(study, directory=tmp_path)
    at, asked = DenseInputs.at, list[int]()

    def stop_at_two(self: DenseInputs, index: int) -> Any:
        asked.append(index)
        if asked.count(2) == 1 and index == 2:
            raise KeyboardInterrupt
        return at(self, index)

    monkeypatch.setattr(DenseInputs, "at", stop_at_two)
    with pytest.raises(KeyboardInterrupt):
        figure4(interrupted)
    went_on = figure4(interrupted)
    assert asked == [0, 1, 2, 2]
    monkeypatch.undo()
    fresh = figure4(replace(interrupted, directory=tmp_path / "fresh"))
    assert went_on.tables == fresh.tables
    assert _needed(went_on) == _needed(fresh)


def _needed(made: Reproduced) -> list[Any]:
    return [block.projections for block in made.results if isinstance(block, BlockNeeded)]


@each_figure
def test_figure_and_table_say_model_calibration_limits_and_provenance(
    study: Study, name: str
) -> None:
    made = MADE[name](study)
    (table,), (figure,) = made.tables, made.figures.values()
    for words in (" ".join(table.notes), _words(figure)):
        assert study.checkpoint.name in words
        assert "of 3" in words
        assert "calibration.txt, 2 windows of 24 tokens; measured" in words
        assert "kept fraction 0.5" in words
    assert [table.name] == list(made.figures) == [name]


@each_figure
def test_figure_tells_progress_to_the_last_block(study: Study, name: str) -> None:
    seen: list[tuple[str, int, int]] = []
    watched = replace(study, progress=lambda *step: seen.append(step), kept_fraction=0.45)
    MADE[name](watched)
    dones = [done for _, done, _ in seen]
    assert dones == sorted(dones)
    assert {stage for stage, _, _ in seen} == {name}
    assert seen[-1][1] == seen[-1][2]


def test_figure_limits_leave_out_later_blocks(study: Study) -> None:
    limited = replace(study, limits=replace(LIMITS, blocks=2))
    made = figure4(limited)
    assert _blocks(made) == [0, 1]
    assert "2 blocks of 3" in made.tables[0].notes[0]
    assert _blocks(figure5(limited)) == [0, 1]
    assert _blocks(figure1(limited)) == [1]


def _blocks(made: Reproduced) -> list[int]:
    return [result.identity.block for result in made.results]


def test_figure_budget_that_does_not_fit_names_block_and_projection(study: Study) -> None:
    with pytest.raises(InputError, match=r"block 0, self_attn\.\w_proj: factors of rank"):
        figure4(replace(study, kept_fraction=0.01))


def _dense(study: Study, index: int) -> dict[str, Any]:
    text = load_calibration(study.checkpoint, calibration_of(study))
    windows = calibration_windows(study.checkpoint, text, calibration=calibration_of(study))
    return DenseInputs(study.checkpoint, lambda: windows).at(index)


def test_figure1_maps_and_table_of_the_middle_block(study: Study) -> None:
    made = figure1(study)
    panels = [axes for axes in made.figures["figure1"].axes if axes.images]
    assert [axes.get_title() for axes in panels] == [
        f"{name}, {side}"
        for name in ("q_proj", "down_proj")
        for side in ("before: |W̃|", "after: |W̃ − L̃|")
    ]
    for before, after in (panels[:2], panels[2:]):
        assert before.images[0].get_clim() == after.images[0].get_clim()
    weight, statistics = _dense(study, 1)["mlp.down_proj"]
    before = weight.abs() * statistics.norms
    result = Sslc().compress(weight, statistics)
    after = (weight - result.u @ result.v.T).abs() * statistics.norms
    for side, matrix, panel in (("before", before, panels[2]), ("after", after, panels[3])):
        (row,) = [
            row
            for row in _rows(made.tables[0])
            if (row["Projection"], row["Low-rank part"]) == ("down_proj", side)
        ]
        assert row["Salience"] == pytest.approx(float(matrix.sum()), rel=1e-4)
        assert row["Left"] == pytest.approx(float(matrix.sum() / before.sum()), rel=1e-4)
        top = matrix.flatten().sort(descending=True).values[: 64 * 96 // 100]
        assert row["Top 1% hold"] == pytest.approx(float(top.sum() / matrix.sum()), rel=1e-4)
        drawn = panel.images[0].get_array()
        assert drawn is not None
        assert np.allclose(drawn, matrix, rtol=1e-3, atol=1e-6)


def test_figure1_results_are_the_spreads_without_the_cells(study: Study) -> None:
    made = figure1(study)
    (spreads,) = made.results
    assert isinstance(spreads, BlockSpreads)
    row = _rows(made.tables[0])[3]
    assert row["Salience"] == spreads.projections["down_proj"]["after"].total
    assert "cells" not in result_to_json(spreads)["projections"]["down_proj"]["after"]


def test_heat_maps_say_how_many_entries_a_cell_has() -> None:
    drawn = SalienceMap((6, 9), Spread(21.0, 0.1, 0.2), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    figure = heat_maps_figure({"q_proj": MapPair(drawn, drawn)}, "somewhere")
    assert figure.axes[-1].get_ylabel() == "salience, mean of 3 × 3 entries"


def test_published_figure4_is_as_printed() -> None:
    found = published()
    assert [found.pruning, found.synergistic] == pytest.approx([0.423, 0.386])
    assert [found.sparse, found.low_rank] == pytest.approx([0.323, 0.0625])


def _needed_slowly(weight: torch.Tensor, statistics: Any, power: int) -> dict[str, float]:
    """Entry by entry, in float64."""
    scale, result = statistics.norms.double(), Sslc().compress(weight, statistics)
    rest = weight.double() - result.u.double() @ result.v.double().T
    whole = ((weight.double() * scale).abs() ** power).flatten().tolist()
    residual = ((rest * scale).abs() ** power).flatten().tolist()

    def share(values: list[float]) -> float:
        left = sorted(values)
        while sum(left) > 0.2 * sum(whole):
            left.pop()
        return 1 - len(left) / len(values)

    low_rank = result.u.shape[1] * sum(weight.shape) / weight.numel()
    return {"pruning": share(whole), "sparse": share(residual), "low_rank": low_rank}


def test_figure4_shares_equal_taking_entries_one_by_one(study: Study) -> None:
    made = figure4(study)
    assert _blocks(made) == [0, 1, 2]
    last = made.results[2]
    assert isinstance(last, BlockNeeded)
    weight, statistics = _dense(study, 2)["self_attn.k_proj"]
    for reading, power in (("|W̃|", 1), ("|W̃|²", 2)):
        slow = _needed_slowly(weight, statistics, power)
        needed = asdict(last.projections["k_proj"][reading])
        assert needed == pytest.approx(slow, abs=2 / weight.numel())


def test_figure4_table_has_projections_all_and_the_published_row(study: Study) -> None:
    made = figure4(study)
    rows = _rows(made.tables[0])
    names = [row["Projection"] for row in rows if row["Salience"] == "|W̃|"]
    assert names == [*SEPARATE, "all", "LLaMA2-7B, published"]
    assert len(rows) == 9 + 8
    everything, printed = rows[7], rows[8]
    assert everything["Matrices"] == 21
    assert (printed["Pruning"], printed["Together"]) == (0.423, 0.386)
    assert printed["Matrices"] is None
    shares = [
        readings["|W̃|"].pruning
        for block in made.results
        if isinstance(block, BlockNeeded)
        for readings in block.projections.values()
    ]
    assert everything["Pruning"] == pytest.approx(np.mean(shares))
    assert (everything["Pruning, min"], everything["Pruning, max"]) == (min(shares), max(shares))
    for row in rows:
        assert row["Saved"] == pytest.approx(row["Pruning"] - row["Together"])


def test_needed_table_counts_matrices_that_need_fewer() -> None:
    group = [Needed(0.5, sparse, 0.125) for sparse in (0.25, 0.375, 0.5)]
    notes = needed_table({"|W̃|": {"q_proj": group}}, published(), where="somewhere").notes
    assert notes[-1].endswith("needs fewer parameters in 1 of 3 by |W̃|.")


def test_needed_figure_bars_are_the_means_beside_the_published_ones() -> None:
    shares = {
        "q_proj": [Needed(0.4, 0.3, 0.05), Needed(0.2, 0.1, 0.05)],
        "k_proj": [Needed(0.6, 0.5, 0.05)],
    }
    figure = needed_figure(shares, published(), where="somewhere")
    bars, dots = figure.axes
    heights = [bar.get_height() for bar in bars.patches]  # type: ignore[attr-defined]
    assert heights == pytest.approx([0.4, 0.3, 0.05, 0.423, 0.323, 0.0625])
    assert [text.get_text() for text in bars.texts] == ["40.0%", "35.0%", "42.3%", "38.6%"]
    assert [label.get_text() for label in bars.get_xticklabels()] == [
        "measured, mean of\n3 matrices",
        "published,\nLLaMA2-7B",
    ]
    assert [label.get_text() for label in dots.get_xticklabels()] == ["q_proj", "k_proj"]
    assert sum(len(np.atleast_2d(c.get_offsets())) for c in dots.collections[:2]) >= 3


@pytest.mark.parametrize(
    ("blocks", "chosen"), [(1, [0]), (3, [0, 1, 2]), (5, [0, 1, 2, 3, 4]), (30, [0, 7, 14, 22, 29])]
)
def test_depths_are_the_first_the_last_and_the_quarters(blocks: int, chosen: list[int]) -> None:
    assert depths(blocks) == chosen


def test_rises_counts_what_is_more_than_rounding() -> None:
    assert rises([1.0, 0.5, 0.5, 0.5 * (1 + 5e-7), 0.6, 0.4, 0.41]) == 2


def test_figure5_lines_are_means_over_projections_and_never_rise(study: Study) -> None:
    made = figure5(study)
    assert _blocks(made) == [0, 1, 2]
    losses = {name: Sslc().losses(*found) for name, found in _dense(study, 2).items()}
    last = made.results[2]
    assert isinstance(last, BlockLosses)
    assert last.projections["up_proj"] == pytest.approx(losses["mlp.up_proj"], rel=1e-4)
    means = [sum(step) / 7 for step in zip(*losses.values(), strict=True)]
    assert last.mean_losses == pytest.approx(means, rel=1e-4)
    absolute = made.figures["figure5"].axes[0]
    assert [line.get_label() for line in absolute.lines] == ["block 0", "block 1", "block 2"]
    assert np.array_equal(absolute.lines[2].get_ydata(), last.mean_losses)
    row = _rows(made.tables[0])[2]
    assert (row["Block"], row["Projections"], row["Rises"]) == (2, 7, 0)
    assert row["after 1"] == last.mean_losses[0]
    assert row["40"] == last.mean_losses[39]
    assert f"It held in all {3 * 7 * 39} steps" in made.tables[0].notes[2]


def test_losses_table_says_where_the_loss_rose() -> None:
    table = losses_table({4: {"q_proj": [0.4, 0.3, 0.35], "k_proj": [0.2, 0.2, 0.1]}}, "somewhere")
    (row,) = _rows(table)
    assert (row["after 1"], row["2"], row["3"]) == (pytest.approx(0.3), 0.25, pytest.approx(0.225))
    assert (row["Fall"], row["Rises"]) == (pytest.approx(0.25), 1)
    assert "It failed in 1 of 4 steps" in table.notes[2]


def test_losses_figure_lines_differ_without_colour() -> None:
    figure = losses_figure({block: [0.3, 0.2] for block in range(5)}, "somewhere")
    lines = figure.axes[0].lines
    assert len({line.get_marker() for line in lines}) == 5
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 5  # type: ignore[attr-defined]
