"""Each table from its cells: the same cells where tables agree, means by hand, honest notes."""

import statistics
from pathlib import Path

import pytest

from reports.reproduce.studies.ablations import table3
from reports.reproduce.studies.accelerator import table4
from reports.reproduce.studies.calibration import calibration, in_halves
from reports.reproduce.studies.methods import table1, table9
from reports.reproduce.studies.ratios import figure6
from reports.reproduce.studies.recovered import table2
from reports.reproduce.studies.seeds import table8
from reports.reproduce.study import Limits, Study
from sslc.model.opening import open_checkpoint
from workloads.texts.windows import load_text

LIMITS = Limits(blocks=2, windows=3, window_tokens=32, max_tokens=256, seeds=3, steps=2)


@pytest.fixture(scope="module")
def study(
    llama: Path, short_texts: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Study:
    folder = tmp_path_factory.mktemp("tables")
    own = folder / "own.txt"
    own.write_text("".join(f"Line {n} tells of the sea and of ships.\n" for n in range(80)))
    calibration, evaluation = map(str, short_texts)
    return Study(
        open_checkpoint(str(llama)), folder / "study", LIMITS, texts=(evaluation, str(own)),
        calibration=calibration,
    )  # fmt: skip


def test_table1_sets_ours_beside_published_and_says_what_was_left_out(study: Study) -> None:
    made = table1(study)
    table = made.tables[0]
    assert [row[0] for row in table.rows] == [
        "Dense", "SparseGPT", "Wanda", "DSnoT", "SVD-LLM", "SSLC",
    ]  # fmt: skip
    names = [column.name for column in table.columns]
    sslc = dict(zip(names, table.rows[-1], strict=True))
    assert sslc["WikiText-2, published"] == 6.61
    assert sslc["Zero-shot, published"] == 65.24
    assert (
        sslc["Perplexity, own.txt"] == made.results[-1]["measured"]["perplexities"][study.texts[1]]
    )
    notes = " ".join(table.notes)
    assert "ONLY THE FIRST 2 OF 3 BLOCKS" in notes
    assert "llama2-7b" in notes
    assert "exchange the zero-shot means" in notes


def test_table3_iteration_0_is_wanda_of_table1_and_40_is_its_sslc(study: Study) -> None:
    first, third = table1(study).results, table3(study).results
    assert third[0]["measured"] == first[2]["measured"]
    forty = next(line for line in third if line["label"][0] == "40")
    assert forty["measured"] == first[5]["measured"]
    assert [line["published"]["C4"] for line in third] == [9.75, 9.16, 8.99, 8.91, 8.87, 8.85, 8.83]


def test_table2_trains_as_much_in_every_method_and_counts_what_lora_adds(study: Study) -> None:
    made = table2(study)
    before = {name: made.results[name]["before"] for name in ("sparsegpt", "wanda", "sslc")}
    after = {name: made.results[name]["after"] for name in before}
    assert before["sslc"] == table1(study).results[5]["measured"]
    assert len({found["trained_parameters"] for found in after.values()}) == 1
    assert after["sslc"]["kept_share"] == before["sslc"]["kept_share"]
    for name in ("sparsegpt", "wanda"):
        share = after[name]["trained_parameters"] / _compressed_parameters(study)
        assert after[name]["kept_share"] == pytest.approx(before[name]["kept_share"] + share)
    assert all(after[name]["perplexities"] != before[name]["perplexities"] for name in after)
    assert list((study.directory / "work").iterdir()) == []


def _compressed_parameters(study: Study) -> int:
    names = (f"model.layers.{index}." for index in range(LIMITS.blocks or 0))
    return sum(
        study.checkpoint.tensor(name).numel()
        for prefix in names
        for name in study.checkpoint.names()
        if name.startswith(prefix) and name.endswith("_proj.weight")
    )


def test_table8_is_mean_and_sample_deviation_of_its_seeds(study: Study) -> None:
    made = table8(study)
    names = [column.name for column in made.tables[0].columns]
    row = made.tables[0].rows[0]
    runs = [run["perplexities"][study.texts[0]] for run in made.results["wanda"]]
    assert len(set(runs)) == 3
    assert row[names.index("Perplexity, evaluation.txt, mean")] == pytest.approx(sum(runs) / 3)
    by_hand = (sum((run - sum(runs) / 3) ** 2 for run in runs) / 2) ** 0.5
    assert row[names.index("Perplexity, evaluation.txt, sd")] == pytest.approx(by_hand)
    printed = [6.92, 6.91, 6.91, 6.93, 6.94]
    assert row[names.index("WikiText-2, published, mean")] == pytest.approx(
        statistics.fmean(printed)
    )
    assert row[names.index("WikiText-2, published, sd")] == pytest.approx(statistics.stdev(printed))


def test_table9_pairs_every_score_with_its_plug_in(study: Study) -> None:
    made = table9(study)
    labels = [line["label"][0] for line in made.results]
    assert labels[::2] == ["RIA", "ALPS", "Pruner-Zero"]
    assert labels[1::2] == [f"{name}+SSLC" for name in labels[::2]]
    measured = [line["measured"]["perplexities"][study.texts[0]] for line in made.results]
    assert len(set(measured)) == len(measured)


def test_table4_of_a_model_counts_its_own_masks(study: Study) -> None:
    made = table4(study)
    assert [result["cycle_model"] for result in made.results] == ["published", "roofline", "event"]
    for result in made.results:
        assert result["subject"]["masks"] == "real"
        assert len(result["blocks"]) == LIMITS.blocks
    assert "real masks of SSLC, mean of its first 2 blocks" in made.tables[0].notes[0]
    rows = [row for row in made.tables[0].rows if row[0] == study.checkpoint.name]
    dense = {row[1]: row[4] for row in rows if row[2] == "analytic (published)"}
    # q, o 64x64 and k, v 32x64; gate, up, down of 64 and 96; 4096 MACs a cycle, each rounded up.
    assert dense == {"MHA": 3.0, "FFN": 4.5}


def test_figure6_draws_what_its_table_says_solid_then_hollow(study: Study) -> None:
    made = figure6(study)
    axes = made.figures["figure6"].axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    for row in made.tables[0].rows[1:]:
        place = [30, 50, 70].index(round(100 * float(row[1])))  # type: ignore[arg-type]
        for text, value in zip(("evaluation.txt", "own.txt"), row[2:], strict=True):
            line = lines[f"{row[0]}, {text}"]
            assert line.get_ydata()[place] == value  # type: ignore[index]
            hollow = line.get_markerfacecolor() == "white"
            assert hollow == (text == "own.txt")
    markers = {line.get_marker() for name, line in lines.items() if "dense" not in str(name)}
    assert len(markers) == 3


def test_calibration_cuts_files_and_never_evaluates_on_what_calibrated(study: Study) -> None:
    made = calibration(study)
    assert in_halves("embedded") == "embedded"
    for text in map(in_halves, study.texts):
        halves = [load_text(text, part).content for part in ("calibration", "evaluation")]
        assert "".join(halves) == Path(text.removeprefix("halves:")).read_text()
        assert all(len(half) > 1000 for half in halves)
    rows = made.tables[0].rows
    assert len(rows) == 1 + 3 * 2
    own = {row[1]: row[2:] for row in rows if row[0] == "Wanda"}
    assert own["halves:evaluation.txt"] != own["halves:own.txt"]
    amounts = {(row[0], row[1]): row[2] for row in made.tables[1].rows}
    assert amounts == {(1, 32): 32, (3, 32): 96, (12, 32): 384, (12, 8): 96, (1, 128): 128}
    bars = made.figures["calibration"].axes[0].patches
    assert [bar.get_height() for bar in bars] == [  # type: ignore[attr-defined]
        row[2]
        for text in ("halves:evaluation.txt", "halves:own.txt")
        for row in rows
        if row[1] == text
    ]
