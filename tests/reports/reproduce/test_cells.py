"""Cells: equal to the stages run by hand, computed once, limited to the first blocks."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reports.reproduce import cells
from reports.reproduce.cells import CellModel, measure
from reports.reproduce.comparison import limits_notes
from reports.reproduce.recipes import Recipe, cell_identity
from reports.reproduce.studies.ablations import constant_rank, kept_by, table6, table7
from reports.reproduce.study import Limits, Study
from sslc.calibration.statistics import InputStatistics
from sslc.calibration.windows import Calibration
from sslc.compression.block_loop import compress_checkpoint
from sslc.compression.output import Output
from sslc.evaluation.perplexity import perplexity
from sslc.methods.registry import load_method
from sslc.model.opening import open_checkpoint
from sslc.model.weights import ArtifactWeights
from sslc.recovery.settings import Training
from workloads.results.identity import digest
from workloads.results.table import to_dict
from workloads.shapes.transformer import load_model
from workloads.support.errors import InputError
from workloads.support.progress import silent

LIMITS = Limits(windows=3, window_tokens=32, max_tokens=256, seeds=2, steps=2)


@pytest.fixture
def study(two_blocks: Path, short_texts: tuple[Path, Path], tmp_path: Path) -> Study:
    calibration, evaluation = map(str, short_texts)
    return Study(
        open_checkpoint(str(two_blocks)), tmp_path / "study", LIMITS,
        texts=(evaluation,), calibration=calibration,
    )  # fmt: skip


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the methods that are compressed with, one after the other."""
    called: list[str] = []

    def counted(checkpoint: Any, method: Any, *rest: Any, **options: Any) -> Any:
        called.append(method.name)
        return compress_checkpoint(checkpoint, method, *rest, **options)

    monkeypatch.setattr(cells, "compress_checkpoint", counted)
    return called


def test_measure_equals_compress_and_evaluate_by_hand(study: Study, tmp_path: Path) -> None:
    found = measure(study, Recipe("wanda", seed=1), label="x")
    by_hand = compress_checkpoint(
        study.checkpoint,
        load_method("wanda", {}),
        calibration=Calibration(study.calibration, 3, 32, 1),
        output=Output(tmp_path / "hand"),
    )
    expected = perplexity(
        ArtifactWeights(by_hand), study.texts[0], window_tokens=32, max_tokens=256
    ).perplexity
    assert found.perplexities == {study.texts[0]: expected}
    errors = [r.scaled_error for block in by_hand.blocks for r in block.projections]
    assert found.facts.scaled_error == pytest.approx(np.mean(errors))  # type: ignore[arg-type]
    assert found.facts.kept_share == pytest.approx(0.5)
    assert list((study.directory / "work").iterdir()) == []


def test_measure_again_or_after_another_seed_compresses_only_what_is_new(
    study: Study, compressions: list[str]
) -> None:
    first = measure(study, Recipe("wanda"), label="x")
    assert measure(study, Recipe("wanda"), label="y") == first
    assert compressions == ["wanda"]
    measure(study, Recipe("wanda", seed=1), label="z")
    measure(study, Recipe("wanda", {"kept_fraction": 0.4}), label="z")
    assert compressions == ["wanda"] * 3
    assert not (study.directory / "work").is_dir() or not list((study.directory / "work").iterdir())


def test_measure_other_text_or_window_reevaluates(study: Study, tmp_path: Path) -> None:
    file = tmp_path / "own.txt"
    file.write_text("A sentence about lists and dictionaries.\n" * 60)
    (text,) = study.texts
    first = measure(study, Recipe("wanda"), label="x").perplexities[text]
    both = replace(study, texts=(text, str(file)))
    found = measure(both, Recipe("wanda"), label="x").perplexities
    assert found[text] == first
    assert found[str(file)] != first
    file.write_text("Something else entirely, with numbers 1 2 3.\n" * 60)
    assert measure(both, Recipe("wanda"), label="x").perplexities[str(file)] != found[str(file)]


def test_measure_first_blocks_only_leaves_the_others_dense(study: Study) -> None:
    limited = replace(study, limits=replace(LIMITS, blocks=1))
    model = CellModel(limited, Recipe("sslc"), silent)
    kept = [
        sum(r.nonzeros + r.factor_parameters for r in block.projections)
        / sum(r.m * r.n for r in block.projections)
        for block in model.artifact.blocks
    ]
    assert kept == [pytest.approx(0.5, abs=1e-3), 1.0]
    facts = model.facts()
    assert facts.kept_share == pytest.approx(kept[0])
    assert (facts.scaled_error or 0) > 0.1
    for name in ("self_attn.q_proj", "mlp.down_proj"):
        key = f"model.layers.1.{name}.weight"
        assert torch.equal(
            ArtifactWeights(model.artifact).tensor(key), study.checkpoint.tensor(key)
        )


def test_cached_broken_file_is_refused_by_name(study: Study) -> None:
    measure(study, Recipe("dense"), label="x")
    path = next((study.directory / "cells").glob("cell-perplexity-*.json"))
    whole = json.loads(path.read_text())
    for damage in (
        {"about": {}, "result": 1.0},
        {**whole, "version": 1},
        {**whole, "predicted_tokens": "many"},
        {**whole, "identity": {**whole["identity"], "text": {}}},
    ):
        path.write_text(json.dumps(damage))
        with pytest.raises(InputError, match=path.name):
            measure(study, Recipe("dense"), label="x")


def test_cached_file_of_another_cell_is_refused_by_name(study: Study) -> None:
    measure(study, Recipe("dense"), label="x")
    longer = replace(study, limits=replace(LIMITS, max_tokens=128))
    measure(longer, Recipe("dense"), label="x")
    short, long = (study.directory / "cells").glob("cell-perplexity-*.json")
    if json.loads(short.read_text())["identity"]["text"]["max_tokens"] != 256:
        short, long = long, short
    short.write_text(long.read_text())
    with pytest.raises(InputError, match=f"{short.name}: a cell of another identity"):
        measure(study, Recipe("dense"), label="x")


def test_cell_identity_has_all_that_determines_it_and_not_the_name(study: Study) -> None:
    base = cell_identity(study, Recipe("wanda"))
    others = [
        cell_identity(study, Recipe("ria")),
        cell_identity(study, Recipe("wanda", seed=1)),
        cell_identity(study, Recipe("wanda", {"kept_fraction": 0.4})),
        cell_identity(study, Recipe("wanda", calibration=study.texts[0])),
        cell_identity(study, Recipe("wanda", windows=4)),
        cell_identity(study, Recipe("wanda", recovery=Training(study.calibration))),
        cell_identity(replace(study, limits=replace(LIMITS, blocks=1)), Recipe("wanda")),
        cell_identity(replace(study, device="cuda"), Recipe("wanda")),
        replace(base, form=base.form + 1),
    ]
    assert len({digest(identity) for identity in (base, *others)}) == 1 + len(others)
    renamed = replace(base, model=replace(base.model, name="elsewhere"))
    assert digest(renamed) == digest(base)


def test_cells_of_different_versions_are_marked(study: Study) -> None:
    cell = measure(study, Recipe("dense"), label="x")
    older = replace(cell.facts, provenance=replace(cell.facts.provenance, version="0.0.1"))
    assert limits_notes(study, cell.results)[-1].startswith("Kept and scaled error")
    assert "DIFFERENT VERSIONS" in limits_notes(study, (older, *cell.results))[-1]


def test_table7_interrupted_and_run_again_goes_on_and_is_the_same(
    study: Study, compressions: list[str], tmp_path: Path
) -> None:
    whole = table7(replace(study, directory=tmp_path / "whole"))
    assert len(compressions) == 4
    compressions.clear()
    interrupted = replace(study, progress=_stop_in("3/4", 1))
    with pytest.raises(KeyboardInterrupt):
        table7(interrupted)
    assert compressions == ["sslc"] * 3
    compressions.clear()
    again = table7(study)
    assert compressions == ["sslc"] * 2
    assert again.tables[0].rows == whole.tables[0].rows


def _stop_in(cell: str, block: int) -> Callable[[str, int, int], None]:
    """Progress that is interrupted in the middle of a cell's compression."""

    def progress(stage: str, done: int, total: int) -> None:
        del total
        if cell in stage and "compress" in stage and done == block:
            raise KeyboardInterrupt

    return progress


def test_constant_rank_of_llama2_7b_is_the_published_1296_rounded_down() -> None:
    """Half of a block's 202,375,168 parameters over the 78,080 of a rank is 1295.96."""
    shapes = [(g.m, g.n) for g in load_model("llama2-7b").projections()]
    assert constant_rank(shapes, 0.5) == 1295
    assert kept_by(1296, 4096, 4096) == pytest.approx(0.6328125)


def test_constant_rank_with_small_projections_caps_them_at_their_dense_form() -> None:
    """k and v of 16x64 cost more than dense from rank 13 on: ⌊16·64/80⌋ = 12."""
    shapes = [(64, 64), (16, 64), (16, 64)]

    def spent(rank: int) -> int:
        return rank * 128 + 2 * min(rank, 12) * 80

    rank = constant_rank(shapes, 0.8)
    budget = 0.8 * (64 * 64 + 2 * 16 * 64)
    assert spent(rank) <= budget < spent(rank + 1)
    assert rank > 12
    assert kept_by(rank, 16, 64) == 12 * 80 / (16 * 64)


def test_table6_last_row_is_factors_alone_within_the_block_budget(study: Study) -> None:
    made = table6(study)
    *rows, last = to_dict(made.tables[0])["rows"]
    assert last["Rank share"].startswith("rank ")
    assert 0.4 < last["Kept"] <= 0.5
    assert (last["WikiText-2, published"], last["C4, published"]) == (10200.0, 18500.0)
    assert [row["Kept"] for row in rows] == [pytest.approx(0.5, abs=1e-3)] * 4


def test_svd_scaled_is_the_best_approximation_of_the_scaled_weight() -> None:
    torch.manual_seed(0)
    weight, norms = torch.randn(12, 20), torch.rand(20) + 0.1
    statistics = InputStatistics(norms, norms, norms)
    made = load_method("svd", {"scaled": True, "kept_fraction": 0.5}).compress(weight, statistics)
    scaled = weight.double().numpy() * norms.double().numpy()
    left, values, right = np.linalg.svd(scaled, full_matrices=False)
    rank = made.u.shape[1]
    assert rank == 12 * 20 // 2 // 32
    expected = (left[:, :rank] * values[:rank]) @ right[:rank] / norms.numpy()
    assert np.allclose((made.u @ made.v.T).numpy(), expected, atol=1e-5)
    assert not made.mask.any()
