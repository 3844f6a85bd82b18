"""Each table from its cells: the same cells where tables agree, means by hand, honest notes."""

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from accelerator_sim.models.cycles_result import CyclesResult
from reports.reproduce.comparison import limits_notes
from reports.reproduce.results import CalibrationIdentity, CellFacts, CellPerplexity
from reports.reproduce.studies.ablations import table3
from reports.reproduce.studies.accelerator import table4
from reports.reproduce.studies.calibration import calibration, in_halves
from reports.reproduce.studies.methods import table1, table9
from reports.reproduce.studies.ratios import figure6
from reports.reproduce.studies.recovered import table2
from reports.reproduce.studies.seeds import table8
from reports.reproduce.study import Limits, Reproduced, Study
from sslc.model.opening import open_checkpoint
from workloads.results.kinds import TextIdentity
from workloads.results.table import to_dict
from workloads.texts.windows import load_text

LIMITS = Limits(blocks=1, windows=3, window_tokens=32, max_tokens=256, seeds=3, steps=2)


@pytest.fixture(scope="module")
def study(
    two_blocks: Path, short_texts: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Study:
    folder = tmp_path_factory.mktemp("tables")
    own = folder / "own.txt"
    own.write_text("".join(f"Line {n} tells of the sea and of ships.\n" for n in range(80)))
    calibration, evaluation = map(str, short_texts)
    return Study(
        open_checkpoint(str(two_blocks)), folder / "study", LIMITS, texts=(evaluation, str(own)),
        calibration=calibration,
    )  # fmt: skip


def _rows(made: Reproduced, table: int = 0) -> list[dict[str, Any]]:
    """A table's rows by column, as JSON has them."""
    rows: list[dict[str, Any]] = to_dict(made.tables[table])["rows"]
    return rows


def _perplexities(made: Reproduced, text: int = 0) -> list[float | None]:
    """One per row, of the study's first or second text."""
    source = sorted({r.identity.text.source for r in _cells(made)})[text]
    return [r.perplexity for r in _cells(made) if r.identity.text.source == source]


def _cells(made: Reproduced) -> list[CellPerplexity]:
    return [result for result in made.results if isinstance(result, CellPerplexity)]


def test_table1_sets_ours_beside_published_and_says_what_was_left_out(study: Study) -> None:
    made = table1(study)
    rows = _rows(made)
    assert [row["Method"] for row in rows] == [
        "Dense", "SparseGPT", "Wanda", "DSnoT", "SVD-LLM", "SSLC",
    ]  # fmt: skip
    assert rows[-1]["WikiText-2, published"] == 6.61
    assert rows[-1]["Zero-shot, published"] == 65.24
    assert [row["Perplexity, own.txt"] for row in rows] == _perplexities(made, 1)
    notes = " ".join(made.tables[0].notes)
    assert "ONLY THE FIRST 1 OF 2 BLOCKS" in notes
    assert "llama2-7b" in notes
    assert "exchange the zero-shot means" in notes


def test_table1_sets_newer_methods_beside_what_their_own_papers_print(study: Study) -> None:
    made = table1(replace(study, methods=("eora", "wanda")))
    ours = {row["Method"]: row["Perplexity, own.txt"] for row in _rows(made)}
    rows = {(row["Method"], row["Published setting"]): row for row in _rows(made, 1)}
    eora = rows["EoRA", "2:4 and rank 128 on top"]
    assert (eora["WikiText-2, published"], eora["C4, published"]) == (11.07, None)
    assert eora["Perplexity, own.txt"] == ours["EoRA"]
    alps = rows["HASSLE-free-ALPS", "2:4 and rank 64"]
    assert (alps["C4, published"], alps["Perplexity, own.txt"]) == (16.15, None)
    assert (alps["Context"], alps["Read in"]) == (2048, "a digest")


def test_table1_has_3basil_with_and_without_the_training_of_blocks(study: Study) -> None:
    made = table1(replace(study, methods=("3basil",)))
    ours = {row["Method"]: row for row in _rows(made)}
    plain, matched = ours["3BASiL"], ours["3BASiL with transformer matching"]
    assert plain["Kept"] == matched["Kept"]
    assert plain["Perplexity, own.txt"] != matched["Perplexity, own.txt"]
    newer = {row["Method"]: row["Perplexity, own.txt"] for row in _rows(made, 1)}
    assert newer["3BASiL with transformer matching"] == matched["Perplexity, own.txt"]
    recipes = [cell.identity.cell.recipe for cell in _cells(made)]
    assert [recipe.matching is None for recipe in recipes][-4:] == [True, True, False, False]


def test_notes_name_the_protocol_under_which_a_text_was_evaluated(study: Study) -> None:
    cell = _cells(table1(replace(study, methods=("wanda",))))[-1]
    whole = TextIdentity("wikitext2:test", "0" * 64, 4096, 4096, 0)
    protocol = "Protocol of wikitext2:test in windows of 4,096: d2prune-4096."
    assert not any("Protocol" in note for note in limits_notes(study, [cell]))
    cell = replace(cell, identity=replace(cell.identity, text=whole))
    assert protocol in limits_notes(study, [cell, cell])
    cell = replace(cell, identity=replace(cell.identity, text=replace(whole, max_tokens=4096)))
    assert protocol not in limits_notes(study, [cell])


def test_table1_results_say_all_that_determines_them(study: Study) -> None:
    made = table1(study)
    facts = [result for result in made.results if isinstance(result, CellFacts)]
    assert [result.identity.recipe.method for result in facts][-2:] == ["svd-llm", "sslc"]
    identity = _cells(made)[-1].identity
    recipe = identity.cell.recipe
    text = load_text(study.calibration, "calibration")
    assert recipe.calibration == CalibrationIdentity(text.source, text.sha256, 3, 32, 0)
    assert recipe.settings["kept_fraction"] == 0.5
    assert recipe.choice == {"include": ["layers.0.*"]}
    assert identity.cell.model.sha256 == study.checkpoint.sha256()
    text = load_text(study.texts[1], "evaluation")
    assert identity.text == TextIdentity(text.source, text.sha256, 32, 32, 256)


def test_table3_iteration_0_is_wanda_of_table1_and_40_is_its_sslc(study: Study) -> None:
    first, third = _rows(table1(study)), _rows(table3(study))
    measured = ("Kept", "Scaled error", "Perplexity, own.txt", "Perplexity, evaluation.txt")
    by_iterations = {row["Iterations"]: row for row in third}
    for name in measured:
        assert by_iterations["0 (Wanda)"][name] == first[2][name]
        assert by_iterations["40"][name] == first[5][name]
    assert [row["C4, published"] for row in third] == [9.75, 9.16, 8.99, 8.91, 8.87, 8.85, 8.83]


def test_table2_trains_as_much_in_every_method_and_counts_what_lora_adds(study: Study) -> None:
    made = table2(study)
    rows = {row["Method"]: row for row in _rows(made)}
    compressed = _rows(table1(study))[5]
    text = "Perplexity, evaluation.txt"
    assert rows["SSLC"][f"{text}, before"] == compressed[text]
    assert len({row["Trained"] for name, row in rows.items() if name != "Dense"}) == 1
    assert rows["SSLC"]["Kept after"] == rows["SSLC"]["Kept before"]
    for name in ("SparseGPT+LoRA", "Wanda+LoRA"):
        share = rows[name]["Trained"] / _compressed_parameters(study)
        assert rows[name]["Kept after"] == pytest.approx(rows[name]["Kept before"] + share)
    assert all(
        row[f"{text}, after"] != row[f"{text}, before"] for row in rows.values() if row["Trained"]
    )
    recovered = [r.identity for r in made.results if isinstance(r, CellFacts)][2]
    assert recovered.recipe.recovery is not None
    assert recovered.recipe.recovery["steps"] == LIMITS.steps
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
    made = table8(replace(study, methods=("wanda",)))
    row, runs = _rows(made)[0], [run or 0.0 for run in _perplexities(made)[:3]]
    assert len(set(runs)) == 3
    assert row["Perplexity, evaluation.txt, mean"] == pytest.approx(sum(runs) / 3)
    by_hand = (sum((run - sum(runs) / 3) ** 2 for run in runs) / 2) ** 0.5
    assert row["Perplexity, evaluation.txt, sd"] == pytest.approx(by_hand)
    printed = [6.92, 6.91, 6.91, 6.93, 6.94]
    assert row["WikiText-2, published, mean"] == pytest.approx(statistics.fmean(printed))
    assert row["WikiText-2, published, sd"] == pytest.approx(statistics.stdev(printed))


def test_table9_pairs_every_score_with_its_plug_in(study: Study) -> None:
    made = table9(study)
    labels = [row["Method"] for row in _rows(made)]
    assert labels[::2] == ["RIA", "ALPS", "Pruner-Zero"]
    assert labels[1::2] == [f"{name}+SSLC" for name in labels[::2]]
    perplexities = [row["Perplexity, evaluation.txt"] for row in _rows(made)]
    assert len(set(perplexities)) == len(perplexities) == 6


def test_table4_of_a_model_counts_its_own_masks(study: Study) -> None:
    made = table4(study)
    results = [result for result in made.results if isinstance(result, CyclesResult)]
    models = [result.identity.cycle_model for result in results]
    assert models == ["published", "roofline", "event"]
    for result in results:
        assert result.identity.subject.masks == "real"
        assert result.identity.workload.of_blocks == 2
        assert len(result.blocks) == LIMITS.blocks
    assert "real masks of SSLC, mean of its first 1 block," in made.tables[0].notes[0]
    rows = [row for row in _rows(made) if row["Model"] == study.checkpoint.name]
    analytic = {row["Module"]: row for row in rows if row["Cycles are"] == "analytic (published)"}
    # q, o 64x64 and k, v 32x64; gate, up, down of 64 and 96; 4096 MACs a cycle, each rounded up.
    assert {module: row["Dense"] for module, row in analytic.items()} == {"MHA": 3.0, "FFN": 4.5}
    # Of array-64x64 at 500 MHz, 2 ns a cycle.
    assert analytic["MHA"]["Dense (us)"] == pytest.approx(3 * 0.002)
    again = table4(study)
    assert again.results == made.results
    assert _rows(made)[0]["Cycles are"].startswith("published")
    assert _rows(made)[0]["Dense (us)"] is None


def test_figure6_draws_what_its_table_says_solid_then_hollow(study: Study) -> None:
    made = figure6(replace(study, methods=("wanda", "sslc")))
    axes = made.figures["figure6"].axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    for row in made.tables[0].rows[1:]:
        point = [30, 50, 70].index(round(100 * float(row[1])))  # type: ignore[arg-type]
        for text, value in zip(("evaluation.txt", "own.txt"), row[2:], strict=True):
            line = lines[f"{row[0]}, {text}"]
            assert line.get_ydata()[point] == value  # type: ignore[index]
            hollow = line.get_markerfacecolor() == "white"
            assert hollow == (text == "own.txt")
    markers = {line.get_marker() for name, line in lines.items() if "dense" not in str(name)}
    assert len(markers) == 2


def test_calibration_cuts_files_and_never_evaluates_on_what_calibrated(study: Study) -> None:
    made = calibration(replace(study, methods=("wanda", "sslc")))
    assert in_halves("embedded") == "embedded"
    for text in map(in_halves, study.texts):
        halves = [load_text(text, part).content for part in ("calibration", "evaluation")]
        assert "".join(halves) == Path(text.removeprefix("halves:")).read_text()
        assert all(len(half) > 1000 for half in halves)
    rows = made.tables[0].rows
    assert len(rows) == 1 + 2 * 2
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
